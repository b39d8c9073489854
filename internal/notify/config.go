// Package notify sends events to people and to programs: by the services of
// github.com/nicholas-fedor/shoutrrr, such as mail, ntfy, Slack and Telegram, and by commands.
// docs/notify.md tells how it is used.
package notify

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite/internal/events"
	"github.com/tripplite-go/tripplite/internal/secret"
)

// Config is a [[notify]] table of tripplited's file: one target, and what it is told.
type Config struct {
	// URL is a shoutrrr URL. One with a secret belongs into a file that others cannot read.
	URL     string `toml:"url"`
	URLFile string `toml:"url_file"`
	// Command is a program with its arguments, which is run without a shell.
	Command []string `toml:"command"`
	// Timeout is how long one try may take; 0 is 30 s.
	Timeout time.Duration `toml:"timeout"`
	// Events and Units say what the target is told; empty is all. A unit is a name or a path.
	Events []events.Kind `toml:"events"`
	Units  []string      `toml:"units"`
}

const (
	defaultTimeout = 30 * time.Second
	minTimeout     = time.Second
	maxTimeout     = 10 * time.Minute
)

// String names the target without a secret. Arguments of a command may be secret, too.
func (c Config) String() string {
	switch {
	case len(c.Command) > 0:
		return "command " + c.Command[0]
	case c.URLFile != "" && !c.misplaced():
		return "url_file " + c.URLFile
	case c.URLFile != "":
		return "url_file"
	}
	return "url"
}

// misplaced reports whether a URL stands where the name of its file should.
func (c Config) misplaced() bool { return strings.Contains(c.URLFile, ":/") }

// GoString keeps a secret out of what %#v prints.
func (c Config) GoString() string { return c.String() }

// Check returns what is wrong with the values. [New] also reads the file and the URL.
func (c Config) Check() error {
	var wrong []error
	add := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("%v: "+format, append([]any{c}, args...)...))
	}
	targets := 0
	for _, has := range []bool{c.URL != "", c.URLFile != "", len(c.Command) > 0} {
		if has {
			targets++
		}
	}
	if targets != 1 {
		wrong = append(wrong, errors.New("it needs one of url, url_file and command, and no other"))
	}
	if c.misplaced() {
		add("it is a URL: write that into a file, and the name of the file here")
	}
	if len(c.Command) > 0 && c.Command[0] == "" {
		add("the command has no program")
	}
	if c.Timeout != 0 && (c.Timeout < minTimeout || c.Timeout > maxTimeout) {
		add("timeout is %v, and must be from %v to %v: write \"30s\" for thirty seconds",
			c.Timeout, minTimeout, maxTimeout)
	}
	for _, kind := range c.Events {
		if !slices.Contains(events.Kinds(), kind) {
			add("there is no event %q; there are %q", kind, events.Kinds())
		}
	}
	if slices.Contains(c.Units, "") {
		add("units has an empty name")
	}
	return errors.Join(wrong...)
}

// wants reports whether the target is told an event. One that is of no unit goes to all.
func (c Config) wants(e events.Event) bool {
	if len(c.Events) > 0 && !slices.Contains(c.Events, e.Kind) {
		return false
	}
	return len(c.Units) == 0 || e.Path == "" && e.Name == "" || slices.ContainsFunc(c.Units,
		func(unit string) bool { return unit == e.Path || strings.EqualFold(unit, e.Name) })
}

// open makes what sends to the target, and returns its name for the log. Neither the name nor an
// error has a secret.
func (c Config) open() (to sender, name string, err error) {
	if err := c.Check(); err != nil {
		return nil, "", err
	}
	if len(c.Command) > 0 {
		if _, err := exec.LookPath(c.Command[0]); err != nil {
			return nil, "", err
		}
		return &runner{args: c.Command}, c.String(), nil
	}
	url := c.URL
	if c.URLFile != "" {
		if url, err = secret.Line(c.URLFile); err != nil {
			return nil, "", err
		}
	}
	s, err := newService(url)
	if err != nil {
		return nil, "", fmt.Errorf("%v: %w", c, err)
	}
	return s, fmt.Sprintf("%s (%v)", s.scheme, c), nil
}

// Open reads the URL and checks it, or looks for the program, and returns why it cannot be used. No
// error has a secret.
func (c Config) Open() error {
	to, _, err := c.open()
	if err == nil {
		to.close(context.Background())
	}
	return err
}

func (c Config) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return defaultTimeout
}
