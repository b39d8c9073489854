package guard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite/internal/command"
)

// Step is one thing that is done when the computer goes down.
type Step struct {
	Name string
	// Does says in a sentence without its end what the step does, such as "The UPS is told to switch
	// its load off after 3m".
	Does string
	// Timeout is how long it may take before the next one begins; 0 is for as long as it takes.
	Timeout time.Duration
	// Needs is how long the battery has to last from then on.
	Needs time.Duration
	// Do does it, and ends with ctx. It is not called in a dry run.
	Do func(ctx context.Context, s *Situation) error
	// Try says in a dry run what Do would do just now, and touches nothing; nil where Does says it.
	Try func(ctx context.Context, s *Situation) (string, error)

	cuts bool         // it may have a UPS cut the load
	undo func() error // takes back what it left for a shutdown that did not come; nil where nothing is
}

// errLate is that of a step which has not ended in its time.
var errLate = errors.New("not done in its time")

// run does the step. One that does not end with its context is left behind, so that it holds up
// nothing.
func (s *Step) run(ctx context.Context, situation *Situation, armed bool) error {
	cancel := context.CancelFunc(func() {})
	if s.Timeout > 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, s.Timeout, errLate)
	}
	defer cancel()
	done := make(chan error, 1)
	go func() {
		if armed {
			done <- s.Do(ctx, situation)
			return
		}
		done <- s.try(ctx, situation)
	}()
	select {
	case err := <-done:
		if err != nil && context.Cause(ctx) == errLate {
			return fmt.Errorf("%w: %w", errLate, err)
		}
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		if err == nil && context.Cause(ctx) != errLate {
			return nil // it was done as this program was told to end
		}
		return errors.Join(context.Cause(ctx), err)
	case <-time.After(grace):
		if s.cuts && armed {
			situation.Cut() // it may be about to write
		}
		return context.Cause(ctx)
	}
}

// grace is how long a step may take to end once its time is over.
const grace = 5 * time.Second

func (s *Step) try(ctx context.Context, situation *Situation) error {
	would := s.Does
	if s.Try != nil {
		text, err := s.Try(ctx, situation)
		if err != nil {
			return err
		}
		would = text
	}
	situation.guard.log.Warn("dry run: nothing is done", "would", would)
	return nil
}

// Situation is what the steps of one shutdown know.
type Situation struct{ guard *Guard }

// Why returns why the computer goes down.
func (s *Situation) Why() string { return s.guard.Status().Why }

// Cut notes that a UPS has been told to cut the load, or may have been.
func (s *Situation) Cut() {
	s.guard.mu.Lock()
	defer s.guard.mu.Unlock()
	s.guard.status.Cuts = true
}

// restarts reports whether nothing would switch the computer on again if it were powered off: there
// is line power, and no UPS cuts the load. Line power that has just come back is waited for until
// it is believed.
func (s *Situation) restarts(ctx context.Context, most time.Duration) bool {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	most = min(most, s.guard.config.Policy.Hold+2*tick)
	for began := time.Now(); ; {
		now := s.guard.Status()
		if now.Cuts || linePower(now.Decision) {
			return !now.Cuts
		}
		if now.Decision.Act || time.Since(began) >= most {
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
}

// PowerOff makes the step that ends the computer. If there is line power again and no UPS has been
// told to cut the load, nothing would switch the computer on again: it is restarted instead.
// Where reboot is nil it is not.
func PowerOff(off, reboot func(context.Context) error, timeout time.Duration) Step {
	restarts := func(ctx context.Context, s *Situation) bool {
		return reboot != nil && s.restarts(ctx, timeout/2)
	}
	return Step{
		Name: "power off", Does: "The system is asked to power off", Timeout: timeout,
		Do: func(ctx context.Context, s *Situation) error {
			act := off
			if restarts(ctx, s) {
				s.guard.log.Warn("there is line power again, and no UPS cuts the load: " +
					"the computer restarts instead of going off, since nothing would switch it on")
				act = reboot
			}
			var last error
			for { // it is the one step that must not fail
				if last = act(ctx); last == nil {
					return nil
				}
				s.guard.log.Error("power off", "err", last)
				select {
				case <-ctx.Done():
					return last
				case <-time.After(retry):
				}
			}
		},
		Try: func(ctx context.Context, s *Situation) (string, error) {
			if restarts(ctx, s) {
				return "The system is asked to restart, since there is line power again", nil
			}
			return "The system is asked to power off", nil
		},
	}
}

// retry is the time between two tries of what may be tried again.
const retry = 5 * time.Second

// Hook makes a step that runs a command, without a shell. It finds why the computer goes down in
// TRIPPLITE_WHY.
func Hook(args []string, timeout time.Duration) Step {
	return Step{
		Name: "hook " + args[0], Does: "The command " + strings.Join(args, " ") + " runs",
		Timeout: timeout,
		Do: func(ctx context.Context, s *Situation) error {
			return command.Run(ctx, args, append(os.Environ(), "TRIPPLITE_WHY="+s.Why()))
		},
	}
}

// Command makes a function that runs a command, for [PowerOff].
func Command(args []string) func(context.Context) error {
	return func(ctx context.Context) error { return command.Run(ctx, args, os.Environ()) }
}
