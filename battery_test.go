package tripplite

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/usb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestGetReadsEveryCapture(t *testing.T) {
	for _, name := range capture.Names() {
		t.Run(name, func(t *testing.T) {
			b, _ := open(t, name)
			for range 2 {
				before := time.Now()
				state, err := b.Get(t.Context())
				require.True(t, HasState(err), "%v", err)
				assert.Equal(t, "1-1:1.0", state.Path)
				assert.False(t, state.Announced)
				assert.WithinRange(t, state.Time, before, time.Now())
				assert.JSONEq(t, expected(t, name), readWhole(t, b), "the expect of testdata/captures/%s.json, and what is read", name)
			}
		})
	}
}

func TestGetWithoutADescriptorReadsTheSame(t *testing.T) {
	for name, broken := range map[string][]byte{
		"none":    nil,
		"garbage": []byte("not a descriptor at all"),
		// A keyboard's: HID 1.11, appendix B.1, shortened.
		"without a status": {0x05, 0x01, 0x09, 0x06, 0xa1, 0x01, 0x05, 0x07, 0x75, 0x08, 0x95, 0x01, 0x81, 0x01, 0xc0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, unit := range []string{"smart1500lcd", "pro1500rt2u"} {
				b, _ := open(t, unit, WithReportDescriptor(broken))
				assert.JSONEq(t, expected(t, unit), readWhole(t, b), unit)
			}
		})
	}
}

func TestGetCostsNoMoreTransfersThanReadingsThatChange(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	_, err := b.Get(t.Context())
	require.NoError(t, err)
	ups.transfers()

	_, err = b.Get(t.Context())
	require.NoError(t, err)
	total, byID := ups.transfers()
	assert.Equal(t, map[byte]int{
		0x32: 1, 0x22: 1, 0x18: 1, 0x19: 1, 0x1b: 1, 0x47: 1, 0x1e: 1, 0x20: 1, 0x34: 1, 0x35: 1,
		0x15: 1,
	}, byID, "each report once, and neither nominal values nor copies of what another report says")
	assert.Equal(t, 11, total, "numat makes ten, and does not see a shutdown that is under way")
}

func TestGetAllocatesNothingInTheSteadyState(t *testing.T) {
	b, _ := open(t, "smart1500lcd")
	ctx := t.Context()
	_, err := b.Get(ctx)
	require.NoError(t, err)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := b.Get(ctx); err != nil {
			t.Fatal(err)
		}
	}))
}

func TestCallersThatWaitTogetherShareAReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ups := open(t, "smart1500lcd")
		_, err := b.Get(t.Context())
		require.NoError(t, err)
		ups.transfers()
		ups.setLatency(time.Millisecond)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				before := time.Now()
				state, err := b.Get(t.Context())
				assert.NoError(t, err)
				assert.False(t, state.Time.Before(before), "a status from before the call is none")
			})
		}
		all.Wait()
		total, _ := ups.transfers()
		assert.LessOrEqual(t, total, 2*11, "the first reading may begin before all have come")
	})
}

func TestACallerThatLeavesDoesNotEndTheReadingOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ups := open(t, "smart1500lcd")
		ups.setLatency(time.Second)
		short, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			_, err := b.Get(short)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		})
		all.Go(func() {
			state, err := b.Get(t.Context())
			assert.NoError(t, err)
			assert.Equal(t, ValueOf(true), state.Status.ACPresent)
		})
		all.Wait()
	})
}

func TestAReadingThatComesWithTheDeadlineCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ups := open(t, "smart1500lcd")
		_, err := b.Get(t.Context())
		require.NoError(t, err)
		ups.setLatency(time.Millisecond)
		for range 100 { // whichever of the two is seen first
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			state, err := b.Get(ctx)
			cancel()
			if err == nil {
				assert.Equal(t, ValueOf(true), state.Status.ACPresent)
			} else {
				assert.ErrorIs(t, err, context.DeadlineExceeded)
			}
		}
		w := b.queue.join(live)
		time.Sleep(time.Second)
		assert.True(t, b.queue.leave(w), "the result is there")
		assert.Equal(t, ValueOf(true), w.state.Status.ACPresent)
	})
}

