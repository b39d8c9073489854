package guard

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/program"
)

// slow is a source whose Watch takes a while to end, so that a step ends before it.
type slow struct{ Source }

func (s slow) Watch(ctx context.Context, every time.Duration) iter.Seq[tripplite.Reading] {
	return func(yield func(tripplite.Reading) bool) {
		s.Source.Watch(ctx, every)(yield)
		time.Sleep(time.Second)
	}
}

func TestAnEndInTheMiddleOfAStepPassesOverNone(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		h.source = slow{h.bank}
		h.config.Steps[0] = h.step("hook", 30*time.Second)
		h.start()
		h.ups.PowerFailure()
		h.pass(5*time.Minute + 20*time.Second)
		require.Equal(h.t, all[:3], h.happened())
		h.stop()
		h.start()
		require.Equal(h.t, all[3:], h.happened())
		require.Len(h.t, h.ups.Writes(), 2)
	})
}

// blind is a source that finds no unit before a time, as a Bank that has just been made.
type blind struct {
	Source
	until time.Time
}

func (b *blind) Battery(path string) (*tripplite.Battery, bool) {
	if time.Now().Before(b.until) {
		return nil, false
	}
	return b.Source.Battery(path)
}

func TestAUnitThatIsNotFoundYetIsToldLater(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		b := &blind{Source: h.bank}
		h.config.Steps[0] = h.step("hook", 30*time.Second)
		h.config.Steps[1] = CutLoad(b, func() []string { return []string{path} },
			Cut{After: 2 * time.Minute}, 20*time.Second)
		h.start()
		h.ups.PowerFailure()
		h.pass(5*time.Minute + 20*time.Second)
		h.happened()
		b.until = time.Now().Add(2 * time.Second)
		h.again(time.Second)
		require.Equal(h.t, all[3:], h.happened())
		require.Len(h.t, h.ups.Writes(), 2)
	})
}

// The power is about to go: a computer that starts again would lose it in the middle of that.
func TestAComputerWhosePowerIsCutIsPoweredOffAfterARestartToo(t *testing.T) {
	for _, test := range []struct {
		name   string
		killed time.Duration // after the failure
	}{
		{"once the UPS was told", 5*time.Minute + 25*time.Second},
		{"while it was told", 5*time.Minute + 11500*time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			inHouse(t, "smart1500lcd", func(h *house) {
				cut := h.config.Steps[1]
				told := cut.Do
				cut.Do = func(ctx context.Context, s *Situation) error {
					err := told(ctx, s)
					time.Sleep(5 * time.Second)
					return err
				}
				h.config.Steps = []Step{cut, h.step("hook", 30*time.Second), h.config.Steps[2]}
				h.start()
				h.ups.PowerFailure()
				h.pass(test.killed)
				require.Len(h.t, h.ups.Writes(), 2)
				h.happened()
				h.ups.PowerReturns()
				h.again(time.Second)
				h.pass(time.Minute)
				require.Contains(h.t, h.happened(), "power off")
				require.Empty(h.t, h.ups.Writes())
			})
		})
	}
}

func TestAPowerOffThatWasInterruptedIsDoneAtOnce(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		h.refuse = errors.New("a shutdown is blocked")
		h.start()
		h.ups.PowerFailure()
		h.pass(5*time.Minute + 20*time.Second)
		h.refuse = nil
		h.happened()
		h.again(time.Second)
		require.Equal(h.t, []string{"power off", "(done)"}, h.happened())
	})
}

// A program that is killed again and again must not begin its Warning anew each time.
func TestAWarningOutlastsRestarts(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		h.config.Warning = time.Minute
		h.start()
		h.ups.PowerFailure()
		h.pass(5*time.Minute + 10*time.Second)
		for range 2 {
			require.Equal(h.t, []string{"(warning)"}, h.happened())
			h.again(13 * time.Second) // and 7 s
		}
		h.pass(15 * time.Second)
		require.Equal(h.t, all, h.happened())
	})
}

func TestAWarningEndsWithTheOutageInARestartToo(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		h.config.Warning = time.Minute
		h.start()
		h.ups.PowerFailure()
		h.pass(5*time.Minute + 10*time.Second)
		h.ups.PowerReturns()
		h.again(2 * time.Minute)
		h.pass(10 * time.Second)
		h.ups.PowerFailure()
		h.pass(5*time.Minute + 30*time.Second)
		require.Equal(h.t, []string{"(warning)", "(warning)"}, h.happened(), "of the two outages")
	})
}

