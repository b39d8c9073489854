package tripplite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Command is an order to a unit. Its names are those of NUT, where NUT has the command.
type Command struct {
	// Name is one of those that [Battery.Commands] lists, such as "shutdown.return".
	Name string
	// After is the time until the command takes effect, in whole seconds. 0 is at once.
	After time.Duration
	// For is how long the load stays off, in whole seconds; 0 where the unit decides.
	For time.Duration
	// Value is what a command whose name begins with "set." sets, in the unit of the setting; a flag
	// as 0 or 1.
	Value float64
}

// The names of the commands. A unit of product 0001 that can switch its outlets also has
// "outlet.1.load.off", "outlet.1.load.on" and so on.
const (
	BeeperEnable   = "beeper.enable"
	BeeperDisable  = "beeper.disable"
	BeeperMute     = "beeper.mute" // for the present alarm
	TestQuick      = "test.battery.start.quick"
	TestDeep       = "test.battery.start.deep"
	TestStop       = "test.battery.stop"
	LoadOff        = "load.off"
	LoadOn         = "load.on"
	ShutdownReturn = "shutdown.return"  // the load goes off, and comes back with line power
	ShutdownStay   = "shutdown.stayoff" // the load goes off and stays so
	ShutdownReboot = "shutdown.reboot"  // the load goes off at once, and on again
	ShutdownStop   = "shutdown.stop"    // cancels the timers that run
	// Watchdog has the unit power-cycle its load unless the command is given again before the time of
	// After is over. Close gives WatchdogStop; a program that is killed cannot.
	Watchdog       = "watchdog"
	WatchdogStop   = "watchdog.stop"
	ResetMinMax    = "reset.input.minmax" // forgets the lowest and highest input voltage
	SetAutoRestart = "set.auto restart"
	SetUnitID      = "set.unit id"
)

// CommandInfo is a command that a unit takes, and what it does there.
type CommandInfo struct {
	Name string
	// Text says in a sentence or two what the command will do on this unit, as it is now.
	Text string
	// After and For are the times that the command takes. Those of a command that takes none are zero.
	After, For Times
	// CutsLoad is true of a command that may take the power from the load: a program asks first.
	CutsLoad bool
	// Refused is why the unit does not take the command now, such as that there is line power; else
	// nil.
	Refused error
}

// Times are the times that a command takes, in whole seconds. With an Optional one 0 can be left.
type Times struct {
	Least, Most time.Duration
	Optional    bool
}

// Write is one report that a command writes.
type Write struct {
	// ID is that of the feature report; of a unit of product 0001 the letter of the command.
	ID byte
	// Name is the HID usage path of the report, or what the letter means.
	Name string
	// Bytes are what is sent. Those of a feature report begin with its id.
	Bytes []byte
}

// String returns the bytes and the name.
func (w Write) String() string { return fmt.Sprintf("% x (%s)", w.Bytes, w.Name) }

// The errors of [Battery.Do] beside those of Get. Each comes in an [*Error], whose cause says more.
var (
	// ErrRefused says that the command makes no sense on this unit as it is now, or that its times are
	// none that the unit takes. Nothing was written.
	ErrRefused = errors.New("refused")
	// ErrIgnored says that the unit took the command and did not act on it.
	ErrIgnored = errors.New("the UPS did not act on it")
	// ErrUncertain says that it is not known whether the command was carried out, for instance since
	// the unit left the bus: the load may be about to go. The cause says what was written.
	ErrUncertain = errors.New("it is not known whether the UPS acts on it")
)

// commandSpace is the least time between two writes to a unit: of two that follow each other more
// closely an AVR750U acted on one, both or neither (NUT PR #1228).
const commandSpace = 125 * time.Millisecond

// step is one write of a command, and how to tell whether the unit acts on it.
type step struct {
	Write
	space time.Duration // before it, where that is more than commandSpace
	// back takes the write back where a later one, which rests on it, is refused; nil where nothing
	// does or has to.
	back []byte
	// shows reads the unit and reports whether it acts on the write. It is nil where nothing tells.
	shows func() (bool, error)
}

// Commands lists what the unit takes, with what each command would do now. It reads the unit first.
// Its errors are those of Get.
func (b *Battery) Commands(ctx context.Context) ([]CommandInfo, error) {
	var list []CommandInfo
	err := b.submit(ctx, func(ctx context.Context) error {
		r, err := b.readForCommand(ctx)
		if err == nil {
			list = (*b.protocol.Load()).commands(&r)
		}
		return err
	})
	return list, err
}

