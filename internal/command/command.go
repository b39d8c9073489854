// Package command runs programs that the configuration names.
package command

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
	"unicode"
)

const (
	// mostOutput is how much of a program's output an error has, in bytes.
	mostOutput = 4 << 10
	// outputWait is how long what outlives the program may hold its output open.
	outputWait = time.Second
)

// Run runs a program with these arguments and variables, without a shell. When ctx is done, it is
// killed, on Unix with what it started. The error has the end of what it wrote. A program that
// leaves something running has not failed.
func Run(ctx context.Context, args, env []string) error {
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Env = env
	var output limited
	c.Stdout, c.Stderr = &output, &output
	c.WaitDelay = outputWait
	group(c)
	err := c.Run()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case ctx.Err() != nil:
		err = fmt.Errorf("it was killed: %w", context.Cause(ctx))
	}
	if text := output.line(); text != "" {
		return fmt.Errorf("%w: %s", err, text)
	}
	return err
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

// line returns the text in one line, for a log.
func (l *limited) line() string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(l.text), "")))
}
