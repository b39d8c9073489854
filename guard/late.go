package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// lateFile is what tells [KillPower] what to do.
type lateFile struct {
	Boot  string   `json:"boot"` // of which it is
	Paths []string `json:"paths"`
	Cut   Cut      `json:"cut"`
}

// LateCut makes the step that leaves a file for [KillPower], by which the units are told to cut the
// load once the computer has all but gone down. A unit that would refuse now is left out, and one
// that cannot be asked is tried then.
func LateCut(
	source Source, paths func() []string, c Cut, file string, timeout time.Duration,
) Step {
	does := fmt.Sprintf("The UPS will be told to switch its load off %v after the services have "+
		"stopped, and to come back (shutdown.return)", span(c.After))
	forecast := func(ctx context.Context) func(battery) error {
		return func(b battery) error {
			_, err := c.Forecast(ctx, b)
			return err
		}
	}
	return Step{
		Name: "UPS", Does: does, Timeout: timeout, cuts: true,
		Do: func(ctx context.Context, s *Situation) error {
			var mu sync.Mutex
			var told []string
			able := false
			err := each(paths(), func(path string) error {
				err := patiently(ctx, source, path, forecast(ctx))
				mu.Lock()
				defer mu.Unlock()
				if err == nil || !isFinal(err) {
					able = able || err == nil
					told = append(told, path)
				}
				return err
			})
			if len(told) == 0 {
				return err
			}
			boot, _ := s.guard.clock.now()
			if writeErr := writeFile(file, lateFile{boot, told, c}); writeErr != nil {
				return errors.Join(err, writeErr)
			}
			if able {
				s.Cut()
			}
			return err
		},
		Try: func(ctx context.Context, _ *Situation) (string, error) {
			return does, each(paths(), func(path string) error {
				b, err := find(source, path)
				if err != nil {
					return err
				}
				return forecast(ctx)(b)
			})
		},
		undo: func() error {
			if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		},
	}
}

// KillPower does what [LateCut] left to be done in this boot of the computer. It is for the end of
// the computer's shutdown, and tells each unit once: the file is gone before that. Without a file
// it does nothing.
func KillPower(
	ctx context.Context, file string, open func(paths []string) Source, log *slog.Logger,
) error {
	return killPower(ctx, file, open, log, systemClock{})
}

func killPower(
	ctx context.Context, file string, open func(paths []string) Source, log *slog.Logger, clock clock,
) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		log.Info("no UPS is to cut the load", "file", file)
		return nil
	} else if err != nil {
		return err
	}
	var f lateFile
	if err := json.Unmarshal(text, &f); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := os.Remove(file); err != nil {
		return fmt.Errorf("it could be done twice: %w", err)
	}
	if boot, _ := clock.now(); boot == "" || boot != f.Boot {
		return fmt.Errorf("%s is of an earlier boot of this computer", file)
	}
	log.Warn("the UPS is told to cut the load", "paths", f.Paths, "after", f.Cut.After)
	source := open(f.Paths)
	return each(f.Paths, func(path string) error { return f.Cut.tell(ctx, source, path) })
}
