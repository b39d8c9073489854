package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var discard = slog.New(slog.DiscardHandler)

const path = "1-1:1.0" // of every UPS that a test makes, unless it says otherwise

// boot is a clock of a computer that has booted with the bubble.
type boot struct {
	id    string
	start time.Time
}

func (b *boot) now() (string, time.Duration) { return b.id, time.Since(b.start) }

// house is a UPS, the computer that it feeds, and what becomes of both.
type house struct {
	t      *testing.T
	ups    *tripplitetest.UPS
	bank   *tripplite.Bank
	config Config
	clock  *boot

	mu     sync.Mutex
	log    bytes.Buffer
	done   []string // steps, and phases in brackets
	guard  *Guard
	stop   func()
	refuse error // of the power off
	source Source
	save   func(string, any) error // nil is that of the Guard
}

func (h *house) note(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = append(h.done, what)
}

// happened returns what happened, and forgets it.
func (h *house) happened() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	done := h.done
	h.done = nil
	return done
}

func (h *house) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.Write(b)
}

func (h *house) logged() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.String()
}

// step makes a step that notes its name, and takes as long as it says.
func (h *house) step(name string, takes time.Duration) Step {
	return Step{Name: name, Does: "It does " + name, Timeout: time.Minute,
		Do: func(ctx context.Context, _ *Situation) error {
			h.note(name)
			select {
			case <-time.After(takes):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
}

func (h *house) end(name string) func(context.Context) error {
	return func(context.Context) error {
		h.note(name)
		return h.refuse
	}
}

// minutes is the limit of most tests: five minutes on battery.
var minutes = Limits{OnBattery: 5 * time.Minute}

// inHouse runs a test in a bubble. The Guard is configured and not yet started: a failure of 5 s is
// believed, a warning takes 10 s, the UPS is told to cut its load in two minutes.
func inHouse(t *testing.T, capture string, f func(*house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &house{t: t, ups: tripplitetest.NewUPS(t, capture), clock: &boot{"boot", time.Now()}}
		h.bank = tripplitetest.NewBank(t, h.ups)
		h.source = h.bank
		h.config = Config{
			Policy: Policy{Hold: 5 * time.Second, Limits: minutes},
			Armed:  true, Warning: 10 * time.Second,
			File: filepath.Join(t.TempDir(), "guard.json"),
			Log:  slog.New(slog.NewTextHandler(h, nil)),
			Changed: func(before Phase, now Status) {
				h.note(fmt.Sprintf("(%s)", now.Phase))
			},
		}
		h.config.Steps = []Step{
			h.step("hook", time.Second),
			CutLoad(h.bank, func() []string { return []string{path} },
				Cut{After: 2 * time.Minute, For: time.Minute}, 20*time.Second),
			PowerOff(h.end("power off"), h.end("restart"), 30*time.Second),
		}
		f(h)
		if h.stop != nil {
			h.stop()
		}
	})
}

// start starts the Guard. The UPS has been read when it returns.
func (h *house) start() {
	ctx, cancel := context.WithCancel(h.t.Context())
	h.guard = New(h.source, h.config)
	h.guard.clock = h.clock
	if h.save != nil {
		h.guard.save = h.save
	}
	go h.guard.Status() // may be asked for at any time
	ended := make(chan error, 1)
	go func() { ended <- h.guard.Run(ctx) }()
	h.stop = func() {
		cancel()
		require.ErrorIs(h.t, <-ended, context.Canceled)
		h.stop = nil
	}
	h.pass(7 * time.Second) // so that what it shows is believed
}

// pass lets a time pass.
func (h *house) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

var (
	all    = []string{"(warning)", "(acting)", "hook", "power off", "(done)"}
	beside = []string{"(warning)", "(acting)", "hook", "restart", "(done)"}
	begun2 = []string{"(warning)", "(watching)"}
)

func TestAtTheLimitTheComputerGoesDownAndThenTheUPSCutsTheLoad(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		h.start()
		h.ups.PowerFailure()
		h.pass(5*time.Minute - time.Second)
		require.Empty(h.t, h.happened())
		h.pass(5 * time.Second)
		require.Equal(h.t, []string{"(warning)"}, h.happened())
		require.Empty(h.t, h.ups.Writes())
		h.pass(15 * time.Second)
		require.Equal(h.t, all[1:], h.happened())

		writes := h.ups.Writes() // facts-commands.md 8: auto restart first, then the timer
		require.Len(h.t, writes, 2)
		require.Equal(h.t, []byte{0xb6, 1}, writes[0].Bytes)
		require.Equal(h.t, []byte{0x15, 120, 0}, writes[1].Bytes)
		require.True(h.t, h.ups.LoadOn())
		h.stop() // as systemd does
		h.pass(2 * time.Minute)
		require.False(h.t, h.ups.LoadOn())
		h.ups.PowerReturns()
		h.pass(time.Minute)
		require.True(h.t, h.ups.LoadOn())
	})
}