func TestAReadingThatNobodyWaitsForEndsBeforeItsNextTransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ups := open(t, "smart1500lcd")
		ups.setLatency(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		_, err := b.Get(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(time.Minute)
		total, _ := ups.transfers()
		assert.Equal(t, 3, total)

		ups.setLatency(0)
		_, err = b.Get(t.Context())
		require.NoError(t, err, "and the next one is read")
	})
}

func TestSettingsAndReadingsAreReadInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ups := open(t, "smart1500lcd")
		ups.setLatency(time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				for ctx.Err() == nil {
					_, _ = b.Get(ctx)
				}
			})
		}
		for range 3 {
			settings, err := b.Settings(t.Context())
			require.NoError(t, err, "however many go on reading")
			assert.Equal(t, ValueOf(AlarmEnabled), settings.AudibleAlarmControl)
		}
		cancel()
		all.Wait()
	})
}

// wrongAnswers are the ways of one report to go wrong while the unit is there.
var wrongAnswers = []struct {
	name   string
	answer func([]byte) (int, error)
	says   string
}{
	{"fails", stall, "hid_error"},
	{"stalls", func([]byte) (int, error) { return 0, syscall.EPIPE }, "broken pipe"},
	{"is empty", empty, "answered with nothing"},
	{"is short", func([]byte) (int, error) { return 1, nil }, "0 bytes came of"},
	{"has another id", func(b []byte) (int, error) { b[0]++; return len(b), nil }, "answered with report"},
	{"has a negative length", func([]byte) (int, error) { return -1, nil }, "answered with nothing"},
}

func TestAReportThatFailsIsAbsentAndNamed(t *testing.T) {
	for _, wrong := range wrongAnswers {
		t.Run(wrong.name, func(t *testing.T) {
			b, ups := open(t, "smart1500lcd")
			_, err := b.Get(t.Context())
			require.NoError(t, err)

			ups.fail(0x18, wrong.answer)
			ups.fail(0x34, wrong.answer)
			for range 2 * refusalsDeclared {
				state, err := b.Get(t.Context())
				var partial *PartialError
				require.ErrorAs(t, err, &partial)
				require.Len(t, partial.Reports, 2)
				assert.Equal(t, "1-1:1.0", partial.Reports[0].Path)
				assert.Equal(t, byte(0x18), partial.Reports[0].ID)
				assert.Equal(t, "UPS.PowerConverter.Input.Voltage", partial.Reports[0].Name)
				require.ErrorContains(t, partial.Reports[0], wrong.says)
				assert.Equal(t, byte(0x34), partial.Reports[1].ID)
				require.NotErrorIs(t, err, ErrDisconnected)

				assert.Equal(t, Value[float64]{}, state.Input.Voltage)
				assert.Equal(t, Value[float64]{}, state.RemainingCapacity)
				assert.Equal(t, ValueOf(true), state.Status.ACPresent, "the rest is read")
				assert.Equal(t, ValueOf(59.7), state.Input.Frequency)
				assert.Equal(t, ValueOf(120.0), state.Config.Voltage)
			}
			ups.fail(0x18, nil)
			ups.fail(0x34, nil)
			state, err := b.Get(t.Context())
			require.NoError(t, err)
			assert.Equal(t, ValueOf(117.2), state.Input.Voltage, "and comes back")
		})
	}
}

func TestADeclaredReportIsNamedUntilItWasRefusedForLong(t *testing.T) {
	for _, wrong := range wrongAnswers {
		t.Run(wrong.name, func(t *testing.T) {
			b, ups := open(t, "smart1500lcd")
			ups.fail(0x47, wrong.answer)
			ups.fail(0x03, wrong.answer)
			for n := range refusalsDeclared - 1 {
				state, err := b.Get(t.Context())
				var partial *PartialError
				require.ErrorAs(t, err, &partial, "read %d", n)
				require.Len(t, partial.Reports, 2)
				assert.Equal(t, byte(0x03), partial.Reports[0].ID)
				assert.Equal(t, byte(0x47), partial.Reports[1].ID)
				assert.Equal(t, Value[float64]{}, state.Output.ActivePower)
			}
			ups.fail(0x03, nil)
			state, err := b.Get(t.Context())
			require.NoError(t, err, "the unit does not provide 0x47")
			assert.Equal(t, ValueOf(1500.0), state.Config.ApparentPower, "a nominal value is asked for until it is had")

			ups.transfers()
			for range 3 {
				_, err = b.Get(t.Context())
				require.NoError(t, err)
			}
			_, byID := ups.transfers()
			assert.NotContains(t, byID, byte(0x47))

			ups.fail(0x47, nil)
			for range askAgain {
				state, err = b.Get(t.Context())
				require.NoError(t, err)
			}
			assert.NotEqual(t, Value[float64]{}, state.Output.ActivePower, "it is asked for now and then")
		})
	}
}

