package nut

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tripplite-go/tripplite"
)

// How long a client may be silent, may take to finish a line it has begun, and to take an answer.
// Home Assistant asks once a minute on one connection, so an idle one is kept for longer than upsd
// keeps it.
const (
	idleTimeout   = 10 * time.Minute
	lineTimeout   = 10 * time.Second
	answerTimeout = 10 * time.Second
	// maxQueued is how many bytes of answers may wait for a client.
	maxQueued = 64 << 10
	// failureDelay is how long every failed login waits, whatever was wrong with it.
	failureDelay = time.Second
)

// session is one connection.
type session struct {
	server    *Server
	raw       net.Conn // as it came; others may close it
	conn      net.Conn // the same, or what STARTTLS made of it
	address   string
	in        *bufio.Reader
	out       *bufio.Writer
	last      atomic.Int64           // when it last said something
	monitored atomic.Pointer[string] // the path of the unit that it is logged in to

	secure         bool
	name, password *string
	tracks         bool
}

func newSession(s *Server, conn net.Conn) *session {
	c := &session{server: s, raw: conn}
	c.address, _, _ = net.SplitHostPort(conn.RemoteAddr().String())
	c.last.Store(time.Now().UnixNano())
	if tcp, ok := conn.(*net.TCPConn); ok {
		// The kernel would hold megabytes of answers for a client that does not read. A failure shows in
		// the next read or write.
		_ = tcp.SetWriteBuffer(maxQueued)
	}
	c.use(conn)
	return c
}

func (c *session) use(conn net.Conn) {
	c.conn = conn
	c.in, c.out = bufio.NewReaderSize(conn, maxLine), bufio.NewWriter(conn)
}

// serve answers line by line until the client leaves.
func (c *session) serve() {
	defer func() { c.conn.Close() }()
	for {
		line, err := c.line()
		if err != nil && err != errLine {
			return
		}
		c.last.Store(time.Now().UnixNano())
		// A long answer is flushed as it is made.
		_ = c.conn.SetWriteDeadline(time.Now().Add(answerTimeout))
		goOn := true
		if err == errLine {
			c.fail("INVALID-ARGUMENT")
		} else {
			goOn = c.answer(line)
		}
		if goOn && c.hasLine() && c.out.Available() > c.out.Size()/2 {
			continue // the answers to several lines go out together
		}
		if c.out.Flush() != nil || !goOn {
			return
		}
		runtime.Gosched() // so that clients which flood keep no other waiting for a whole time slice
	}
}

// hasLine reports whether a whole line has come already.
func (c *session) hasLine() bool {
	come, _ := c.in.Peek(c.in.Buffered())
	return bytes.IndexByte(come, '\n') >= 0
}

// line returns the next line. One that is too long is read to its end and is errLine.
func (c *session) line() (string, error) {
	if c.in.Buffered() == 0 {
		_ = c.conn.SetReadDeadline(time.Now().Add(idleTimeout))
		if _, err := c.in.Peek(1); err != nil {
			return "", err
		}
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(lineTimeout))
	line, err := c.in.ReadSlice('\n')
	if err == nil {
		return string(line[:len(line)-1]), nil
	}
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = c.in.ReadSlice('\n')
	}
	if err != nil {
		return "", err
	}
	return "", errLine
}

func (c *session) say(format string, args ...any) { fmt.Fprintf(c.out, format+"\n", args...) }
func (c *session) fail(word string)               { c.say("ERR %s", word) }

// request is a command of a client, and which words it has.
type request struct {
	do          func(c *session, args []string)
	least, most int // words behind its name
}