func TestLinePowerThatReturns(t *testing.T) {
	for _, test := range []struct {
		name  string
		after time.Duration // the failure
		want  []string
		cuts  bool
	}{
		{"a second before the limit", 5*time.Minute - time.Second, nil, false},
		{"during the warning", 5*time.Minute + 5*time.Second, begun2, false},
		{"while the steps are done", 5*time.Minute + 14*time.Second, all, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			inHouse(t, "smart1500lcd", func(h *house) {
				h.config.Steps[0] = h.step("hook", 5*time.Second)
				h.start()
				h.ups.PowerFailure()
				h.pass(test.after)
				h.ups.PowerReturns()
				h.pass(time.Minute)
				require.Equal(h.t, test.want, h.happened())
				require.Equal(h.t, test.cuts, len(h.ups.Writes()) > 0)
			})
		})
	}
}

// A 2010 has no start timer: told to cut its load on line power, it would stay off for good (Olum,
// facts-commands.md section 5).
func TestWhatCannotComeBackIsNotCutAndTheComputerRestarts(t *testing.T) {
	inHouse(t, "avr900u", func(h *house) {
		h.config.Steps[0] = h.step("hook", 20*time.Second)
		h.start()
		h.ups.PowerFailure()
		h.pass(5*time.Minute + 15*time.Second)
		h.ups.PowerReturns()
		h.pass(time.Minute)
		require.Equal(h.t, beside, h.happened())
		require.Empty(h.t, h.ups.Writes())
		require.Contains(h.t, h.logged(), "now it would stay off")
		require.Contains(h.t, h.guard.Status().Steps[1].Error, "refused")
	})
}

func TestEachFamilyIsToldWhatBringsItBack(t *testing.T) {
	for _, test := range []struct {
		capture string
		want    [][]byte // facts-commands.md section 8.2
	}{
		{"avr900u", [][]byte{{0x15, 120, 0}}},                        // 2010: on battery, 0x15 alone
		{"smart1500lcdt", [][]byte{{0x61, 180, 0}, {0x15, 120, 0}}},  // 3016: start timer in 0x61
		{"su1500rtxlcd2u", [][]byte{{0x16, 180, 0}, {0x15, 120, 0}}}, // 4004: start timer in 0x16
	} {
		t.Run(test.capture, func(t *testing.T) {
			inHouse(t, test.capture, func(h *house) {
				h.start()
				h.ups.PowerFailure()
				h.pass(6 * time.Minute)
				require.Equal(h.t, all, h.happened())
				var wrote [][]byte
				for _, w := range h.ups.Writes() {
					wrote = append(wrote, w.Bytes)
				}
				require.Equal(h.t, test.want, wrote)
			})
		})
	}
}