// DryRun returns what [Battery.Do] would write, without writing it. It reads the unit first. Its
// errors are those of Do.
func (b *Battery) DryRun(ctx context.Context, c Command) ([]Write, error) {
	var writes []Write
	err := b.submit(ctx, func(ctx context.Context) error {
		steps, err := b.prepare(ctx, c)
		for _, s := range steps {
			writes = append(writes, s.Write)
		}
		return err
	})
	return writes, err
}

// Do has the unit carry out a command, and makes sure that it does, as far as the unit tells.
//
// With nil the unit acts on the command. [ErrUnsupported] names a report that the unit lacks: no
// other command is given in its place. [ErrRefused], [ErrIgnored] and [ErrUncertain] say what their
// comments do; other errors are those of Get, and then nothing was written.
//
// The writes to a unit are at least 125 ms apart, whoever gives the commands in this program. The
// one that cuts the load is the last, and is not made unless the unit acts on those before. Do
// never writes a command again by itself, and not after the unit was opened anew: a command that
// waited while the unit left the bus fails. Once Do has begun to write, it does not end with ctx
// but within some seconds; before that it writes nothing once ctx is done.
//
// Only few commands have been tried on units, and none by this project: docs/commands.md says
// which.
func (b *Battery) Do(ctx context.Context, c Command) error {
	opened, online := b.protocol.Load(), b.online.Load()
	var state atomic.Int32 // of waiting, writing, abandoned
	const writing, abandoned = 1, 2
	uncertain := func(err error) error {
		if errors.Is(err, ErrClosed) && state.Load() == writing {
			return b.wrap("do "+c.Name, ErrUncertain, err)
		}
		return err
	}
	done := make(chan error, 1)
	go func() {
		done <- b.submit(context.WithoutCancel(ctx), func(own context.Context) error {
			if state.Load() == abandoned {
				return b.interrupted(ctx)
			}
			if online && b.protocol.Load() != opened {
				return b.wrap("do "+c.Name, ErrDisconnected, errors.New("it was opened anew meanwhile"))
			}
			steps, err := b.prepare(own, c)
			if err != nil {
				return err
			}
			if !state.CompareAndSwap(0, writing) {
				return b.interrupted(ctx)
			}
			err = b.carryOut(c, steps)
			switch { // it may be armed where it is not known, or was too late to be seen
			case c.Name == Watchdog:
				b.armed = b.armed || !errors.Is(err, ErrRefused)
			case c.Name == WatchdogStop:
				b.armed = b.armed && err != nil
			}
			return err
		})
	}()
	select {
	case err := <-done:
		return uncertain(err)
	case <-ctx.Done():
		if state.CompareAndSwap(0, abandoned) {
			return b.interrupted(ctx)
		}
		return uncertain(<-done)
	}
}

// prepare reads the unit and returns what a command writes there.
func (b *Battery) prepare(ctx context.Context, c Command) ([]step, error) {
	r, err := b.readForCommand(ctx)
	if err != nil {
		return nil, err
	}
	p := *b.protocol.Load()
	list := p.commands(&r)
	i := slices.IndexFunc(list, func(info CommandInfo) bool { return info.Name == c.Name })
	if i < 0 {
		err, cause := p.lacks(c.Name)
		return nil, b.wrap("do "+c.Name, err, cause)
	}
	info := list[i]
	err = cmp.Or(info.Refused, info.After.check("after", c.After), info.For.check("for", c.For))
	if err != nil {
		return nil, b.wrap("do "+c.Name, ErrRefused, err)
	}
	return p.prepare(c, &r)
}

// check returns why a command does not take a time.
func (t Times) check(name string, d time.Duration) error {
	switch {
	case t.Most == 0 && d != 0:
		return fmt.Errorf("it takes no time %q", name)
	case t.Most == 0 || t.Optional && d == 0:
		return nil
	case d == 0:
		return fmt.Errorf("it needs a time %q, of %v to %v", name, t.Least, t.Most)
	case d%time.Second != 0:
		return fmt.Errorf("the time %q is not of whole seconds: %v", name, d)
	case d < t.Least || d > t.Most:
		return fmt.Errorf("the time %q is not of %v to %v: %v", name, t.Least, t.Most, d)
	}
	return nil
}