func TestAPassingFailureAtTheOpeningLosesNoReading(t *testing.T) {
	for name, c := range map[string]struct {
		answer     func([]byte) (int, error)
		descriptor []Option
	}{
		"declared and empty":   {empty, nil},
		"without a descriptor": {stall, []Option{WithReportDescriptor(nil)}},
	} {
		t.Run(name, func(t *testing.T) {
			b, ups := open(t, "smart1500lcd", c.descriptor...)
			ups.fail(0x34, c.answer)
			state, err := b.Get(t.Context())
			require.True(t, HasState(err), "%v", err)
			assert.Equal(t, Value[float64]{}, state.RemainingCapacity)
			ups.fail(0x34, nil)
			state, err = b.Get(t.Context())
			require.NoError(t, err)
			assert.Equal(t, ValueOf(100.0), state.RemainingCapacity)
		})
	}
}

func TestAnAnswerThatIsNotOneIsAskedForAgain(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	ups.fail(0x18, sequence(empty, empty, says(0x18, 0x94, 0x04)))
	state, err := b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ValueOf(117.2), state.Input.Voltage)
}

func TestSurplusBytesAreIgnored(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	ups.fail(0x34, func(buffer []byte) (int, error) {
		assert.Len(t, buffer, 2, "the declared length is asked for")
		return copy(buffer, []byte{0x34, 0x63}) + 30, nil
	})
	state, err := b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ValueOf(99.0), state.RemainingCapacity)
}

func TestWithoutAStatusThereIsNoState(t *testing.T) {
	for _, wrong := range wrongAnswers {
		t.Run(wrong.name, func(t *testing.T) {
			for _, when := range []string{"from the start", "later"} {
				b, ups := open(t, "smart1500lcd")
				if when == "later" {
					_, err := b.Get(t.Context())
					require.NoError(t, err)
				}
				ups.fail(0x32, wrong.answer)
				state, err := b.Get(t.Context())
				var report *ReportError
				require.ErrorAs(t, err, &report, when)
				assert.Equal(t, byte(0x32), report.ID)
				require.ErrorContains(t, err, wrong.says)
				require.NotErrorIs(t, err, ErrDisconnected, "the unit answers for the rest")
				assert.Zero(t, state)

				ups.fail(0x32, nil)
				state, err = b.Get(t.Context())
				require.NoError(t, err)
				assert.Equal(t, ValueOf(true), state.Status.ACPresent)
			}
		})
	}
}

// The bytes are those of NUT #1268 (4003) and #3152 (a011): the status, and the charge under its
// id.
var trueStatus, falseStatus = says(0x32, 0x00, 0x00, 0x09), says(0x32, 0x64, 0x00, 0x00)

func TestAStatusWithPaddingSetIsNeverBelieved(t *testing.T) {
	for _, unit := range []string{"su3000rtxr3u", "ed2000rm2u"} {
		for how, opts := range hows {
			t.Run(unit+" "+how, func(t *testing.T) {
				b, ups := open(t, unit, opts...)
				for name, answers := range map[string][]func([]byte) (int, error){
					"every second time": {falseStatus, trueStatus},
					"twice in a row":    {falseStatus, falseStatus, trueStatus},
				} {
					ups.fail(0x32, sequence(append(answers, trueStatus)...))
					state, err := b.Get(t.Context())
					require.True(t, HasState(err), "%s: %v", name, err)
					assert.Equal(t, ValueOf(true), state.Status.ACPresent, name)
				}

				ups.fail(0x32, falseStatus)
				for range 5 {
					state, err := b.Get(t.Context())
					require.ErrorAs(t, err, new(*ReportError), "however often it comes")
					require.ErrorContains(t, err, "64 00 00 has bits set that mean nothing")
					assert.Zero(t, state)
				}

				ups.fail(0x32, sequence(falseStatus, says(0x32, 0x00, 0x00, 0x20)))
				state, err := b.Get(t.Context())
				require.True(t, HasState(err), "%v", err)
				assert.Equal(t, ValueOf(false), state.Status.ACPresent, "a true failure shows at once")
				assert.Equal(t, ValueOf(true), state.Status.Discharging)
			})
		}
	}
}

