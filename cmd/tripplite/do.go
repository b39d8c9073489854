package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/tripplite-go/tripplite"
)

// commandNames has what some unit takes. The protocol of product 0001 has eight groups of outlets.
var commandNames = func() []string {
	names := []string{
		tripplite.BeeperEnable, tripplite.BeeperDisable, tripplite.BeeperMute,
		tripplite.TestQuick, tripplite.TestDeep, tripplite.TestStop,
		tripplite.LoadOff, tripplite.LoadOn,
		tripplite.ShutdownReturn, tripplite.ShutdownStay, tripplite.ShutdownReboot,
		tripplite.ShutdownStop, tripplite.Watchdog, tripplite.WatchdogStop,
		tripplite.ResetMinMax, tripplite.SetAutoRestart, tripplite.SetUnitID,
	}
	for outlet := 1; outlet <= 8; outlet++ {
		for _, end := range []string{tripplite.LoadOff, tripplite.LoadOn} {
			names = append(names, fmt.Sprintf("outlet.%d.%s", outlet, end))
		}
	}
	return names
}()

func sets(command string) bool { return strings.HasPrefix(command, "set.") }

type commandsCommand struct{}

func (commandsCommand) Run(s *session) error {
	b, err := s.only()
	if err != nil {
		return err
	}
	defer b.Close()
	ctx, cancel := context.WithTimeout(s.ctx, readTimeout)
	defer cancel()
	list, err := b.Commands(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("%s: no command is known that this UPS takes", b.Info().Path)
	}
	rows := [][]string{{"COMMAND", "TIMES", "CUTS LOAD", "WHAT IT DOES NOW"}}
	for _, info := range list {
		cuts, does := "no", info.Text
		if info.CutsLoad {
			cuts = "may"
		}
		if info.Name == tripplite.Watchdog {
			does += " Not given by this program, whose end would stop it."
		}
		if info.Refused != nil {
			does += fmt.Sprintf(" Refused: %v.", info.Refused)
		}
		rows = append(rows, []string{dashed(info.Name), flagsOf(info), cuts, does})
	}
	width := math.MaxInt // a program wants a line for each command
	if terminal := terminalFile(s.stdout); terminal != nil {
		width, _, _ = term.GetSize(int(terminal.Fd()))
		width = max(width, columns)
	}
	_, err = io.WriteString(s.stdout, table(rows, width))
	return err
}

// flagsOf returns the flags that a command takes on a unit.
func flagsOf(info tripplite.CommandInfo) string {
	flag := func(name string, t tripplite.Times) string {
		if t.Most == 0 {
			return ""
		}
		text := fmt.Sprintf("%s %.0f to %.0f", name, t.Least.Seconds(), t.Most.Seconds())
		if t.Optional {
			text = "[" + text + "]"
		}
		return text
	}
	value := ""
	if sets(info.Name) {
		value = "--value"
	}
	return orDash(joined(" ", flag("--after", info.After), flag("--for", info.For), value))
}

// consent is what the commands that order something of a UPS have in common.
type consent struct {
	Yes    bool `help:"Do not ask before the load may lose its power."`
	DryRun bool `help:"Print what would be written, and write nothing."`
}

type doCommand struct {
	Command string   `arg:"" help:"One of those that tripplite commands lists."`
	After   seconds  `placeholder:"TIME" help:"How long until it takes effect."`
	For     seconds  `placeholder:"TIME" help:"How long the load stays off."`
	Value   *float64 `placeholder:"N" help:"What a command sets; of a switch 0 or 1."`
	consent
}

func (c doCommand) Run(s *session) error {
	i := slices.IndexFunc(commandNames,
		func(name string) bool { return plain(name) == plain(c.Command) })
	if i < 0 {
		return fmt.Errorf("there is no command %q (tripplite commands lists what a UPS takes)%w",
			c.Command, exitUsage)
	}
	order := tripplite.Command{
		Name: commandNames[i], After: time.Duration(c.After), For: time.Duration(c.For)}
	switch {
	case order.Name == tripplite.Watchdog:
		return fmt.Errorf("the watchdog has to be set again and again, and the end of this program "+
			"would stop it: it is for programs that use the library%w", exitUsage)
	case sets(order.Name) && c.Value == nil:
		return fmt.Errorf("%s wants --value%w", dashed(order.Name), exitUsage)
	case !sets(order.Name) && c.Value != nil:
		return fmt.Errorf("%s takes no --value%w", order.Name, exitUsage)
	case c.Value != nil:
		order.Value = *c.Value
	}
	return s.order(order, c.consent)
}

type beeperCommand struct {
	State string `arg:"" enum:"on,off,mute" help:"on, off, or mute for the present alarm."`
	consent
}

