package main

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/tripplite-go/tripplite/internal/notify"
	"github.com/tripplite-go/tripplite/internal/secret"
	"github.com/tripplite-go/tripplite/nut"
)

// config is the configuration file. deploy/tripplited.toml explains each key.
type config struct {
	StateDirectory string `toml:"state_directory"`

	Units unitsConfig
	HTTP  httpConfig
	NUT   nutConfig
	Low   map[string]lowConfig
	Log   logConfig

	Guard   guardConfig
	Notify  []notify.Config
	History historyConfig

	guards bool // the file has a table [guard]
}

type unitsConfig struct {
	Paths []string
	Names map[string][]string
}

type httpConfig struct {
	Listen        []string
	WebConfigFile string        `toml:"web_config_file"`
	ScrapeTimeout time.Duration `toml:"scrape_timeout"`
}

type nutConfig struct {
	Listen      []string
	Certificate string
	Key         string
	Every       time.Duration
	Connections int
	User        []userConfig
}

type userConfig struct {
	Name         string
	PasswordFile string `toml:"password_file"`
	Commands     []string
	Set          bool
	Upsmon       string
}

type lowConfig struct {
	Charge  float64
	Runtime time.Duration
}

type historyConfig struct {
	File  string // in the state directory, or with a path
	MaxMB int    `toml:"max_mb"`
}

type logConfig struct {
	Level  slog.Level
	Format string
}

// defaults is what is served without a file: what only reads, on this computer alone.
func defaults() config {
	return config{
		HTTP: httpConfig{Listen: []string{"127.0.0.1:6969"}, ScrapeTimeout: 10 * time.Second},
		NUT: nutConfig{
			Listen: []string{"127.0.0.1:3493"}, Every: 2 * time.Second, Connections: 1024,
		},
		Log: logConfig{Format: "logfmt"}, Guard: guardDefaults(),
		History: historyConfig{MaxMB: 100},
	}
}

// usualStateDir is where systemd has the StateDirectory of deploy/tripplited.service.
const usualStateDir = "/var/lib/tripplited"

// stateDir returns the directory of what has to last.
func (c *config) stateDir() string {
	return cmp.Or(c.StateDirectory, os.Getenv("STATE_DIRECTORY"), usualStateDir)
}

// load reads a configuration file, or the defaults for "".
func load(file string) (config, error) {
	c := defaults()
	if file == "" {
		return c, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return config{}, err
	}
	if err := c.parse(string(text)); err != nil {
		return config{}, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

func (c *config) parse(text string) error {
	known, err := toml.Decode(text, c)
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "toml: ")) // which tells the line
	}
	var wrong []error
	for _, key := range known.Undecoded() {
		err := fmt.Errorf("there is no key %q", key)
		if line := lineOf(text, key.String()); line > 0 {
			err = fmt.Errorf("line %d: %w", line, err)
		}
		wrong = append(wrong, err)
	}
	c.guards = known.IsDefined("guard")
	return errors.Join(append(wrong, c.check())...)
}

// lineOf returns the line on which a key stands, or 0 of one in an inline table.
func lineOf(text, key string) int {
	section, n := "", 0
	for line := range strings.Lines(text) {
		n++
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		switch name, _, isKey := strings.Cut(line, "="); {
		case strings.HasPrefix(line, "["):
			section = strings.Trim(strings.TrimSpace(line), "[]")
			if section == key {
				return n
			}
		case isKey:
			name = strings.Trim(strings.TrimSpace(name), `"`)
			if strings.TrimPrefix(section+"."+name, ".") == key {
				return n
			}
		}
	}
	return 0
}

// minTime is the least that a time may be. TOML takes a number without a unit for nanoseconds.
const minTime = 100 * time.Millisecond

