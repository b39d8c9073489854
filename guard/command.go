package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// mostOutput is how much of a command's output an error has.
const mostOutput = 4096

// runCommand runs a command with some more variables, until ctx is done: then it is killed with
// what it started.
func runCommand(ctx context.Context, command []string, env ...string) error {
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Env = append(os.Environ(), env...)
	var output limited
	c.Stdout, c.Stderr = &output, &output
	killAll(c)
	c.WaitDelay = grace / 2
	// What it leaves running in the background may hold its output open: it has ended well all the
	// same.
	if err := c.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		if text := bytes.TrimSpace(output.text); len(text) > 0 {
			return fmt.Errorf("%w: %s", err, text)
		}
		return err
	}
	return nil
}

// limited keeps the end of what is written to it.
type limited struct{ text []byte }

func (l *limited) Write(p []byte) (int, error) {
	l.text = append(l.text, p...)
	if more := len(l.text) - mostOutput; more > 0 {
		l.text = append(l.text[:0], l.text[more:]...)
	}
	return len(p), nil
}

// Command makes a function that runs a command, for [PowerOff].
func Command(args []string) func(context.Context) error {
	return func(ctx context.Context) error { return runCommand(ctx, args) }
}