func TestNothingHappensWithoutAnOutage(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(*house)
	}{
		{"a unit that is lost on line power", func(h *house) { h.ups.Unplug(); h.pass(time.Minute) }},
		{"a drop", func(h *house) { h.ups.Unplug(); h.pass(15 * time.Second); h.ups.Replug() }},
		{"ten minutes of flags that flap", func(h *house) {
			for range 300 {
				h.ups.PowerFailure()
				h.pass(time.Second)
				h.ups.PowerReturns()
				h.pass(time.Second)
			}
		}},
		{"the charge in the place of the status", func(h *house) { // facts.md 4.7
			for range 100 {
				h.ups.AnswerReport(0x32, 0x32, 0x64, 0, 0)
				h.pass(5 * time.Second)
				h.ups.HealReport(0x32)
				h.pass(5 * time.Second)
			}
		}},
		{"a low battery on line power", func(h *house) { h.ups.LowBattery() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			inHouse(t, "smart1500lcd", func(h *house) {
				h.config.Policy.Limits = Limits{
					OnBattery: 10 * time.Second, Charge: 50, RunTime: time.Hour, Low: true, Lost: time.Minute}
				h.start()
				test.do(h)
				h.pass(90 * time.Second)
				require.Empty(h.t, h.happened())
				require.Empty(h.t, h.ups.Writes())
			})
		})
	}
}

// A self-test of a unit that never says whether there is line power shows as a power failure.
func TestASelfTestIsNoOutage(t *testing.T) {
	text, err := os.ReadFile("../testdata/captures/smart1500lcd.json")
	require.NoError(t, err)
	const acPresent, undefined = "09d0", "0900" // usages of the Battery System page
	require.Equal(t, 2, bytes.Count(text, []byte(acPresent)))
	mute := filepath.Join(t.TempDir(), "mute.json")
	text = bytes.ReplaceAll(text, []byte(acPresent), []byte(undefined))
	require.NoError(t, os.WriteFile(mute, text, 0o600))
	inHouse(t, mute, func(h *house) {
		h.config.Policy.Limits = Limits{OnBattery: 30 * time.Second}
		h.start()
		h.ups.SetStatus("Discharging", true)
		h.ups.AnswerReport(0x10, 0x10, 5) // a test is in progress (P2012)
		h.pass(4 * time.Minute)
		require.Empty(h.t, h.happened())
		h.ups.AnswerReport(0x10, 0x10, 1)
		h.pass(time.Minute)
		require.NotEmpty(h.t, h.happened(), "it discharges still, and tests no more")
	})
}

func TestAUnitThatIsLostOnBatteryTakesTheComputerDown(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		h.config.Policy.Limits = Limits{Lost: 3 * time.Minute}
		h.start()
		h.ups.PowerFailure()
		h.pass(30 * time.Second)
		h.ups.Unplug()
		h.pass(170 * time.Second)
		require.Empty(h.t, h.happened())
		h.pass(25 * time.Second)
		require.Equal(h.t, all[:3], h.happened())
		h.pass(25 * time.Second)
		require.Equal(h.t, all[3:], h.happened(), "the UPS that is not there holds it up no longer than allowed")
		require.Contains(h.t, h.guard.Status().Steps[1].Error, "not done in its time")
	})
}

// It tells a unit that is back in time, since nothing was written before.
func TestAUnitThatIsBackInTimeIsTold(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		h.config.Steps[0] = h.step("hook", 15*time.Second)
		h.start()
		h.ups.PowerFailure()
		h.pass(5*time.Minute + 20*time.Second)
		h.ups.Unplug()
		h.pass(20 * time.Second)
		h.ups.Replug()
		h.pass(time.Minute)
		require.Equal(h.t, all, h.happened())
		require.Len(h.t, h.ups.Writes(), 2)
	})
}