// check returns what is wrong with the values.
func (c *config) check() error {
	var wrong []error
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	for _, list := range []struct {
		key       string
		addresses []string
	}{{"http.listen", c.HTTP.Listen}, {"nut.listen", c.NUT.Listen}} {
		for _, address := range list.addresses {
			if err := checkAddress(address); err != nil {
				add("%s: %q is no address to listen at: %w", list.key, address, err)
			}
		}
	}
	for _, t := range []struct {
		key   string
		value time.Duration
	}{{"http.scrape_timeout", c.HTTP.ScrapeTimeout}, {"nut.every", c.NUT.Every}} {
		if t.value < minTime {
			add("%s is %v, and must be at least %v: write \"2s\" for two seconds",
				t.key, t.value, minTime)
		}
	}
	if c.NUT.Connections <= 0 {
		add("nut.connections is %d, and must be more than 0", c.NUT.Connections)
	}
	if (c.NUT.Certificate == "") != (c.NUT.Key == "") {
		add("nut.certificate and nut.key go together")
	}
	if c.History.MaxMB <= 0 {
		add("history.max_mb is %d, and must be more than 0", c.History.MaxMB)
	}
	if c.Log.Format != "logfmt" && c.Log.Format != "json" {
		add("log.format is %q, and must be \"logfmt\" or \"json\"", c.Log.Format)
	}
	return errors.Join(append(wrong, c.Units.check(), c.checkLow(), c.NUT.checkUsers(),
		c.checkGuard(), c.checkNotify())...)
}

func checkAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	return err
}

func (u *unitsConfig) check() error {
	var wrong []error
	add := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("units."+format, args...))
	}
	if slices.Contains(u.Paths, "") {
		add("paths has an empty path")
	}
	names := map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(u.Names)) {
		for _, name := range u.Names[path] {
			if !nut.ValidName(name) {
				add("names: %q is no name of a UPS: letters, digits, '-', '_' and '.'", name)
			}
			other, taken := names[strings.ToLower(name)]
			switch {
			case taken && other == path:
				add("names: the UPS at %s has the name %q twice", path, name)
			case taken:
				add("names: %q is the name of the UPSes at %s and %s", name, other, path)
			}
			names[strings.ToLower(name)] = path
		}
	}
	return errors.Join(wrong...)
}

// lowOf returns when the battery of the UPS at a path is low, beside what it says.
func (c *config) lowOf(path string) (charge float64, runTime time.Duration) {
	low, ok := c.Low[path]
	if !ok {
		low = c.Low["all"]
	}
	return low.Charge, low.Runtime
}

// nameOf returns the first name that a unit was given, or one that is made of its path.
func (u unitsConfig) nameOf(path string) string {
	if names := u.Names[path]; len(names) > 0 {
		return names[0]
	}
	return nut.DefaultName(path)
}

func (c *config) checkLow() error {
	var wrong []error
	for _, path := range slices.Sorted(maps.Keys(c.Low)) {
		low := c.Low[path]
		within := low.Charge >= 0 && low.Charge <= 100 // no number that is none is
		if !within {
			wrong = append(wrong,
				fmt.Errorf("low.%s: charge is %v, and must be from 0 to 100", path, low.Charge))
		}
		if low.Runtime != 0 && low.Runtime < time.Second {
			wrong = append(wrong, fmt.Errorf(
				"low.%s: runtime is %v, and must be at least 1s: write \"3m\" for three minutes",
				path, low.Runtime))
		}
	}
	return errors.Join(wrong...)
}

func (c *config) checkNotify() error {
	var wrong []error
	for i, n := range c.Notify {
		if err := n.Check(); err != nil {
			wrong = append(wrong, fmt.Errorf("notify %d: %w", i+1, err))
		}
	}
	return errors.Join(wrong...)
}

// historyFile returns where the history is kept; "" is in memory.
func (c *config) historyFile() string {
	if c.History.File == "" || filepath.IsAbs(c.History.File) {
		return c.History.File
	}
	return filepath.Join(c.stateDir(), c.History.File)
}