func TestAContradictionIsBelievedWhenItComesThreeTimes(t *testing.T) {
	neither, onBattery := says(0x32, 0x00), says(0x32, 0x08) // one byte: bit 1 ACPresent, bit 3 Discharging
	b, ups := open(t, "smart1500lcd")

	ups.fail(0x32, sequence(neither, neither, says(0x32, 0x46)))
	state, err := b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ValueOf(true), state.Status.ACPresent)

	ups.fail(0x32, sequence(neither, onBattery))
	state, err = b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ValueOf(true), state.Status.Discharging)

	ups.transfers()
	ups.fail(0x32, neither)
	state, err = b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ValueOf(false), state.Status.ACPresent)
	assert.Equal(t, ValueOf(false), state.Status.Discharging)
	_, byID := ups.transfers()
	assert.Equal(t, 3, byID[0x32])
}

func TestTheTimeOfAStateIsBeforeItsStatusWasAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ups := open(t, "smart1500lcd")
		start := time.Now()
		ups.setLatency(20 * time.Millisecond)
		state, err := b.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, start, state.Time)
	})
}

func TestAUnitThatAnswersNothingIsDisconnected(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	_, err := b.Get(t.Context())
	require.NoError(t, err)

	ups.setGone(true)
	for range 3 {
		state, err := b.Get(t.Context())
		require.ErrorIs(t, err, ErrDisconnected)
		require.ErrorContains(t, err, "1-1:1.0")
		assert.Zero(t, state, "neither an old value nor a zero passes for a reading")
		settings, err := b.Settings(t.Context())
		require.ErrorIs(t, err, ErrDisconnected)
		assert.Zero(t, settings)
	}

	ups.Set(0x01, 115)
	ups.setGone(false)
	state, err := b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ValueOf(115.0), state.Config.Voltage, "nominal values are read anew")
}

func TestAnErrorThatProvesTheLossCostsOneTransfer(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	_, err := b.Get(t.Context())
	require.NoError(t, err)
	ups.transfers()
	ups.fail(0x32, func([]byte) (int, error) { return 0, syscall.ENODEV })
	_, err = b.Get(t.Context())
	require.ErrorIs(t, err, ErrDisconnected)
	require.ErrorIs(t, err, syscall.ENODEV, "the cause is there to be asked for")
	total, _ := ups.transfers()
	assert.Equal(t, 1, total)
}

func TestAUnitThatIsLostInTheMiddleOfAReadYieldsNoState(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	_, err := b.Get(t.Context())
	require.NoError(t, err)
	for _, last := range []byte{0x32, 0x22, 0x19, 0x35} {
		ups.fail(last, func([]byte) (int, error) {
			ups.setGone(true)
			return 0, errTransfer
		})
		state, err := b.Get(t.Context())
		require.ErrorIs(t, err, ErrDisconnected, "after report 0x%02x", last)
		assert.Zero(t, state)
		ups.fail(last, nil)
		ups.setGone(false)
	}
}

// openAt makes a Battery of a unit of a host.
func openAt(t testing.TB, h *fakeHost, path string) *Battery {
	t.Helper()
	b := unopened(DeviceInfo{Path: path}, optionsOf([]Option{withHost(h)}))
	t.Cleanup(func() { assert.NoError(t, b.Close()) })
	return b
}

func fakes(t testing.TB, name string) *fakeUPS {
	ups, _ := newFakeUPS(t, name)
	return ups
}

func TestALostUnitIsOpenedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := fakes(t, "smart1500lcd")
		h := newFakeHost(map[string]*fakeUPS{"9-1:1.0": first})
		b := openAt(t, h, "9-1:1.0")
		state, err := b.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, ValueOf(117.2), state.Input.Voltage)

		h.unplug("9-1:1.0")
		state, err = b.Get(t.Context())
		require.ErrorIs(t, err, ErrDisconnected)
		assert.Zero(t, state)
		assert.Equal(t, 1, first.closes(), "a handle never recovers from a USB error, so it is closed")

		h.plug("9-1:1.0", fakes(t, "pro1500rt2u"))
		state, err = b.Get(t.Context())
		require.True(t, HasState(err), "the first Get after it is back: %v", err)
		assert.JSONEq(t, `{"ac present":true,"below remaining capacity":false,"charging":false,"discharging":false,"fully charged":true,
			"fully discharged":false,"needs replacement":false,"shutdown imminent":false,"internal failure":false,"voltage out of range":false,
			"overload":false,"over temperature":false,"boost":false,"buck":false,"used":true,"awaiting power":false}`,
			string(must(json.Marshal(state.Status))), "another model at the same port is read by its own descriptor")
		assert.Equal(t, ValueOf(36.0), state.Config.BatteryVoltage)
	})
}

func TestAMissingUnitIsLookedForLessAndLess(t *testing.T) {
	for name, c := range map[string]struct {
		refuse, want error
	}{
		"permission": {syscall.EACCES, ErrPermission},
		"busy":       {&usb.BusyError{Holder: "usbhid-ups, process 312"}, ErrBusy},
		"gone":       {syscall.ENOENT, ErrDisconnected},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newFakeHost(map[string]*fakeUPS{"9-1:1.0": fakes(t, "smart1500lcd")})
				h.refuse(c.refuse)
				b := openAt(t, h, "9-1:1.0")
				for range 300 {
					_, err := b.Get(t.Context())
					require.ErrorIs(t, err, c.want)
					time.Sleep(time.Millisecond)
				}
				assert.Equal(t, 3, h.opened(), "after 0, 50 and 150 ms")

				h.plug("9-1:1.0", fakes(t, "smart1500lcd"))
				for range 300 {
					_, err := b.Get(t.Context())
					require.ErrorIs(t, err, c.want)
					time.Sleep(time.Millisecond)
				}
				assert.Equal(t, 2*3, h.opened(), "and the same once it is plugged in anew")
				time.Sleep(time.Hour)
				h.refuse(nil)
				_, err := b.Get(t.Context())
				require.NoError(t, err)
			})
		})
	}
}

func TestABusyUnitNamesItsHolder(t *testing.T) {
	h := newFakeHost(map[string]*fakeUPS{"9-1:1.0": fakes(t, "smart1500lcd")})
	h.refuse(&usb.BusyError{Holder: "usbhid-ups, process 312"})
	_, err := Open("9-1:1.0", withHost(h))
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "9-1:1.0", e.Path)
	assert.Equal(t, "usbhid-ups, process 312", e.Holder)
	require.EqualError(t, err, "open 9-1:1.0: another program holds the UPS: stop it first (usbhid-ups, process 312)")
}

func TestGetReturnsWithItsContextWhileATransferHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ups := open(t, "smart1500lcd")
		answer, hanging, letGo := hang()
		defer letGo()
		ups.fail(0x32, answer)

		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error)
		go func() {
			_, err := b.Get(ctx)
			result <- err
		}()
		<-hanging
		cancel()
		require.ErrorIs(t, <-result, context.Canceled)

		// The device still has the transfer, so a second caller waits for it, as long as its own context
		// allows.
		short, cancelShort := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancelShort()
		_, err := b.Get(short)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "1-1:1.0")
		total, _ := ups.transfers()
		assert.Equal(t, 1, total)

		ups.fail(0x32, nil)
		letGo()
		_, err = b.Get(t.Context())
		require.NoError(t, err)
	})
}

func TestACancelledGetDoesNotTouchTheUnit(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Get(ctx)
	require.ErrorIs(t, err, context.Canceled)
	total, _ := ups.transfers()
	assert.Zero(t, total)
}

func TestCloseWaitsForATransferButNotForOneThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ups := open(t, "smart1500lcd")
		ups.setLatency(100 * time.Millisecond)
		go func() { _, _ = b.Get(t.Context()) }()
		synctest.Wait()
		start := time.Now()
		require.NoError(t, b.Close())
		assert.Equal(t, 100*time.Millisecond, time.Since(start))
		assert.Equal(t, 1, ups.closes(), "the device is closed after the transfer")
	})
	synctest.Test(t, func(t *testing.T) {
		b, ups := open(t, "smart1500lcd")
		answer, hanging, letGo := hang()
		ups.fail(0x32, answer)
		got := make(chan error, 1)
		go func() {
			_, err := b.Get(t.Context())
			got <- err
		}()
		<-hanging
		start := time.Now()
		require.NoError(t, b.Close())
		assert.LessOrEqual(t, time.Since(start), time.Second)
		require.ErrorIs(t, <-got, ErrClosed, "who waits is told at once")
		assert.Zero(t, ups.closes(), "a device is not closed under a transfer")
		letGo()
		synctest.Wait()
		assert.Equal(t, 1, ups.closes(), "but after it")
	})
}

func TestAfterCloseEveryCallSaysSo(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	require.NoError(t, b.Close())
	require.NoError(t, b.Close())
	assert.Equal(t, 1, ups.closes())
	_, err := b.Get(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	_, err = b.Settings(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	_, err = b.Dump(t.Context(), 0)
	require.ErrorIs(t, err, ErrClosed)
	var errs []error
	for state, err := range b.Watch(t.Context(), time.Second) {
		assert.Zero(t, state)
		errs = append(errs, err)
	}
	require.Len(t, errs, 1)
	require.ErrorIs(t, errs[0], ErrClosed)
}

func TestManyGoroutinesShareABattery(t *testing.T) {
	b, _ := open(t, "smart1500lcd")
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 20 {
				state, err := b.Get(t.Context())
				assert.NoError(t, err)
				assert.Equal(t, ValueOf(117.2), state.Output.Voltage)
			}
		})
	}
	all.Wait()
}

func TestAShortStatusDoesNotPassForTheShortLayout(t *testing.T) {
	// Without a descriptor the length of the answer tells the layout. 32 00 of 32 00 00 09 would
	// read as "no line power".
	b, ups := open(t, "pro1500rt2u", WithReportDescriptor(nil))
	short := says(0x32, 0x00)
	ups.fail(0x32, sequence(short, trueStatus))
	state, err := b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ValueOf(true), state.Status.ACPresent)

	ups.fail(0x32, short)
	state, err = b.Get(t.Context())
	require.ErrorContains(t, err, "1 bytes came of 3")
	assert.Zero(t, state)
}

func TestALayoutStaysOpenToBetterEvidence(t *testing.T) {
	// Two cut answers at the first contact select the short layout, in which 00 contradicts itself.
	short := says(0x32, 0x00)
	for _, cut := range [][]func([]byte) (int, error){
		{short, short, trueStatus},
		{short, short, short, short, short, short, trueStatus},
	} {
		b, ups := open(t, "pro1500rt2u", WithReportDescriptor(nil))
		ups.fail(0x32, sequence(cut...))
		_, _ = b.Get(t.Context())
		state, err := b.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, ValueOf(true), state.Status.ACPresent)
	}
}

func TestAStatusOfUnknownLayoutIsNoStatus(t *testing.T) {
	for name, status := range map[string][]byte{
		"two bytes":                     {0x32, 0x02, 0x00},
		"one byte with padding behind":  {0x32, 0x46, 0x00, 0x00},
		"nothing but the report number": {0x32},
	} {
		t.Run(name, func(t *testing.T) {
			b, ups := open(t, "smart1500lcd", WithReportDescriptor(nil))
			ups.fail(0x32, says(status...))
			state, err := b.Get(t.Context())
			require.ErrorAs(t, err, new(*ReportError))
			assert.Zero(t, state)
		})
	}
}

func TestALoggerGetsTheBytesOfEveryReport(t *testing.T) {
	var text strings.Builder
	logger := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b, _ := open(t, "smart1500lcd", WithLogger(logger))
	_, err := b.Get(t.Context())
	require.NoError(t, err)
	require.NoError(t, b.Close())
	assert.Contains(t, text.String(), `id=0x32 name=UPS.PowerSummary.PresentStatus bytes="32 46"`)
	assert.Contains(t, text.String(), "0x59 UPS.ffff0015.ffff007e, 32 bits at 0", "what is not understood is named")
}