// A drop between the two writes: the load may be about to go, and nothing is written again.
func TestACommandIsNeverGivenTwice(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		h.start()
		h.ups.UnplugAfterWrites(1, 0)
		h.ups.PowerFailure()
		h.pass(5*time.Minute + 15*time.Second)
		h.ups.Replug()
		h.pass(30 * time.Second)
		require.Equal(h.t, all, h.happened())
		require.Len(h.t, h.ups.Writes(), 1)
	})
}

func TestAStepThatFailsOrHangsHoldsUpNothing(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		deaf := make(chan bool)
		h.config.Steps = []Step{
			{Name: "fails", Timeout: time.Minute, Do: func(context.Context, *Situation) error {
				h.note("fails")
				return errors.New("no such guest")
			}},
			h.step("slow", time.Hour),
			{Name: "deaf", Timeout: time.Minute, Do: func(context.Context, *Situation) error {
				h.note("deaf")
				<-deaf
				return nil
			}},
			PowerOff(h.end("power off"), nil, time.Minute),
		}
		h.start()
		h.ups.PowerFailure()
		h.pass(5*time.Minute + 15*time.Second + 2*time.Minute + grace)
		require.Equal(h.t,
			[]string{"(warning)", "(acting)", "fails", "slow", "deaf", "power off", "(done)"}, h.happened())
		steps := h.guard.Status().Steps
		require.Equal(h.t, "no such guest", steps[0].Error)
		require.Contains(h.t, steps[1].Error, "not done in its time")
		require.Contains(h.t, steps[2].Error, "not done in its time")
		close(deaf)
	})
}

func TestAPowerOffThatIsRefusedIsAskedForAgain(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		h.refuse = errors.New("a shutdown is blocked")
		h.config.Steps = []Step{PowerOff(h.end("power off"), nil, 12*time.Second)}
		h.start()
		h.ups.PowerFailure()
		h.pass(5*time.Minute + 30*time.Second)
		require.Equal(h.t, []string{
			"(warning)", "(acting)", "power off", "power off", "power off", "(done)"}, h.happened())
		h.pass(75 * time.Second)
		require.Len(h.t, h.happened(), 3, "and once more each minute while the computer is up")
	})
}

func TestADryRunTouchesNothingAndBeginsAnew(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		h.config.Armed = false
		h.start()
		for range 2 {
			h.ups.PowerFailure()
			h.pass(6 * time.Minute)
			require.Equal(h.t, []string{"(warning)", "(acting)", "(done)"}, h.happened())
			require.Contains(h.t, h.logged(), `would="It does hook"`)
			require.Contains(h.t, h.logged(), "would=\"The UPS is told to switch its load off after 2m and "+
				"to come back (shutdown.return). 1-1:1.0: Sets auto restart")
			require.Contains(h.t, h.logged(), `would="The system is asked to power off"`)
			h.ups.PowerReturns()
			h.pass(time.Minute)
			require.Equal(h.t, []string{"(watching)"}, h.happened())
		}
		require.Empty(h.t, h.ups.Writes())
	})
}

// again starts the Guard anew, after the program was killed for a while. Nothing is written at its
// end: it was killed.
func (h *house) again(after time.Duration) {
	kept, err := os.ReadFile(h.config.File)
	require.NoError(h.t, err)
	h.stop()
	require.NoError(h.t, os.WriteFile(h.config.File, kept, 0o600))
	h.pass(after)
	h.start()
}

func TestARestartGoesOnWithTheOutage(t *testing.T) {
	for _, test := range []struct {
		name string
		away time.Duration
		boot string
		acts bool // five minutes after the failure, and not after the restart
	}{
		{"the program was killed", time.Minute, "boot", true},
		{"the program was away for a quarter of an hour", 16 * time.Minute, "boot", false},
		{"the computer was restarted", time.Minute, "another boot", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			inHouse(t, "smart1500lcd", func(h *house) {
				h.start()
				h.ups.PowerFailure()
				h.pass(4 * time.Minute)
				h.clock.id = test.boot
				h.again(test.away)
				h.pass(20 * time.Second)
				require.Equal(h.t, test.acts, len(h.happened()) > 0)
				h.pass(5 * time.Minute)
				if !test.acts {
					require.Equal(h.t, all, h.happened())
				}
			})
		})
	}
}

