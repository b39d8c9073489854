package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite/internal/events"
)

// command runs a program for each event, without a shell. The sentence is its last argument, as
// NUT's NOTIFYCMD has it.
type command struct{ args []string }

const (
	maxOutput = 4 << 10
	// outputWait is how long a child that outlives the program may hold its output.
	outputWait = time.Second
)

func (c *command) send(ctx context.Context, e events.Event, late bool) error {
	args := append(append([]string(nil), c.args[1:]...), textOf(e, late, time.Now()))
	cmd := exec.CommandContext(ctx, c.args[0], args...)
	cmd.Env = append(inherited(), environment(e)...)
	output := &limited{}
	cmd.Stdout, cmd.Stderr = output, output
	cmd.WaitDelay = outputWait
	group(cmd)
	err := cmd.Run()
	switch said := clean(output.kept.String()); {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("it was killed: it took too long%s", quoted(said))
	default:
		return fmt.Errorf("%w%s", err, quoted(said))
	}
}

func quoted(said string) string {
	if said == "" {
		return ""
	}
	return fmt.Sprintf("; it wrote %q", said)
}

func (c *command) close(context.Context) {} // send leaves nothing behind

// limited keeps the beginning of what is written to it.
type limited struct{ kept bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.kept.Write(p[:min(len(p), maxOutput-l.kept.Len())])
	return len(p), nil
}

// inherited is what a program gets of this one's environment, which may hold secrets and systemd's
// sockets.
func inherited() []string {
	var env []string
	for _, name := range []string{
		"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT", "TEMP", "TMP",
	} {
		if value, has := os.LookupEnv(name); has {
			env = append(env, name+"="+value)
		}
	}
	if runtime.GOOS == "windows" && os.Getenv("PATHEXT") != "" {
		env = append(env, "PATHEXT="+os.Getenv("PATHEXT"))
	}
	return env
}

// environment tells a program about an event. docs/notify.md has the table.
func environment(e events.Event) []string {
	var env []string
	add := func(name, value string) { env = append(env, name+"="+clean(value)) }
	if word := words[e.Kind].nut; word != "" {
		add("NOTIFYTYPE", word)
	}
	add("UPSNAME", unitOf(e))
	add("TRIPPLITE_EVENT", string(e.Kind))
	add("TRIPPLITE_TEXT", e.Text)
	add("TRIPPLITE_UNIT", unitOf(e))
	add("TRIPPLITE_PATH", e.Path)
	add("TRIPPLITE_TIME", e.Time.Format(time.RFC3339))
	for field, datum := range e.State.All() {
		add(variable(field.Key), datum.String())
	}
	return env
}

// variable names a reading: "input.voltage" is TRIPPLITE_INPUT_VOLTAGE.
func variable(key string) string {
	return "TRIPPLITE_" + strings.ToUpper(strings.NewReplacer(".", "_", " ", "_").Replace(key))
}