// requests has every command, by its words in capitals.
var requests = map[string]request{
	"VER": {func(c *session, _ []string) {
		c.say("Network UPS Tools upsd %s - https://github.com/tripplite-go/tripplite", nutVersion)
	}, 0, 0},
	"NETVER":  {func(c *session, _ []string) { c.say("1.3") }, 0, 0},
	"PROTVER": {func(c *session, _ []string) { c.say("1.3") }, 0, 0},
	"HELP": {func(c *session, _ []string) {
		c.say("Commands: HELP VER GET LIST SET INSTCMD LOGIN LOGOUT USERNAME PASSWORD STARTTLS")
	}, 0, 0},
	"USERNAME": {(*session).username, 1, 1},
	"PASSWORD": {(*session).givePassword, 1, 1},
	"LOGIN":    {(*session).login, 1, 1},
	"PRIMARY":  {primary("PRIMARY"), 1, 1},
	"MASTER":   {primary("MASTER"), 1, 1},
	"FSD":      {(*session).setFSD, 1, 1},
	"INSTCMD":  {(*session).instantCommand, 2, 3},

	"GET NUMLOGINS": {withUnit(false, (*session).numLogins), 1, 1},
	"GET UPSDESC":   {withUnit(true, (*session).description), 1, 1},
	"GET VAR":       {(*session).getVar, 2, 2},
	"GET TYPE":      {withUnit(false, (*session).getType), 2, 2},
	"GET DESC":      {withUnit(false, (*session).getDesc), 2, 2},
	"GET CMDDESC":   {withUnit(false, (*session).getCommandDesc), 2, 2},
	"GET TRACKING":  {(*session).getTracking, 0, 1},
	"SET TRACKING":  {(*session).setTracking, 1, 1},
	"SET VAR":       {(*session).setVar, 3, 3},
	"LIST UPS":      {(*session).listUnits, 0, 0},
	"LIST VAR":      {withUnit(false, list("VAR", (*session).variablesOf)), 1, 1},
	"LIST RW":       {withUnit(false, list("RW", (*session).writable)), 1, 1},
	"LIST CMD":      {withUnit(false, list("CMD", (*session).commandItems)), 1, 1},
	"LIST ENUM":     {withUnit(false, list("ENUM", (*session).choices)), 2, 2},
	"LIST RANGE":    {withUnit(false, list("RANGE", (*session).ranges)), 2, 2},
	"LIST CLIENT":   {withUnit(true, list("CLIENT", (*session).clientItems)), 1, 1},
}

// nutVersion is the version of upsd whose protocol this is.
const nutVersion = "2.8.0"

// answer answers a line. It reports whether the session goes on.
func (c *session) answer(line string) bool {
	words, err := split(line)
	if err != nil {
		c.fail("INVALID-ARGUMENT")
		return true
	}
	if len(words) == 0 {
		c.fail("UNKNOWN-COMMAND")
		return true
	}
	switch name := strings.ToUpper(words[0]); name {
	case "LOGOUT":
		c.say("OK Goodbye")
		return false
	case "STARTTLS":
		return c.startTLS(len(words) - 1)
	case "GET", "SET", "LIST":
		if len(words) < 2 {
			c.fail("INVALID-ARGUMENT")
			return true
		}
		c.request(name+" "+strings.ToUpper(words[1]), words[2:], "INVALID-ARGUMENT")
	default:
		c.request(name, words[1:], "UNKNOWN-COMMAND")
	}
	return true
}

func (c *session) request(name string, args []string, unknown string) {
	r, ok := requests[name]
	switch {
	case !ok || strings.Contains(name, " ") != (unknown == "INVALID-ARGUMENT"):
		c.fail(unknown)
	case len(args) < r.least || len(args) > r.most:
		c.fail("INVALID-ARGUMENT")
	default:
		r.do(c, args)
	}
}

