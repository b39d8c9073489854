package notify

import (
	"context"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite/internal/command"
	"github.com/tripplite-go/tripplite/internal/events"
)

// runner runs a program for each event. The sentence is its last argument, as NUT's NOTIFYCMD has
// it.
type runner struct{ args []string }

func (r *runner) send(ctx context.Context, e events.Event, late bool) error {
	args := append(append([]string(nil), r.args...), textOf(e, late, time.Now()))
	return command.Run(ctx, args, append(inherited(), environment(e)...))
}

func (r *runner) close(context.Context) {} // send leaves nothing behind

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