func TestAFamilyThatIsGivenIsKept(t *testing.T) {
	for given, want := range map[string]string{"": "Tripp Lite 2xxx", "of my own": "of my own"} {
		info := DeviceInfo{VendorID: 0x09ae, ProductID: 0x2012, Family: given}
		b, _ := open(t, "smart1500lcd", WithDeviceInfo(info))
		assert.Equal(t, want, b.Info().Family)
	}
}

func TestNoLoggerIsNoLogging(t *testing.T) {
	b, _ := open(t, "smart1500lcd", WithLogger(nil))
	_, err := b.Get(t.Context())
	require.NoError(t, err)
}

func TestADumpListensBesideAWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ups := open(t, "smart1500lcd")
		turns := watch(t, b, time.Hour)
		require.NoError(t, turns.next().err)
		dumped := make(chan Dump)
		go func() {
			d, err := b.Dump(t.Context(), time.Minute)
			assert.NoError(t, err)
			dumped <- d
		}()
		time.Sleep(time.Second)
		ups.mainsFail()
		assert.Equal(t, ValueOf(false), turns.next().state.Status.ACPresent, "who watches is told meanwhile")
		d := <-dumped
		assert.Equal(t, []RawReport{{ID: 0x32, Bytes: []byte{0x32, 0x08}}}, d.Inputs)
		assert.NotEmpty(t, d.Features)
		assert.Equal(t, ups.descriptor, d.Descriptor)
	})
}

func TestADumpOfALostUnitFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost(map[string]*fakeUPS{"9-1:1.0": fakes(t, "smart1500lcd")})
		b := openAt(t, h, "9-1:1.0")
		go func() {
			time.Sleep(time.Second)
			h.unplug("9-1:1.0")
		}()
		start := time.Now()
		_, err := b.Dump(t.Context(), time.Minute)
		require.ErrorIs(t, err, ErrDisconnected)
		assert.Equal(t, time.Second, time.Since(start), "at once")
		_, err = b.Dump(t.Context(), time.Minute)
		require.ErrorIs(t, err, ErrDisconnected)
	})
}

func BenchmarkGet(b *testing.B) {
	ups, descriptor := newFakeUPS(b, "smart1500lcd")
	battery := New(ups, WithReportDescriptor(descriptor), WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
	defer battery.Close()
	ctx := context.Background()
	_, err := battery.Get(ctx)
	require.NoError(b, err)
	ups.transfers()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := battery.Get(ctx); err != nil {
			b.Fatal(err)
		}
	}
	total, _ := ups.transfers()
	b.ReportMetric(float64(total)/float64(b.N), "transfers/op")
}

func TestATimeoutOfTheStatusCostsNoOtherTransfer(t *testing.T) {
	// Through hidraw it has taken five seconds, in which no program can open a node.
	synctest.Test(t, func(t *testing.T) {
		ups := fakes(t, "smart1500lcd")
		h := newFakeHost(map[string]*fakeUPS{"9-1:1.0": ups})
		b := openAt(t, h, "9-1:1.0")
		_, err := b.Get(t.Context())
		require.NoError(t, err)
		timeout := func([]byte) (int, error) { return 0, syscall.ETIMEDOUT }
		ups.transfers()
		ups.fail(0x18, timeout)
		_, err = b.Get(t.Context())
		require.ErrorAs(t, err, new(*PartialError), "a report of a unit that answers otherwise")

		ups.transfers()
		ups.fail(0x32, timeout)
		_, err = b.Get(t.Context())
		require.ErrorIs(t, err, ErrDisconnected)
		require.ErrorIs(t, err, syscall.ETIMEDOUT)
		total, _ := ups.transfers()
		assert.Equal(t, 1, total)

		h.plugAgain("9-1:1.0", fakes(t, "smart1500lcd"))
		time.Sleep(hangWait - time.Millisecond)
		_, err = b.Get(t.Context())
		require.ErrorIs(t, err, ErrDisconnected, "it is left alone for a while")
		time.Sleep(time.Millisecond)
		_, err = b.Get(t.Context())
		require.NoError(t, err)
	})
}