func TestLinePowerThatIsBackAtTheRestartEndsTheOutage(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		h.start()
		h.ups.PowerFailure()
		h.pass(4 * time.Minute)
		h.ups.PowerReturns()
		h.again(2 * time.Minute)
		h.pass(10 * time.Minute)
		require.Empty(h.t, h.happened())
		require.Empty(h.t, h.guard.config.Policy.Outages())
	})
}

func TestARestartGoesOnWithTheNextStep(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		h.config.Steps[0] = h.step("hook", 30*time.Second)
		h.start()
		h.ups.PowerFailure()
		h.pass(5*time.Minute + 20*time.Second)
		require.Equal(h.t, all[:3], h.happened())
		h.again(time.Second)
		require.Equal(h.t, []string{"power off", "(done)"}, h.happened())
		require.Len(h.t, h.ups.Writes(), 2)

		h.again(time.Second)
		h.stop()
		kept, err := ReadFile(h.config.File)
		require.NoError(h.t, err)
		require.Equal(h.t, Done, kept.Last.Phase, "what was done last is kept")
	})
}

func TestAFileThatCannotBeReadOrWrittenStopsNothing(t *testing.T) {
	for _, test := range []struct{ name, file, text, says string }{
		{"it is broken", "guard.json", "{", "begins anew"},
		{"it cannot be written", "none/guard.json", "", "cannot be kept"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inHouse(t, "smart1500lcd", func(h *house) {
				h.config.File = filepath.Join(h.t.TempDir(), test.file)
				if test.text != "" {
					require.NoError(h.t, os.WriteFile(h.config.File, []byte(test.text), 0o600))
				}
				h.start()
				h.ups.PowerFailure()
				h.pass(6 * time.Minute)
				require.Equal(h.t, all, h.happened())
				require.Contains(h.t, h.logged(), test.says)
			})
		})
	}
}

func TestKillPowerTellsTheUPSOnce(t *testing.T) {
	inHouse(t, "smart1500lcd", func(h *house) {
		late := filepath.Join(h.t.TempDir(), "kill-power")
		h.config.Steps[1] = LateCut(h.bank, func() []string { return []string{path} },
			Cut{After: 15 * time.Second, For: time.Minute}, late, 20*time.Second)
		open := func(paths []string) Source {
			require.Equal(h.t, []string{path}, paths)
			return h.bank
		}
		kill := func(id string) error {
			return killPower(h.t.Context(), late, open, h.config.Log, &boot{id, h.clock.start})
		}
		require.NoError(h.t, kill("boot"), "there is nothing to do")
		h.start()
		h.ups.PowerFailure()
		h.pass(6 * time.Minute)
		require.Equal(h.t, all, h.happened())
		require.Empty(h.t, h.ups.Writes())

		kept, err := os.ReadFile(late)
		require.NoError(h.t, err)
		require.ErrorContains(h.t, kill("another boot"), "of an earlier boot")
		require.NoError(h.t, kill("boot"), "the file is gone")
		require.Empty(h.t, h.ups.Writes())

		require.NoError(h.t, os.WriteFile(late, kept, 0o600))
		require.NoError(h.t, kill("boot"))
		require.Len(h.t, h.ups.Writes(), 2)
		require.NoError(h.t, kill("boot"))
		require.Empty(h.t, h.ups.Writes(), "it is not told again")
	})
}

func TestASourceThatEndsIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bank := tripplitetest.NewBank(t, tripplitetest.NewUPS(t, "smart1500lcd"))
		require.NoError(t, bank.Close())
		require.ErrorIs(t, New(bank, Config{}).Run(t.Context()), tripplite.ErrClosed)
	})
}