func (n *nutConfig) checkUsers() error {
	var wrong []error
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	users := map[string]bool{}
	for _, u := range n.User {
		if u.Name == "" || u.PasswordFile == "" {
			add("nut.user %q: a user needs a name and a password_file", u.Name)
		}
		if users[u.Name] {
			add("nut.user %q: there are two of that name", u.Name)
		}
		users[u.Name] = true
		if !slices.Contains([]string{"", "primary", "secondary"}, u.Upsmon) {
			add("nut.user %q: upsmon is %q, and must be \"primary\" or \"secondary\"", u.Name, u.Upsmon)
		}
	}
	return errors.Join(wrong...)
}

// server makes the configuration of the NUT server. It reads the passwords and the certificate.
func (c *config) server(log *slog.Logger, version string) (nut.Config, error) {
	served := nut.Config{
		Every: c.NUT.Every, Names: c.Units.Names, Connections: c.NUT.Connections,
		Version: version, Log: log, Limits: map[string]nut.Limits{},
	}
	for path, low := range c.Low {
		if path == "all" {
			path = ""
		}
		served.Limits[path] = nut.Limits{Charge: low.Charge, RunTime: low.Runtime}
	}
	for _, u := range c.NUT.User {
		password, err := secret.Line(u.PasswordFile)
		if err != nil {
			return nut.Config{}, fmt.Errorf("nut.user %q: %w", u.Name, err)
		}
		served.Users = append(served.Users, nut.User{
			Name: u.Name, Password: password, Commands: u.Commands, Set: u.Set, Upsmon: u.Upsmon})
	}
	if c.NUT.Certificate != "" {
		certificate := &renewed{certificate: c.NUT.Certificate, key: c.NUT.Key}
		if _, err := certificate.get(nil); err != nil {
			return nut.Config{}, fmt.Errorf("nut.certificate: %w", err)
		}
		served.TLS = &tls.Config{GetCertificate: certificate.get}
	}
	return served, nil
}

// renewed is a certificate that is read again when its file has changed.
type renewed struct {
	certificate, key string

	mu   sync.Mutex
	at   time.Time
	have *tls.Certificate
}

func (r *renewed) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	info, err := os.Stat(r.certificate)
	if err == nil && r.have != nil && info.ModTime().Equal(r.at) {
		return r.have, nil
	}
	made, loadErr := tls.LoadX509KeyPair(r.certificate, r.key)
	switch {
	case loadErr == nil && err == nil:
		r.have, r.at = &made, info.ModTime()
	case r.have == nil:
		return nil, errors.Join(err, loadErr)
	}
	return r.have, nil // the last one that was whole, while the files are being written
}

// describe says what would be served.
func (c *config) describe(served nut.Config) string {
	var text strings.Builder
	units := "every UPS attached"
	if len(c.Units.Paths) > 0 {
		units = "the UPSes at " + strings.Join(c.Units.Paths, ", ")
	}
	fmt.Fprintf(&text, "units: %s\n", units)
	show := func(what string, addresses []string, more string) {
		if len(addresses) == 0 {
			fmt.Fprintf(&text, "%s: not served\n", what)
			return
		}
		fmt.Fprintf(&text, "%s: %s%s\n", what, strings.Join(addresses, ", "), more)
	}
	show("pages and metrics", c.HTTP.Listen, "")
	more := ", for reading only"
	if len(served.Users) > 0 {
		more = ""
	}
	if served.TLS != nil {
		more += ", with STARTTLS"
	}
	show("NUT", c.NUT.Listen, more)
	for _, u := range served.Users {
		var may []string
		if u.Upsmon != "" {
			may = append(may, "upsmon "+u.Upsmon)
		}
		if u.Set {
			may = append(may, "SET")
		}
		may = append(may, u.Commands...)
		if len(may) == 0 {
			may = []string{"nothing but to read"}
		}
		fmt.Fprintf(&text, "user %s: %s\n", u.Name, strings.Join(may, ", "))
	}
	return text.String()
}