func TestADiskThatHangsHoldsUpNothing(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		hangs := make(chan error)
		writes := 0
		h.save = func(string, any) error { writes++; return <-hangs }
		h.start()
		h.ups.PowerFailure()
		h.pass(6 * time.Minute)
		require.Equal(h.t, all, h.happened())
		require.Contains(h.t, h.logged(), "the disk hangs")
		require.Equal(h.t, 1, writes, "none is begun while one hangs")
		close(hangs)
		h.pass(time.Minute)
		require.Greater(h.t, writes, 1)
	})
}

func TestADryRunIsNotWhatWasDoneLast(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		h.config.Armed = false
		h.start()
		h.ups.PowerFailure()
		h.pass(6 * time.Minute)
		h.again(time.Second)
		h.stop()
		kept, err := ReadFile(h.config.File)
		require.NoError(h.t, err)
		require.Nil(h.t, kept.Last)
	})
}

func TestWarningsAreKept(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		h.start()
		h.guard.Warn([]string{"no UPS is attached"})
		h.pass(2 * time.Second)
		kept, err := ReadFile(h.config.File)
		require.NoError(h.t, err)
		require.Equal(h.t, []string{"no UPS is attached"}, kept.Status.Warnings)
	})
}

// late has the UPS told at the end of the shutdown.
func (h *house) late() (file string, kill func() error) {
	file = filepath.Join(h.t.TempDir(), "kill-power")
	h.config.Steps[1] = LateCut(h.bank, func() []string { return []string{path, path} },
		Cut{After: 15 * time.Second, For: time.Minute}, file, 20*time.Second)
	return file, func() error {
		open := func([]string) Source { return h.bank }
		return killPower(h.t.Context(), file, open, h.config.Log, h.clock)
	}
}

// Somebody kept the computer up, and shuts it down another day.
func TestAShutdownThatDidNotComeLeavesNothingForTheNext(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		file, kill := h.late()
		h.start()
		h.ups.PowerFailure()
		h.pass(6 * time.Minute)
		require.Equal(h.t, all, h.happened())
		require.FileExists(h.t, file)
		h.ups.PowerReturns()
		h.again(time.Minute)
		require.NoError(h.t, kill())
		require.Empty(h.t, h.ups.Writes())
	})
}

func TestWhatIsLeftForTheEndOutlastsARestartOnTheWay(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		file, kill := h.late()
		h.config.Steps[0], h.config.Steps[1] = h.config.Steps[1], h.step("hook", 30*time.Second)
		h.start()
		h.ups.PowerFailure()
		h.pass(5*time.Minute + 20*time.Second)
		h.again(time.Second)
		require.FileExists(h.t, file)
		require.NoError(h.t, kill())
		require.Len(h.t, h.ups.Writes(), 2)
	})
}

func TestAUnitThatIsLostIsTriedAtTheEnd(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		h.config.Policy.Limits = Limits{Lost: 3 * time.Minute}
		_, kill := h.late()
		h.start()
		h.ups.PowerFailure()
		h.pass(30 * time.Second)
		h.ups.Unplug()
		h.pass(4 * time.Minute)
		require.Equal(h.t, all, h.happened())
		h.ups.Replug()
		h.pass(10 * time.Second)
		require.NoError(h.t, kill())
		require.Len(h.t, h.ups.Writes(), 2)
	})
}

// On line power a 2010 would stay off for good.
func TestWhatRefusesIsNotLeftForTheEnd(t *testing.T) {
	inHouse(t, "avr900u", func(h *house) {
		file, _ := h.late()
		h.config.Steps[0] = h.step("hook", 20*time.Second)
		h.start()
		h.ups.PowerFailure()
		h.pass(5*time.Minute + 15*time.Second)
		h.ups.PowerReturns()
		h.pass(time.Minute)
		require.Equal(h.t, beside, h.happened())
		require.NoFileExists(h.t, file)
	})
}

func TestWhatKillPowerCannotDoIsSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kill-power")
	kill := func(at string) error {
		return KillPower(t.Context(), at, func([]string) Source { panic("nothing is told") }, discard)
	}
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o600))
	require.ErrorContains(t, kill(file), "unexpected end")
	require.Error(t, kill(filepath.Join(file, "below")), "it is in a file")
	require.NoError(t, os.WriteFile(file, []byte(`{"boot": "another"}`), 0o600))
	require.ErrorContains(t, kill(file), "of an earlier boot")
}

func TestAUnitThatIsNamedTwiceIsToldOnce(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		h.config.Steps[1] = CutLoad(h.bank, func() []string { return []string{path, path} },
			Cut{After: 2 * time.Minute}, 20*time.Second)
		h.start()
		h.ups.PowerFailure()
		h.pass(6 * time.Minute)
		require.Equal(h.t, all, h.happened())
		require.Len(h.t, h.ups.Writes(), 2)
	})
}

// The 2010 refuses at once. That there is line power is believed only later.
func TestLinePowerThatReturnsInTheLastSecondRestartsTheComputer(t *testing.T) {
	inHouse(t, "avr900u", func(h *house) {
		h.config.Steps[0].Do = func(context.Context, *Situation) error {
			h.note("hook")
			h.ups.PowerReturns()
			time.Sleep(100 * time.Millisecond)
			return nil
		}
		h.start()
		h.ups.PowerFailure()
		h.pass(6 * time.Minute)
		require.Equal(h.t, beside, h.happened())
		require.Empty(h.t, h.ups.Writes())
	})
}

func TestWithoutLinePowerThePowerOffIsNotDelayed(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		h.config.Steps = []Step{PowerOff(h.end("power off"), h.end("restart"), 30*time.Second)}
		h.start()
		h.ups.PowerFailure()
		h.pass(5*time.Minute + 12*time.Second)
		require.Equal(h.t, []string{"(warning)", "(acting)", "power off", "(done)"}, h.happened())
	})
}

func TestTheLastStepIsNotDoneTwiceAtOnce(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		at, most := 0, 0
		h.config.Steps = []Step{{Name: "long", Timeout: 5 * time.Minute,
			Do: func(ctx context.Context, _ *Situation) error {
				at++
				most = max(most, at)
				defer func() { at-- }()
				select {
				case <-time.After(3 * time.Minute):
				case <-ctx.Done():
				}
				return nil
			}}}
		h.start()
		h.ups.PowerFailure()
		h.pass(20 * time.Minute)
		require.Equal(h.t, 1, most)
	})
}

func TestADryRunOfALateCutAndARestartTouchesNothing(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		h.config.Armed = false
		file, _ := h.late()
		h.config.Steps[0].Try = func(context.Context, *Situation) (string, error) {
			h.ups.PowerReturns()
			return "", errors.New("the line is back")
		}
		h.start()
		h.ups.PowerFailure()
		h.pass(5*time.Minute + 30*time.Second)
		require.NoFileExists(h.t, file)
		require.Empty(h.t, h.ups.Writes())
		require.Contains(h.t, h.logged(), "the line is back")
		require.Contains(h.t, h.logged(), "15s after the services have stopped")
		require.Contains(h.t, h.logged(), "The system is asked to restart")
	})
}

func TestADryRunOfAUnitThatIsNotFoundSaysSo(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		none := func() []string { return []string{"1-9:1.0"} }
		for _, s := range []Step{
			CutLoad(h.bank, none, Cut{After: time.Minute}, time.Minute),
			LateCut(h.bank, none, Cut{After: time.Minute}, "nowhere", time.Minute),
		} {
			_, err := s.Try(h.t.Context(), nil)
			require.ErrorIs(h.t, err, tripplite.ErrNotFound)
			require.Equal(h.t, "1-9:1.0: "+tripplite.ErrNotFound.Error(), fmt.Sprint(err))
		}
	})
}

// On line power a 2010 refuses anyway.
func TestATimeThatTheUnitNeverTakesIsFoundBeforehand(t *testing.T) {
	inHouse(t, "avr900u", func(h *house) {
		b, ok := h.bank.Battery(path)
		require.True(h.t, ok)
		for after, want := range map[time.Duration]string{
			2 * time.Minute: "now it would stay off",
			2 * time.Second: "the load goes off after 5s to 18h12m14s, and not after 2s",
			30 * time.Hour:  "the load goes off after 5s to 18h12m14s, and not after 30h0m0s",
		} {
			_, err := Cut{After: after}.Forecast(h.t.Context(), b)
			require.ErrorIs(h.t, err, tripplite.ErrRefused)
			require.ErrorContains(h.t, err, want)
		}
	})
}