func (c beeperCommand) Run(s *session) error {
	names := map[string]string{"on": tripplite.BeeperEnable, "off": tripplite.BeeperDisable,
		"mute": tripplite.BeeperMute}
	return s.order(tripplite.Command{Name: names[c.State]}, c.consent)
}

type testCommand struct {
	Deep bool `xor:"test" help:"Until the battery is nearly empty."`
	Stop bool `xor:"test" help:"End a test that runs."`
	consent
}

func (c testCommand) Run(s *session) error {
	name := tripplite.TestQuick
	if c.Deep {
		name = tripplite.TestDeep
	} else if c.Stop {
		name = tripplite.TestStop
	}
	return s.order(tripplite.Command{Name: name}, c.consent)
}

// order has the one UPS carry out a command.
func (s *session) order(c tripplite.Command, how consent) error {
	b, err := s.only()
	if err != nil {
		return err
	}
	defer b.Close()
	return s.orderOf(b, c, how)
}

func (s *session) orderOf(b *tripplite.Battery, c tripplite.Command, how consent) error {
	info, writes, err := s.prepare(b, c)
	if err != nil {
		return err
	}
	if how.DryRun {
		var text strings.Builder
		for _, w := range writes {
			fmt.Fprintln(&text, w)
		}
		_, err := io.WriteString(s.stdout, text.String())
		return err
	}
	path, named := b.Info().Path, described(c)
	if info.CutsLoad {
		s.warn(fmt.Errorf("%s: %s: %s", path, named, info.Text))
	}
	if info.CutsLoad && !how.Yes {
		if err := s.ask(c.Name); err != nil {
			return err
		}
		if err := s.still(b, c, info); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(s.ctx, readTimeout)
	defer cancel()
	err = b.Do(ctx, c)
	if errors.Is(err, tripplite.ErrUncertain) {
		text := s.text(err)
		if info.CutsLoad {
			text += "; the load may be about to go"
		}
		return fmt.Errorf("%s%w", text, exitUncertain)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.stdout, printable(fmt.Sprintf("%s: done: %s", path, named)))
	return err
}

// prepare returns what a command does on a unit, and what it writes there. Where only the arguments
// are wrong, it is a wrong call.
func (s *session) prepare(
	b *tripplite.Battery, c tripplite.Command,
) (info tripplite.CommandInfo, writes []tripplite.Write, err error) {
	ctx, cancel := context.WithTimeout(s.ctx, readTimeout)
	defer cancel()
	list, err := b.Commands(ctx)
	if err != nil {
		return info, nil, err
	}
	i := slices.IndexFunc(list, func(i tripplite.CommandInfo) bool { return i.Name == c.Name })
	if i >= 0 {
		info = list[i]
	}
	writes, err = b.DryRun(ctx, c)
	if i >= 0 && info.Refused == nil && errors.Is(err, tripplite.ErrRefused) {
		err = fmt.Errorf("%w%w", err, exitUsage)
	}
	return info, writes, err
}

// described names a command with its times, or with its value.
func described(c tripplite.Command) string {
	text := dashed(c.Name)
	if sets(c.Name) {
		text += fmt.Sprintf(" %v", c.Value)
	}
	if c.After > 0 {
		text += fmt.Sprintf(" after %.0f s", c.After.Seconds())
	}
	if c.For > 0 {
		text += fmt.Sprintf(" for %.0f s", c.For.Seconds())
	}
	return text
}

// ask returns nil if somebody at a terminal wants to go on.
func (s *session) ask(name string) error {
	for _, stream := range []any{s.stdin, s.stdout, s.stderr} {
		if terminalFile(stream) == nil {
			return fmt.Errorf("%s may take the power from the load: it wants --yes where nobody can "+
				"be asked%w", dashed(name), exitUsage)
		}
	}
	fmt.Fprint(s.stderr, "Type yes to go on: ")
	answers := make(chan string, 1)
	go func() {
		answer, _ := bufio.NewReader(s.stdin).ReadString('\n')
		answers <- answer
	}()
	answer := ""
	select {
	case answer = <-answers:
	case <-s.ctx.Done():
	}
	if !strings.HasSuffix(answer, "\n") {
		fmt.Fprintln(s.stderr)
	}
	switch {
	case s.ctx.Err() != nil:
		return s.ctx.Err()
	case strings.TrimSpace(answer) != "yes":
		return errors.New("nothing was written")
	}
	return nil
}

// still returns nil if a command does what it did when somebody was asked.
func (s *session) still(
	b *tripplite.Battery, c tripplite.Command, asked tripplite.CommandInfo,
) error {
	now, _, err := s.prepare(b, c)
	if err == nil && now.Text != asked.Text {
		err = fmt.Errorf("%s: nothing was written, since it would do something else by now: %s",
			b.Info().Path, now.Text)
	}
	return err
}