// startTLS goes on encrypted, if the server has a certificate.
func (c *session) startTLS(args int) bool {
	switch {
	case args > 0:
		c.fail("INVALID-ARGUMENT")
		return true
	case c.secure:
		c.fail("ALREADY-SSL-MODE")
		return true
	case c.server.config.TLS == nil:
		c.fail("FEATURE-NOT-CONFIGURED")
		return true
	}
	c.say("OK STARTTLS")
	deadline := time.Now().Add(lineTimeout)
	_ = c.conn.SetDeadline(deadline)
	// What came before the handshake in clear text is not taken for encrypted.
	if c.out.Flush() != nil || c.in.Buffered() > 0 {
		return false
	}
	conn := tls.Server(c.conn, c.server.config.TLS)
	if conn.Handshake() != nil {
		return false
	}
	_ = conn.SetDeadline(time.Time{})
	c.secure = true
	c.use(conn)
	return true
}

func (c *session) username(args []string) {
	if c.name != nil {
		c.fail("ALREADY-SET-USERNAME")
		return
	}
	c.name = &args[0]
	c.say("OK")
}

func (c *session) givePassword(args []string) {
	if c.password != nil {
		c.fail("ALREADY-SET-PASSWORD")
		return
	}
	c.password = &args[0]
	c.say("OK")
}

// named reports whether the client has given a name and a password. Otherwise it answers.
func (c *session) named() bool {
	switch {
	case c.name == nil:
		c.fail("USERNAME-REQUIRED")
	case c.password == nil:
		c.fail("PASSWORD-REQUIRED")
	}
	return c.name != nil && c.password != nil
}

// authorized returns the user if he may do something. Otherwise it answers. Every failure takes the
// same time, and is logged.
func (c *session) authorized(action string, may func(*User) bool) (User, bool) {
	if !c.named() {
		return User{}, false
	}
	user, ok := c.server.login(*c.name, *c.password)
	if ok && may(&user) {
		return user, true
	}
	c.server.log.Warn("access denied", "user", *c.name, "address", c.address, "action", action)
	select {
	case <-time.After(failureDelay):
	case <-c.server.ctx.Done():
	}
	c.fail("ACCESS-DENIED")
	return User{}, false
}

// unit returns the unit with a name, or answers that there is none.
func (c *session) unit(name string, alsoStale bool) (unit, bool) {
	u, ok := c.server.memory.find(name)
	switch {
	case !ok:
		c.fail("UNKNOWN-UPS")
		return unit{}, false
	case !alsoStale && u.stale(time.Now()):
		c.fail("DATA-STALE")
		return unit{}, false
	}
	u.version = c.server.config.Version
	return u, true
}

// withUnit makes a request about the unit that its first word names.
func withUnit(alsoStale bool, do func(*session, *unit, []string)) func(*session, []string) {
	return func(c *session, args []string) {
		if u, ok := c.unit(args[0], alsoStale); ok {
			do(c, &u, args)
		}
	}
}

func (c *session) login(args []string) {
	u, ok := c.unit(args[0], true)
	if !ok {
		return
	}
	user, ok := c.authorized("LOGIN "+args[0], (*User).monitors)
	switch {
	case !ok:
	case c.monitored.Load() != nil:
		c.fail("ALREADY-LOGGED-IN")
	default:
		c.server.log.Info("login", "user", user.Name, "address", c.address, "ups", args[0])
		c.monitored.Store(&u.info.Path)
		c.say("OK")
	}
}

// primary makes the request by which an upsmon asks whether it may set FSD.
func primary(word string) func(*session, []string) {
	return func(c *session, args []string) {
		if _, ok := c.unit(args[0], true); !ok {
			return
		}
		if _, ok := c.authorized(word+" "+args[0], isPrimary); ok {
			c.say("OK %s-GRANTED", word)
		}
	}
}

func isPrimary(u *User) bool { return u.Upsmon == "primary" }

func (c *session) setFSD(args []string) {
	u, ok := c.unit(args[0], true)
	if !ok {
		return
	}
	user, ok := c.authorized("FSD "+args[0], isPrimary)
	if !ok {
		return
	}
	c.server.log.Warn("FSD: every upsmon of the UPS shuts its host down",
		"user", user.Name, "address", c.address, "ups", args[0])
	c.server.memory.update(u.info.Path, func(u *unit) { u.fsd = true })
	c.say("OK FSD-SET")
}

