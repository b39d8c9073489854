package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/tripplite-go/tripplite/nut"
)

// config is the configuration file. deploy/tripplited.toml explains each key.
type config struct {
	Units unitsConfig
	HTTP  httpConfig
	NUT   nutConfig
	Low   map[string]lowConfig
	Log   logConfig
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

type logConfig struct {
	Level  slog.Level
	Format string
}

// defaults is what is served without a file: what only reads, on this computer alone.
func defaults() config {
	return config{
		HTTP: httpConfig{Listen: []string{"127.0.0.1:6969"}, ScrapeTimeout: 10 * time.Second},
		NUT:  nutConfig{Listen: []string{"127.0.0.1:3493"}, Every: 2 * time.Second, Connections: 1024},
		Log:  logConfig{Format: "logfmt"},
	}
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
	var syntax toml.ParseError
	if errors.As(err, &syntax) {
		return fmt.Errorf("line %d: %s", syntax.Position.Line, syntax.Message)
	}
	if err != nil {
		return err
	}
	var wrong []error
	for _, key := range known.Undecoded() {
		wrong = append(wrong, fmt.Errorf("line %d: there is no key %q", lineOf(text, key.String()), key))
	}
	return errors.Join(append(wrong, c.check())...)
}

// lineOf returns the line on which a key stands, or 0.
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

// check returns what is wrong with the values.
func (c *config) check() error {
	var wrong []error
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	for _, address := range slices.Concat(c.HTTP.Listen, c.NUT.Listen) {
		if _, _, err := net.SplitHostPort(address); err != nil {
			add("%q is no address to listen at: %w", address, err)
		}
	}
	if slices.Contains(c.Units.Paths, "") {
		add("units.paths has an empty path")
	}
	names := map[string]string{}
	for path, list := range c.Units.Names {
		for _, name := range list {
			if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" ||
				name == "" {
				add("units.names: %q is no name of a UPS: letters, digits, '-', '_' and '.'", name)
			}
			if other, taken := names[strings.ToLower(name)]; taken {
				add("units.names: %q is the name of the UPSes at %s and %s", name, other, path)
			}
			names[strings.ToLower(name)] = path
		}
	}
	if c.HTTP.ScrapeTimeout <= 0 || c.NUT.Every <= 0 || c.NUT.Connections <= 0 {
		add("http.scrape_timeout, nut.every and nut.connections must be more than 0")
	}
	if (c.NUT.Certificate == "") != (c.NUT.Key == "") {
		add("nut.certificate and nut.key go together")
	}
	if c.Log.Format != "logfmt" && c.Log.Format != "json" {
		add("log.format is %q, and must be \"logfmt\" or \"json\"", c.Log.Format)
	}
	users := map[string]bool{}
	for _, u := range c.NUT.User {
		if u.Name == "" || u.PasswordFile == "" {
			add("a nut.user needs a name and a password_file")
		}
		if users[u.Name] {
			add("there are two nut.user %q", u.Name)
		}
		users[u.Name] = true
		if !slices.Contains([]string{"", "primary", "secondary"}, u.Upsmon) {
			add("the upsmon of nut.user %q is %q, and must be \"primary\" or \"secondary\"", u.Name, u.Upsmon)
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
		password, err := readPassword(u.PasswordFile)
		if err != nil {
			return nut.Config{}, fmt.Errorf("nut.user %q: %w", u.Name, err)
		}
		served.Users = append(served.Users, nut.User{
			Name: u.Name, Password: password, Commands: u.Commands, Set: u.Set, Upsmon: u.Upsmon})
	}
	if c.NUT.Certificate != "" {
		certificate := &renewed{certificate: c.NUT.Certificate, key: c.NUT.Key}
		if _, err := certificate.get(nil); err != nil {
			return nut.Config{}, err
		}
		served.TLS = &tls.Config{GetCertificate: certificate.get}
	}
	return served, nil
}

// readPassword reads the first line of a file that others cannot read.
func readPassword(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(file); err == nil && runtime.GOOS != "windows" && info.Mode()&0o007 != 0 {
		return "", fmt.Errorf("%s can be read by everybody: chmod o= %[1]s", file)
	}
	password, _, _ := strings.Cut(string(text), "\n")
	password = strings.TrimSuffix(password, "\r")
	if password == "" {
		return "", fmt.Errorf("%s has no password in its first line", file)
	}
	return password, nil
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
		fmt.Fprintf(&text, "user %s: %s\n", u.Name,
			strings.Join(append(may, u.Commands...), ", "))
	}
	return text.String()
}