// The steps of another configuration are other steps.
func TestAShutdownWithOtherStepsBeginsAnew(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*house)
		want   []string
	}{
		{"fewer", func(h *house) { h.config.Steps = h.config.Steps[2:] },
			[]string{"(warning)", "(acting)", "power off", "(done)"}},
		{"another", func(h *house) { h.config.Steps[0] = h.step("other", time.Second) },
			[]string{"(warning)", "(acting)", "other", "power off", "(done)"}},
		{"none", func(h *house) { h.config.Steps = nil }, []string{"(warning)", "(acting)", "(done)"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inHouse(t, "smart1500lcd", func(h *house) {
				h.config.Steps[0] = h.step("hook", 30*time.Second)
				h.start()
				h.ups.PowerFailure()
				h.pass(5*time.Minute + 20*time.Second)
				require.Equal(h.t, all[:3], h.happened())
				test.change(h)
				h.again(time.Second)
				h.pass(20 * time.Second)
				require.Equal(h.t, test.want, h.happened())
				kept, err := ReadFile(h.config.File)
				require.NoError(h.t, err)
				require.Equal(h.t, Acting, kept.Last.Phase, "what was begun before is kept")
			})
		})
	}
}

func TestThatNoUnitIsKnownIsNoSuccess(t *testing.T) {
	none := func() []string { return nil }
	s := &Situation{guard: New(nil, Config{})}
	for _, step := range []Step{
		CutLoad(nil, none, Cut{After: time.Minute}, 0), LateCut(nil, none, Cut{}, "nowhere", 0),
	} {
		require.ErrorIs(t, step.Do(t.Context(), s), tripplite.ErrNotFound)
	}
	require.False(t, s.guard.Status().Cuts)
}

func TestWhatAKilledProgramLeftOfAWriteIsRemoved(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		left := h.config.File + ".123456"
		require.NoError(h.t, os.WriteFile(left, []byte("{"), 0o600))
		h.start()
		require.NoFileExists(h.t, left)
		require.FileExists(h.t, h.config.File)
	})
}

// However short before the UPS is told: it refuses, and off the computer would stay off.
func TestLinePowerOfAMomentAgoRestartsTheComputerToo(t *testing.T) {
	for _, ago := range []time.Duration{0, 500 * time.Millisecond, 3 * time.Second} {
		t.Run(ago.String(), func(t *testing.T) {
			inHouse(t, "avr900u", func(h *house) {
				h.config.Steps[0] = Step{Name: "hook", Timeout: time.Minute,
					Do: func(context.Context, *Situation) error {
						h.note("hook")
						h.ups.PowerReturns()
						time.Sleep(ago)
						return nil
					}}
				h.start()
				h.ups.PowerFailure()
				h.pass(6 * time.Minute)
				require.Equal(h.t, beside, h.happened())
				require.Empty(h.t, h.ups.Writes())
			})
		})
	}
}

// systemd ends the program while the power off is under way.
func TestTheEndOfTheLastStepIsKept(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		off := func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		}
		h.config.Steps[2] = PowerOff(off, nil, time.Hour)
		h.start()
		h.ups.PowerFailure()
		h.pass(6 * time.Minute)
		h.stop()
		kept, err := ReadFile(h.config.File)
		require.NoError(h.t, err)
		require.NotNil(h.t, kept.Status.Steps[2].Ended)
		require.Empty(h.t, kept.Status.Steps[2].Error)
	})
}

func TestAHookFindsWhyInItsEnvironment(t *testing.T) {
	shell := program.Find(t, "sh")
	file := filepath.Join(t.TempDir(), "why")
	t.Setenv("OTHER", "kept")
	step := Hook([]string{shell, "-c", `echo "$TRIPPLITE_WHY $OTHER" > "$0"`, file}, 0)
	g := New(nil, Config{})
	g.status.Why = "rack: a charge of 12 %"
	require.NoError(t, step.Do(t.Context(), &Situation{guard: g}))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "rack: a charge of 12 % kept\n", string(text))
}