func (c *session) numLogins(u *unit, args []string) {
	c.say("NUMLOGINS %s %d", args[0], len(c.server.Clients(u.info.Path)))
}

// describeUnit returns what a unit is, in a few words.
func describeUnit(u *unit) string {
	text := strings.TrimSpace(u.info.Manufacturer + " " + u.info.Model())
	if text == "" {
		return "Tripp Lite UPS at " + u.info.Path
	}
	return text
}

func (c *session) description(u *unit, args []string) {
	c.say("UPSDESC %s %s", args[0], quote(describeUnit(u)))
}

func (c *session) getVar(args []string) {
	switch strings.ToLower(args[1]) { // of any UPS
	case "server.info":
		c.say("VAR %s %s %s", args[0], args[1], quote("tripplite "+c.server.config.Version))
		return
	case "server.version":
		c.say("VAR %s %s %s", args[0], args[1], quote(nutVersion))
		return
	}
	u, ok := c.unit(args[0], false)
	if !ok {
		return
	}
	v, ok := find(args[1])
	text := ""
	if ok {
		text, ok = v.of(&u)
	}
	if !ok {
		c.fail("VAR-NOT-SUPPORTED")
		return
	}
	c.say("VAR %s %s %s", args[0], args[1], quote(text))
}

func (c *session) getType(u *unit, args []string) {
	v, ok := find(args[1])
	text := ""
	if ok {
		text, ok = v.of(u)
	}
	if !ok {
		c.fail("VAR-NOT-SUPPORTED")
		return
	}
	words := []string{"TYPE", args[0], args[1]}
	if c.server.sets(u, v.name) {
		words = append(words, "RW", settable[v.name].kind())
	}
	switch {
	case v.text:
		words = append(words, "STRING:"+strconv.Itoa(max(len(text), 64)))
	default:
		words = append(words, "NUMBER")
	}
	c.say("%s", strings.Join(words, " "))
}

func (c *session) getDesc(_ *unit, args []string) {
	text := "Description unavailable"
	if v, ok := find(args[1]); ok {
		text = v.describe()
	}
	c.say("DESC %s %s %s", args[0], args[1], quote(text))
}

func (c *session) getCommandDesc(u *unit, args []string) {
	text := "Description unavailable"
	name := strings.ToLower(args[1])
	if is, ok := nutNames[name]; ok {
		name = is
	}
	for _, info := range u.commands {
		if info.Name == name {
			text = info.Text
		}
	}
	c.say("CMDDESC %s %s %s", args[0], args[1], quote(text))
}

func (c *session) listUnits([]string) {
	c.say("BEGIN LIST UPS")
	for _, u := range c.server.memory.list() {
		c.say("UPS %s %s", u.names[0], quote(describeUnit(&u)))
	}
	c.say("END LIST UPS")
}

// list makes a request whose answer is a list.
func list(
	what string, items func(*session, *unit, []string) ([]string, bool),
) func(*session, *unit, []string) {
	return func(c *session, u *unit, args []string) {
		lines, ok := items(c, u, args)
		if !ok {
			c.fail("VAR-NOT-SUPPORTED")
			return
		}
		c.say("BEGIN LIST %s %s", what, strings.Join(args, " "))
		for _, line := range lines {
			c.say("%s %s %s", what, strings.Join(args, " "), line)
		}
		c.say("END LIST %s %s", what, strings.Join(args, " "))
	}
}

func (c *session) variablesOf(u *unit, _ []string) (lines []string, ok bool) {
	for i := range variables {
		if text, known := variables[i].of(u); known {
			lines = append(lines, variables[i].name+" "+quote(text))
		}
	}
	return lines, true
}

func (c *session) writable(u *unit, _ []string) (lines []string, ok bool) {
	for i := range variables {
		v := &variables[i]
		if text, known := v.of(u); known && c.server.sets(u, v.name) {
			lines = append(lines, v.name+" "+quote(text))
		}
	}
	return lines, true
}