// readForCommand reads the state and the settings of the unit.
func (b *Battery) readForCommand(ctx context.Context) (record, error) {
	p := *b.protocol.Load()
	var now, settings record
	if err := p.read(ctx, live, &now); !HasState(err) {
		return record{}, err
	}
	if err := p.read(ctx, setting, &settings); !HasState(err) {
		return record{}, err
	}
	now.settings = settings.settings
	return now, nil
}

// carryOut writes the steps of a command. One that can be taken back is one on which the others
// rest: they are written only once the unit shows that it acts on it.
func (b *Battery) carryOut(c Command, steps []step) error {
	var written []string
	confirmed := 0 // of the steps
	confirm := func() error {
		for ; confirmed < len(written); confirmed++ {
			s := steps[confirmed]
			if s.shows == nil {
				continue
			}
			switch err := b.confirm(s); {
			case err == errNotShown:
				return b.outcomeOf(c, ErrIgnored, fmt.Errorf("%s does not show it", s.Name), written)
			case err != nil:
				return b.outcomeOf(c, ErrUncertain, err, written)
			}
		}
		return nil
	}
	for _, s := range steps {
		if err := b.write(c, s); err != nil {
			text := fmt.Errorf("writing %s: %w", s, err)
			refused, shown := answered(err), false
			if lost, ok := err.(*lostError); ok {
				b.drop(lost.cause)
			} else if !refused && s.shows != nil {
				// Such as hidapi's error, which has no cause: the unit tells what became of the write.
				err := b.confirm(s)
				refused, shown = err == errNotShown, err == nil
			}
			switch {
			case refused:
				written = append(written, b.takeBack(c, steps[:len(written)])...)
				return b.outcomeOf(c, ErrRefused, text, written)
			case !shown:
				return b.outcomeOf(c, ErrUncertain, text, written)
			}
		}
		written = append(written, s.String()+" was written")
		if s.back == nil {
			continue
		}
		if err := confirm(); err != nil {
			return err
		}
	}
	return confirm()
}

// disarm stops the watchdog that this Battery may have armed, so that its end does not cut the
// load.
func (b *Battery) disarm() {
	if !b.armed || b.dev == nil {
		return
	}
	stop := Command{Name: WatchdogStop}
	steps, err := b.prepare(context.Background(), stop)
	if err == nil {
		err = b.carryOut(stop, steps)
	}
	if err != nil {
		b.log.Error("the watchdog of the UPS could not be stopped", "path", b.path, "err", err)
	}
}

// outcomeOf returns the error of a command, with what was written before.
func (b *Battery) outcomeOf(c Command, err, cause error, written []string) error {
	if written != nil {
		cause = fmt.Errorf("%w; %s", cause, strings.Join(written, "; "))
	}
	return b.wrap("do "+c.Name, err, cause)
}

// write makes one write, in its time.
func (b *Battery) write(c Command, s step) error {
	time.Sleep(time.Until(b.wrote.Add(max(commandSpace, s.space))))
	b.log.Info("command", "path", b.path, "command", c.Name, "write", s.String())
	err := (*b.protocol.Load()).write(s)
	b.wrote = time.Now()
	return err
}

// takeBack writes what takes earlier steps back, and says so.
func (b *Battery) takeBack(c Command, steps []step) (texts []string) {
	for _, s := range slices.Backward(steps) {
		if s.back == nil {
			continue
		}
		back := step{Write: Write{s.ID, s.Name, s.back}}
		if err := b.write(c, back); err != nil {
			texts = append(texts, fmt.Sprintf("%s could not be put back: %v", s.Name, err))
			continue
		}
		texts = append(texts, back.String()+" was put back")
	}
	return texts
}

// How long a unit may take to show that it acts on a write. Values can lag.
const (
	confirmTries = 6
	confirmEvery = 200 * time.Millisecond
)

// errNotShown says that the unit does not show that it acts on a write.
var errNotShown = errors.New("the unit does not show it")

// confirm waits until the unit shows that it acts on a write. It returns errNotShown when it does
// not, and another error when that could not be read.
func (b *Battery) confirm(s step) error {
	for try := range confirmTries {
		if try > 0 {
			time.Sleep(confirmEvery)
		}
		shown, err := s.shows()
		if lost, ok := err.(*lostError); ok {
			b.drop(lost.cause)
		}
		if err != nil {
			return fmt.Errorf("reading %s back: %w", s.Name, err)
		}
		if shown {
			return nil
		}
	}
	return errNotShown
}