func (c *session) commandItems(u *unit, _ []string) ([]string, bool) {
	return c.server.commandsOf(u), true
}

func (c *session) choices(u *unit, args []string) (lines []string, ok bool) {
	v, ok := find(args[1])
	if ok && v.name == "ups.start.auto" {
		lines = []string{quote("yes"), quote("no")}
	}
	return lines, ok
}

func (c *session) ranges(u *unit, args []string) (lines []string, ok bool) {
	v, ok := find(args[1])
	if r, has := settable[v.name]; ok && has && r.most > 0 {
		lines = []string{fmt.Sprintf("%s %s", quote(strconv.Itoa(r.least)), quote(strconv.Itoa(r.most)))}
	}
	return lines, ok
}

func (c *session) clientItems(u *unit, _ []string) ([]string, bool) {
	return c.server.Clients(u.info.Path), true
}

func (c *session) setTracking(args []string) {
	if _, ok := c.authorized("SET TRACKING", func(*User) bool { return true }); !ok {
		return
	}
	switch strings.ToUpper(args[0]) {
	case "ON":
		c.tracks = true
	case "OFF":
		c.tracks = false
	default:
		c.fail("INVALID-ARGUMENT")
		return
	}
	c.say("OK")
}

func (c *session) getTracking(args []string) {
	switch {
	case len(args) == 0 && c.tracks:
		c.say("ON")
	case len(args) == 0:
		c.say("OFF")
	case !c.tracks:
		c.fail("FEATURE-NOT-CONFIGURED")
	default:
		c.server.mu.Lock()
		text := c.server.tracking.result(args[0], time.Now())
		c.server.mu.Unlock()
		c.say("%s", text)
	}
}

// handOver answers and has a unit do something. What came of it goes to whoever tracks it.
func (c *session) handOver(what string, user User, do func() error) {
	s := c.server
	s.mu.Lock()
	id := s.tracking.begin(time.Now())
	s.mu.Unlock()
	s.log.Info(what, "user", user.Name, "address", c.address)
	s.running.Go(func() {
		err := do()
		text := "SUCCESS"
		if err != nil {
			text = "ERR FAILED"
			s.log.Error(what+" failed", "user", user.Name, "address", c.address, "err", err)
		}
		if errors.Is(err, tripplite.ErrRefused) {
			text = "ERR INVALID-ARGUMENT"
		}
		s.mu.Lock()
		s.tracking.end(id, text)
		s.mu.Unlock()
	})
	if c.tracks {
		c.say("OK TRACKING %s", id)
	} else {
		c.say("OK")
	}
}

func (c *session) instantCommand(args []string) {
	u, ok := c.unit(args[0], false)
	if !ok || !c.named() {
		return
	}
	name := strings.ToLower(args[1])
	if !slices.Contains(c.server.commandsOf(&u), name) {
		c.fail("CMD-NOT-SUPPORTED")
		return
	}
	mayGive := func(user *User) bool { return user.may(name) }
	user, ok := c.authorized("INSTCMD "+args[0]+" "+name, mayGive)
	if !ok {
		return
	}
	command, err := commandOf(&u, name, args[2:])
	if err != nil {
		c.fail("INVALID-ARGUMENT")
		return
	}
	c.handOver(fmt.Sprintf("INSTCMD %s %s", args[0], strings.Join(args[1:], " ")), user,
		func() error { return c.server.do(u.info.Path, command) })
}

// commandOf makes a command of NUT's name and parameter. The times are those of ups.delay.shutdown
// and ups.delay.start where the client gives none.
func commandOf(u *unit, name string, parameter []string) (tripplite.Command, error) {
	seconds := 0
	if len(parameter) > 0 {
		n, err := strconv.Atoi(parameter[0])
		if err != nil || n < 1 || n > 0xfffe {
			return tripplite.Command{}, errLine
		}
		seconds = n
	}
	c := tripplite.Command{Name: name}
	if is, ok := nutNames[name]; ok {
		c.Name = is
	}
	named := func(info tripplite.CommandInfo) bool { return info.Name == c.Name }
	i := slices.IndexFunc(u.commands, named)
	if i < 0 {
		return c, errLine
	}
	info := u.commands[i]
	after, off := u.delays.shutdown, max(u.delays.start-u.delays.shutdown, 1)
	switch c.Name {
	case tripplite.LoadOn:
		after = u.delays.start
	case tripplite.ShutdownReboot:
		off = 10 // as NUT does
	case tripplite.Watchdog:
		after = 60
	}
	if info.After.Most > 0 && (!info.After.Optional || name != c.Name) {
		if seconds > 0 {
			after = seconds
		}
		c.After = time.Duration(after) * time.Second
	} else if seconds > 0 && info.For.Most == 0 {
		return c, errLine
	}
	if info.For.Most > 0 {
		if seconds > 0 && info.After.Most == 0 {
			off = seconds
		}
		c.For = time.Duration(off) * time.Second
	}
	return c, nil
}

// bounds are those of a variable that SET VAR takes; without them it is "yes" or "no".
type bounds struct{ least, most int }

func (b bounds) kind() string {
	if b.most > 0 {
		return "RANGE"
	}
	return "ENUM"
}

// settable are the variables that SET VAR takes.
var settable = map[string]bounds{
	"ups.delay.shutdown": {5, 0xfffe},
	"ups.delay.start":    {1, 0xfffe},
	"ups.id":             {1, 0xfffe},
	"ups.start.auto":     {},
}

// sets reports whether a variable of a unit can be set by some user.
func (s *Server) sets(u *unit, name string) bool {
	_, ok := settable[name]
	if !ok || !slices.ContainsFunc(s.config.Users, func(u User) bool { return u.Set }) {
		return false
	}
	switch name {
	case "ups.id":
		return u.takes(tripplite.SetUnitID)
	case "ups.start.auto":
		return u.takes(tripplite.SetAutoRestart)
	}
	return true
}

func (c *session) setVar(args []string) {
	u, ok := c.unit(args[0], false)
	if !ok {
		return
	}
	user, ok := c.authorized("SET VAR "+args[0]+" "+args[1], func(user *User) bool { return user.Set })
	if !ok {
		return
	}
	v, ok := find(args[1])
	if ok {
		_, ok = v.of(&u)
	}
	switch {
	case !ok:
		c.fail("VAR-NOT-SUPPORTED")
		return
	case !c.server.sets(&u, v.name):
		c.fail("READONLY")
		return
	case len(args[2]) > 10:
		c.fail("TOO-LONG")
		return
	}
	bounds := settable[v.name]
	n, err := strconv.Atoi(args[2])
	if v.name == "ups.start.auto" {
		n, err = map[string]int{"yes": 1}[args[2]], nil
		if args[2] != "yes" && args[2] != "no" {
			err = errLine
		}
	}
	if err != nil || bounds.most > 0 && (n < bounds.least || n > bounds.most) {
		c.fail("INVALID-VALUE")
		return
	}
	c.handOver(fmt.Sprintf("SET VAR %s %s %d", args[0], v.name, n), user, func() error {
		switch v.name {
		case "ups.id":
			return c.server.do(u.info.Path, tripplite.Command{Name: tripplite.SetUnitID, Value: float64(n)})
		case "ups.start.auto":
			return c.server.do(u.info.Path,
				tripplite.Command{Name: tripplite.SetAutoRestart, Value: float64(n)})
		case "ups.delay.shutdown":
			c.server.memory.update(u.info.Path, func(u *unit) { u.delays.shutdown = n })
		case "ups.delay.start":
			c.server.memory.update(u.info.Path, func(u *unit) { u.delays.start = n })
		}
		return nil
	})
}
