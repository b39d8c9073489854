package tripplite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
)

// commandedUnit notes what is written to a captured unit, and when.
type commandedUnit struct {
	*fakeUPS
	mu     sync.Mutex
	writes []noted
	write  func(n int, b []byte) error // decides about the nth write, nil takes it
	ignore bool                        // takes writes and does nothing
}

type noted struct {
	at    time.Time
	bytes string
}

func (u *commandedUnit) SendFeatureReport(b []byte) (int, error) {
	u.mu.Lock()
	u.writes = append(u.writes, noted{time.Now(), fmt.Sprintf("% x", b)})
	n, write, ignore := len(u.writes), u.write, u.ignore
	u.mu.Unlock()
	if write != nil {
		if err := write(n, b); err != nil {
			return 0, err
		}
	}
	if ignore {
		return len(b), nil
	}
	return u.Device.SendFeatureReport(b)
}

// written returns the bytes of the writes.
func (u *commandedUnit) written() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var all []string
	for _, w := range u.writes {
		all = append(all, w.bytes)
	}
	return all
}

// commanding makes a unit in a bubble. Each transfer takes a millisecond.
func commanding(
	t *testing.T, name string, f func(t *testing.T, b *Battery, u *commandedUnit), opts ...Option,
) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ups, descriptor := newFakeUPS(t, name)
		ups.setLatency(time.Millisecond)
		u := &commandedUnit{fakeUPS: ups}
		own := []Option{WithReportDescriptor(descriptor),
			WithDeviceInfo(DeviceInfo{Path: "1-1:1.0", VendorID: 0x09ae, ProductID: 0x2012})}
		b := New(u, append(own, opts...)...)
		t.Cleanup(func() { assert.NoError(t, b.Close()) })
		f(t, b, u)
	})
}

// onBattery has a unit say that line power failed, by the layout of a 2010 and a 2012.
func (u *commandedUnit) onBattery() { u.Set(0x32, 0x08) }

const minute = time.Minute

// What each command writes on each family. The writes are those of facts about the reports: the
// usages and values of the HID Usage Tables for Power Devices, the maker's document of protocol 2012
// (0xb6), owners' reports (NUT #799, nut-upsuser 2018-January 011020 to 011022).
func TestCommandsWriteWhatTheFactsSay(t *testing.T) {
	for _, test := range []struct {
		unit    string
		battery bool // whether line power has failed
		command Command
		want    []string
	}{
		{"smart1500lcd", false, Command{Name: BeeperDisable}, []string{"11 01"}},
		{"smart1500lcd", false, Command{Name: BeeperEnable}, []string{"11 02"}},
		{"bcpers450", false, Command{Name: BeeperMute}, []string{"11 03"}},
		{"smart1500lcd", false, Command{Name: TestQuick}, []string{"10 01"}},
		{"smart1500lcd", false, Command{Name: TestDeep}, []string{"10 02"}},
		{"smart1500lcd", false, Command{Name: TestStop}, []string{"10 03"}},
		{"smart1500lcd", false, Command{Name: LoadOff}, []string{"15 00 00"}},
		{"smart1500lcd", false, Command{Name: LoadOff, After: minute}, []string{"15 3c 00"}},
		{"smart1500lcd", false, Command{Name: LoadOff, After: 65534 * time.Second},
			[]string{"15 fe ff"}},
		{"smart1500lcd", false, Command{Name: ShutdownReturn, After: minute},
			[]string{"b6 01", "15 3c 00"}},
		{"smart1500lcd", true, Command{Name: ShutdownReturn, After: minute},
			[]string{"b6 01", "15 3c 00"}},
		{"smart1500lcd", false, Command{Name: ShutdownStay, After: minute},
			[]string{"b6 00", "15 3c 00"}},
		{"smart1500lcd", false, Command{Name: ShutdownReboot, For: 10 * time.Second},
			[]string{"17 0a 00"}},
		{"smart1500lcd", false, Command{Name: ShutdownStop}, []string{"15 ff ff"}},
		{"smart1500lcd", false, Command{Name: WatchdogStop}, []string{"52 00"}},
		{"smart1500lcd", false, Command{Name: SetAutoRestart}, []string{"b6 00"}},
		{"smart1500lcd", false, Command{Name: SetAutoRestart, Value: 1}, []string{"b6 01"}},

		{"bcpers450", true, Command{Name: ShutdownReturn, After: minute}, []string{"15 3c 00"}},
		{"bcpers450", false, Command{Name: ShutdownStay, After: minute}, []string{"15 3c 00"}},
		{"bcpers450", false, Command{Name: ShutdownReboot, For: 2 * time.Second},
			[]string{"17 02 00"}},

		// The descriptor of a 3016 has the start timer of seconds in report 0x61.
		{"smart1500lcdt", false, Command{Name: ShutdownReturn, After: minute, For: minute},
			[]string{"61 78 00", "15 3c 00"}},
		{"smart1500lcdt", false, Command{Name: ShutdownStay, After: minute},
			[]string{"61 ff ff", "15 3c 00"}},
		{"smart1500lcdt", false, Command{Name: LoadOn}, []string{"61 00 00"}},
		{"smart1500lcdt", false, Command{Name: LoadOn, After: 10 * time.Second},
			[]string{"61 0a 00"}},
		// A 3012 and a 4004 have it in 0x16.
		{"smart1500slt", false, Command{Name: ShutdownReturn, After: minute, For: minute},
			[]string{"16 78 00", "15 3c 00"}},
		{"su1500rtxlcd2u", false, Command{Name: ShutdownReturn, After: minute, For: minute},
			[]string{"16 78 00", "15 3c 00"}},
		{"su1500rtxl2ua", false, Command{Name: ShutdownReturn, After: minute, For: minute},
			[]string{"61 78 00", "15 3c 00"}},
		{"su1500rtxl2ua", false, Command{Name: ShutdownStop}, []string{"15 ff ff"}}, // 0 is idle
	} {
		commanding(t, test.unit, func(t *testing.T, b *Battery, u *commandedUnit) {
			if test.battery {
				u.onBattery()
			}
			writes, err := b.DryRun(t.Context(), test.command)
			require.NoError(t, err, "%s %+v", test.unit, test.command)
			var dry []string
			for _, w := range writes {
				dry = append(dry, fmt.Sprintf("% x", w.Bytes))
				assert.NotEmpty(t, w.Name)
			}
			assert.Equal(t, test.want, dry)
			assert.Empty(t, u.written(), "a dry run writes nothing")

			require.NoError(t, b.Do(t.Context(), test.command), "%s %+v", test.unit, test.command)
			assert.Equal(t, test.want, u.written(), "%s %+v", test.unit, test.command)
		})
	}
}

func TestCommandsThatAUnitCannotDoAreRefusedWithTheReason(t *testing.T) {
	for _, test := range []struct {
		unit    string
		battery bool
		command Command
		is      error
		text    string
	}{
		{"bcpers450", false, Command{Name: ShutdownReturn, After: minute}, ErrRefused,
			"now it would stay off"},
		{"bcpers450", true, Command{Name: ShutdownStay, After: minute}, ErrRefused,
			"on battery its load comes back with line power"},
		{"bcpers450", false, Command{Name: LoadOn}, ErrUnsupported,
			"0x61 (UPS.OutletSystem.Outlet.DelayBeforeStartup)"},
		{"bcpers450", false, Command{Name: TestQuick}, ErrUnsupported,
			"0x10 (UPS.BatterySystem.Test)"},
		{"bcpers450", false, Command{Name: SetAutoRestart}, ErrUnsupported, "0xb6 (UPS."},
		{"avr750u", false, Command{Name: ShutdownReboot, For: minute}, ErrUnsupported,
			"0x17 (UPS.OutletSystem.Outlet.DelayBeforeReboot)"}, // and no watchdog in its place
		// Its bytes are not in the source of the capture: the unit answers with none.
		{"unit-3016", false, Command{Name: LoadOff}, ErrUnsupported, "does not answer for report 0x15"},
		{"smart1500lcd", false, Command{Name: "shutdown.retrun"}, ErrRefused, `"shutdown.retrun"`},
		{"smart1500lcd", false, Command{Name: ResetMinMax}, ErrRefused, "no unit of this kind"},

		{"smart1500lcd", false, Command{Name: ShutdownReturn}, ErrRefused, `needs a time "after"`},
		{"smart1500lcd", false, Command{Name: ShutdownReboot}, ErrRefused, `needs a time "for"`},
		{"smart1500lcd", false, Command{Name: LoadOff, After: 1500 * time.Millisecond}, ErrRefused,
			"whole seconds"},
		{"smart1500lcd", false, Command{Name: LoadOff, After: time.Millisecond}, ErrRefused,
			"whole seconds"},
		{"smart1500lcd", false, Command{Name: LoadOff, After: 4 * time.Second}, ErrRefused, "5s"},
		{"smart1500lcd", false, Command{Name: LoadOff, After: -minute}, ErrRefused, "-1m0s"},
		{"smart1500lcd", false, Command{Name: LoadOff, After: 65535 * time.Second}, ErrRefused,
			"18h12m14s"},
		{"smart1500lcd", false, Command{Name: Watchdog, After: 256 * time.Second}, ErrRefused, "4m15s"},
		{"smart1500lcd", false, Command{Name: Watchdog}, ErrRefused, `needs a time "after"`},
		{"smart1500lcd", false, Command{Name: BeeperEnable, After: minute}, ErrRefused, "no time"},
		{"smart1500lcd", false, Command{Name: ShutdownReturn, After: minute, For: minute}, ErrRefused,
			`no time "for"`},
		{"smart1500lcd", false, Command{Name: SetAutoRestart, Value: 2}, ErrRefused, "0 or 1"},
		{"smart1500lcdt", false,
			Command{Name: ShutdownReturn, After: 40000 * time.Second, For: 30000 * time.Second},
			ErrRefused, "together"},
	} {
		commanding(t, test.unit, func(t *testing.T, b *Battery, u *commandedUnit) {
			if test.battery {
				u.onBattery()
			}
			for _, do := range []func() error{
				func() error { return b.Do(t.Context(), test.command) },
				func() error { _, err := b.DryRun(t.Context(), test.command); return err },
			} {
				err := do()
				assert.ErrorIs(t, err, test.is, "%s %+v", test.unit, test.command)
				assert.ErrorContains(t, err, test.text)
				assert.ErrorContains(t, err, "do "+test.command.Name+" 1-1:1.0: ")
			}
			assert.Empty(t, u.written(), "nothing is written in its place")
		})
	}
}

// A unit whose only start timer counts minutes is not guessed at.
func TestAStartTimerOfMinutesIsNotUsed(t *testing.T) {
	c, err := capture.Load("su3000rtxr3u")
	require.NoError(t, err)
	descriptor := slices.Clone(c.UPS().Descriptor)
	i := strings.Index(string(descriptor), "\x85\x61")
	require.Positive(t, i)
	descriptor[i+1] = 0x7d // the timer of seconds is in a report that does not answer
	commanding(t, "su3000rtxr3u", func(t *testing.T, b *Battery, u *commandedUnit) {
		for _, name := range []string{ShutdownReturn, ShutdownStay} {
			err := b.Do(t.Context(), Command{Name: name, After: minute})
			assert.ErrorIs(t, err, ErrRefused)
			assert.ErrorContains(t, err, "minutes")
		}
		assert.Empty(t, u.written())
	}, WithReportDescriptor(descriptor))
}

func TestTheWriteThatCutsTheLoadIsTheLastAndNotTooSoon(t *testing.T) {
	for unit, command := range map[string]Command{
		"smart1500lcd":  {Name: ShutdownReturn, After: minute},
		"smart1500lcdt": {Name: ShutdownReturn, After: minute, For: minute},
	} {
		commanding(t, unit, func(t *testing.T, b *Battery, u *commandedUnit) {
			require.NoError(t, b.Do(t.Context(), command))
			require.Len(t, u.writes, 2)
			assert.Equal(t, "15 3c 00", u.writes[1].bytes)
			assert.GreaterOrEqual(t, u.writes[1].at.Sub(u.writes[0].at), 125*time.Millisecond)
		})
	}
}

func TestWritesOfManyCallersAreApart(t *testing.T) {
	commanding(t, "smart1500lcd", func(t *testing.T, b *Battery, u *commandedUnit) {
		ctx, cancel := context.WithCancel(t.Context())
		var readers, writers sync.WaitGroup
		readers.Go(func() {
			for ctx.Err() == nil {
				state, err := b.Get(t.Context())
				assert.NoError(t, err)
				assert.Equal(t, ValueOf(117.2), state.Input.Voltage, "no Get is torn")
			}
		})
		for i := range 10 {
			writers.Go(func() {
				name := []string{BeeperEnable, BeeperDisable}[i%2]
				assert.NoError(t, b.Do(t.Context(), Command{Name: name}))
				assert.NoError(t, b.Do(t.Context(), Command{Name: ShutdownReturn, After: minute}))
			})
		}
		writers.Wait()
		cancel()
		readers.Wait()
		require.Len(t, u.writes, 10+2*10)
		for i := 1; i < len(u.writes); i++ {
			assert.GreaterOrEqual(t, u.writes[i].at.Sub(u.writes[i-1].at), 125*time.Millisecond)
			if strings.HasPrefix(u.writes[i].bytes, "15 ") {
				assert.Equal(t, "b6 01", u.writes[i-1].bytes, "a pair is not torn")
			}
		}
	})
}

func TestAUnitThatIgnoresAWriteIsReported(t *testing.T) {
	for _, command := range []Command{
		{Name: BeeperDisable}, {Name: TestQuick}, {Name: LoadOff, After: minute},
		{Name: ShutdownReturn, After: minute}, {Name: ShutdownReboot, For: minute},
		{Name: SetAutoRestart}, {Name: Watchdog, After: minute},
	} {
		commanding(t, "smart1500lcd", func(t *testing.T, b *Battery, u *commandedUnit) {
			u.ignore = true
			begun := time.Now()
			err := b.Do(t.Context(), command)
			require.ErrorIs(t, err, ErrIgnored, "%+v", command)
			assert.ErrorContains(t, err, "was written")
			assert.Less(t, time.Since(begun), 3*time.Second)
			writes := u.written()
			slices.Sort(writes)
			assert.Equal(t, slices.Compact(slices.Clone(writes)), writes, "nothing is written twice")
		})
	}
}

// The maker's document of protocol 2012 says that mute is not supported.
func TestMutingA2012IsNotActedOn(t *testing.T) {
	commanding(t, "smart1500lcd", func(t *testing.T, b *Battery, u *commandedUnit) {
		assert.ErrorIs(t, b.Do(t.Context(), Command{Name: BeeperMute}), ErrIgnored)
		assert.Equal(t, []string{"11 03"}, u.written())
	})
}

func TestAValueThatLagsIsWaitedFor(t *testing.T) {
	commanding(t, "smart1500lcd", func(t *testing.T, b *Battery, u *commandedUnit) {
		u.ignore = true
		time.AfterFunc(600*time.Millisecond, func() { u.Set(0x15, 0x3b, 0) })
		require.NoError(t, b.Do(t.Context(), Command{Name: LoadOff, After: minute}))
		state, err := b.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, ValueOf(59*time.Second), state.DelayBeforeShutdown)
		assert.Equal(t, "load off in 59 s", state.Alerts()[0].Text)
		assert.Contains(t, state.String(), "load off in 59 s")
	})
}

func TestALossBetweenTheWritesOfAPairSaysWhichWasWritten(t *testing.T) {
	for name, err := range map[string]error{"gone": syscall.ENODEV, "hanging": syscall.ETIMEDOUT} {
		commanding(t, "smart1500lcd", func(t *testing.T, b *Battery, u *commandedUnit) {
			u.write = func(n int, _ []byte) error {
				if n == 2 {
					return err
				}
				return nil
			}
			err := b.Do(t.Context(), Command{Name: ShutdownReturn, After: minute})
			require.ErrorIs(t, err, ErrUncertain, name)
			assert.ErrorContains(t, err, "b6 01 (UPS.OutletSystem.Outlet.ffff00c7) was written")
			assert.ErrorContains(t, err, "writing 15 3c 00 (")
			assert.Equal(t, []string{"b6 01", "15 3c 00"}, u.written(), "and nothing again")
		})
	}
}

func TestAFirstWriteThatFailsIsTheOnlyOne(t *testing.T) {
	for name, test := range map[string]struct{ write, want error }{
		"a stall": {syscall.EPIPE, ErrRefused}, "gone": {syscall.ENODEV, ErrUncertain},
	} {
		commanding(t, "smart1500lcd", func(t *testing.T, b *Battery, u *commandedUnit) {
			u.Set(0xb6, 0)
			u.write = func(int, []byte) error { return test.write }
			err := b.Do(t.Context(), Command{Name: ShutdownReturn, After: minute})
			require.ErrorIs(t, err, test.want, name)
			assert.Equal(t, []string{"b6 01"}, u.written())
		})
	}
}

func TestWhatWasWrittenBeforeARefusalIsPutBack(t *testing.T) {
	for unit, back := range map[string]string{
		"smart1500lcd":   "b6 00",
		"smart1500lcdt":  "61 ff ff",
		"su1500rtxlcd2u": "16 ff ff", // 0 is idle there, and to write it would switch the load on
	} {
		commanding(t, unit, func(t *testing.T, b *Battery, u *commandedUnit) {
			c := Command{Name: ShutdownReturn, After: minute, For: minute}
			if unit == "smart1500lcd" {
				u.Set(0xb6, 0)
				c.For = 0
			}
			u.write = func(n int, b []byte) error {
				if b[0] == 0x15 {
					return syscall.EPIPE
				}
				return nil
			}
			err := b.Do(t.Context(), c)
			require.ErrorIs(t, err, ErrRefused)
			assert.ErrorContains(t, err, back+" (")
			assert.ErrorContains(t, err, "was put back")
			writes := u.written()
			require.Len(t, writes, 3)
			assert.Equal(t, back, writes[2])
		})
	}
}

// hidapi's error has no cause: the unit tells what became of the write.
func TestAfterAnErrorWithoutACauseTheUnitIsAsked(t *testing.T) {
	commanding(t, "smart1500lcd", func(t *testing.T, b *Battery, u *commandedUnit) {
		u.write = func(int, []byte) error { return errTransfer } // and nothing was taken
		assert.ErrorIs(t, b.Do(t.Context(), Command{Name: BeeperDisable}), ErrRefused)
		u.write = func(_ int, b []byte) error { // and it was taken
			_, _ = u.Device.SendFeatureReport(b)
			return errTransfer
		}
		assert.NoError(t, b.Do(t.Context(), Command{Name: BeeperDisable}))
		assert.Equal(t, []string{"11 01", "11 01"}, u.written(), "once for each command")
	})
}

func TestAUnitThatLeavesBeforeItIsReadBackIsUncertain(t *testing.T) {
	commanding(t, "smart1500lcd", func(t *testing.T, b *Battery, u *commandedUnit) {
		u.write = func(int, []byte) error { u.setGone(true); return nil }
		err := b.Do(t.Context(), Command{Name: LoadOff, After: minute})
		require.ErrorIs(t, err, ErrUncertain)
		assert.ErrorContains(t, err, "15 3c 00 (")
		u.setGone(false)
		_, err = b.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{"15 3c 00"}, u.written(), "it is not written again")
	})
}

func TestACommandThatWaitedWhileTheUnitWasOpenedAnewIsNotGiven(t *testing.T) {
	commanding(t, "smart1500lcd", func(t *testing.T, b *Battery, u *commandedUnit) {
		_, err := b.Get(t.Context())
		require.NoError(t, err)
		u.setLatency(time.Second)
		u.setGone(true)
		get := make(chan error, 1)
		go func() {
			_, err := b.Get(t.Context())
			get <- err
		}()
		synctest.Wait() // the read is under way
		do := make(chan error, 1)
		go func() { do <- b.Do(t.Context(), Command{Name: LoadOff}) }()
		synctest.Wait()
		u.setGone(false)
		require.ErrorIs(t, <-get, ErrDisconnected)
		assert.ErrorIs(t, <-do, ErrDisconnected)
		assert.Empty(t, u.written())
	})
}

func TestACommandIsNotBegunOnceItsContextIsDone(t *testing.T) {
	commanding(t, "smart1500lcd", func(t *testing.T, b *Battery, u *commandedUnit) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		assert.ErrorIs(t, b.Do(ctx, Command{Name: LoadOff}), context.Canceled)

		u.setLatency(time.Second) // so that it ends while the unit is read
		ctx, cancel = context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begun := time.Now()
		assert.ErrorIs(t, b.Do(ctx, Command{Name: LoadOff}), context.DeadlineExceeded)
		assert.Equal(t, 3*time.Second, time.Since(begun))
		time.Sleep(time.Minute)
		assert.Empty(t, u.written())
	})
}

func TestAPairIsNotTornByItsContext(t *testing.T) {
	commanding(t, "smart1500lcd", func(t *testing.T, b *Battery, u *commandedUnit) {
		ctx, cancel := context.WithCancel(t.Context())
		u.write = func(n int, _ []byte) error { cancel(); return nil }
		require.NoError(t, b.Do(ctx, Command{Name: ShutdownReturn, After: minute}))
		assert.Equal(t, []string{"b6 01", "15 3c 00"}, u.written())
	})
}

func TestACloseWhileACommandIsWrittenLeavesItUncertain(t *testing.T) {
	commanding(t, "smart1500lcd", func(t *testing.T, b *Battery, u *commandedUnit) {
		u.write = func(n int, _ []byte) error {
			if n == 1 {
				go b.Close()
				time.Sleep(10 * time.Millisecond)
			}
			return nil
		}
		err := b.Do(t.Context(), Command{Name: ShutdownReturn, After: minute})
		require.ErrorIs(t, err, ErrUncertain)
		time.Sleep(time.Minute)
		assert.Equal(t, []string{"b6 01", "15 3c 00"}, u.written(), "the pair is finished all the same")
		assert.ErrorIs(t, b.Do(t.Context(), Command{Name: LoadOff}), ErrClosed)
	})
}

func TestShutdownStopCancelsWhatRunsAndNothingElse(t *testing.T) {
	for _, test := range []struct {
		start, reboot []byte
		want          []string
	}{
		{[]byte{0xff, 0xff}, []byte{0xff, 0xff}, []string{"15 ff ff"}},
		{[]byte{0, 0}, []byte{0, 0}, []string{"15 ff ff"}},
		{[]byte{20, 0}, []byte{0xff, 0xff}, []string{"15 ff ff", "61 ff ff"}},
		{[]byte{0, 0}, []byte{9, 0}, []string{"15 ff ff", "17 ff ff"}},
	} {
		commanding(t, "smart1500lcdt", func(t *testing.T, b *Battery, u *commandedUnit) {
			u.Set(0x15, 43, 0)
			u.Set(0x61, test.start...)
			u.Set(0x17, test.reboot...)
			require.NoError(t, b.Do(t.Context(), Command{Name: ShutdownStop}))
			assert.Equal(t, test.want, u.written())
			state, err := b.Get(t.Context())
			require.True(t, HasState(err), "%v", err)
			assert.Zero(t, state.DelayBeforeShutdown)
		})
	}
}

// What becomes of the load of a reboot that is cancelled, nobody knows.
func TestCancellingARebootSaysThatTheLoadMayStayOff(t *testing.T) {
	commanding(t, "smart1500lcd", func(t *testing.T, b *Battery, u *commandedUnit) {
		for _, runs := range []bool{false, true} {
			if runs {
				u.Set(0x17, 9, 0)
			}
			infos, err := b.Commands(t.Context())
			require.NoError(t, err)
			i := slices.IndexFunc(infos, func(c CommandInfo) bool { return c.Name == ShutdownStop })
			assert.Equal(t, runs, infos[i].CutsLoad)
			assert.Equal(t, runs, strings.Contains(infos[i].Text, "it may stay so"))
		}
	})
}

func TestCloseStopsTheWatchdogThatItsBatteryArmed(t *testing.T) {
	for _, test := range []struct {
		commands []Command
		want     []string
	}{
		{[]Command{{Name: Watchdog, After: minute}}, []string{"52 3c", "52 00"}},
		{[]Command{{Name: Watchdog, After: minute}, {Name: WatchdogStop}}, []string{"52 3c", "52 00"}},
		{[]Command{{Name: Watchdog, After: minute}, {Name: BeeperEnable}},
			[]string{"52 3c", "11 02", "52 00"}},
		{[]Command{{Name: BeeperEnable}}, []string{"11 02"}},
	} {
		commanding(t, "smart1500lcd", func(t *testing.T, b *Battery, u *commandedUnit) {
			for _, c := range test.commands {
				require.NoError(t, b.Do(t.Context(), c))
			}
			require.NoError(t, b.Close())
			assert.Equal(t, test.want, u.written())
		})
	}
}

func TestCommandsOfAUnitSayWhatTheyDoThere(t *testing.T) {
	list := func(t *testing.T, b *Battery) map[string]CommandInfo {
		infos, err := b.Commands(t.Context())
		require.NoError(t, err)
		found := map[string]CommandInfo{}
		for _, info := range infos {
			assert.NotEmpty(t, info.Text, info.Name)
			found[info.Name] = info
		}
		return found
	}
	commanding(t, "bcpers450", func(t *testing.T, b *Battery, u *commandedUnit) {
		infos := list(t, b)
		assert.ElementsMatch(t, []string{BeeperEnable, BeeperDisable, BeeperMute, LoadOff, ShutdownReturn, ShutdownStay, ShutdownReboot,
			ShutdownStop, Watchdog, WatchdogStop}, slices.Collect(keysOf(infos)))
		assert.Contains(t, infos[LoadOff].Text, "does not come back by itself")
		assert.Error(t, infos[ShutdownReturn].Refused)
		assert.NoError(t, infos[ShutdownStay].Refused)
		assert.True(t, infos[LoadOff].CutsLoad)
		assert.False(t, infos[ShutdownStop].CutsLoad)

		u.onBattery()
		infos = list(t, b)
		assert.Contains(t, infos[LoadOff].Text, "It comes back with line power")
		assert.NoError(t, infos[ShutdownReturn].Refused)
		assert.Error(t, infos[ShutdownStay].Refused)
		assert.Empty(t, u.written())
	})
	commanding(t, "smart1500lcd", func(t *testing.T, b *Battery, u *commandedUnit) {
		infos := list(t, b)
		assert.Contains(t, infos[LoadOff].Text, "auto restart is on")
		assert.False(t, infos[TestQuick].CutsLoad)
		assert.Equal(t, Times{Least: 5 * time.Second, Most: 65534 * time.Second},
			infos[ShutdownReturn].After)
		u.Set(0xb6, 0)
		u.Set(0x32, 0x16) // it asks for a new battery
		infos = list(t, b)
		assert.Contains(t, infos[LoadOff].Text, "auto restart is off")
		assert.True(t, infos[TestQuick].CutsLoad, "the load may drop")
	})
	commanding(t, "smart1500lcdt", func(t *testing.T, b *Battery, u *commandedUnit) {
		assert.NotZero(t, list(t, b)[ShutdownReturn].For)
	})
}

func keysOf(infos map[string]CommandInfo) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range infos {
			if !yield(name) {
				return
			}
		}
	}
}

func TestACommandOnAUnitThatIsLostIsItsError(t *testing.T) {
	commanding(t, "smart1500lcd", func(t *testing.T, b *Battery, u *commandedUnit) {
		u.setGone(true)
		for _, do := range []func() error{
			func() error { return b.Do(t.Context(), Command{Name: LoadOff}) },
			func() error { _, err := b.DryRun(t.Context(), Command{Name: LoadOff}); return err },
			func() error { _, err := b.Commands(t.Context()); return err },
		} {
			assert.ErrorIs(t, do(), ErrDisconnected)
		}
		assert.Empty(t, u.written())
	})
}

// framedCommands of the maker's "Communication Protocol 3003", pages 6 to 8, and of NUT's driver for
// 3005, which sends the relay as numbers.
func TestFramedCommandsSendWhatTheFactsSay(t *testing.T) {
	for _, test := range []struct {
		unit    string
		command Command
		want    []string
	}{
		{"smx1500xlrt2u", Command{Name: TestQuick}, []string{"3a 41 be 0d"}},
		{"smx1500xlrt2u", Command{Name: ShutdownStop}, []string{"3a 43 bc 0d"}},
		{"smx1500xlrt2u", Command{Name: ShutdownReboot}, []string{"3a 51 ae 0d"}},
		{"smx1500xlrt2u", Command{Name: ResetMinMax}, []string{"3a 5a a5 0d"}},
		{"smx1500xlrt2u", Command{Name: LoadOff, After: 5 * time.Second},
			[]string{"3a 4e 00 05 ac 0d", "3a 4b 30 30 54 0d"}},
		{"smx1500xlrt2u", Command{Name: LoadOn, After: 5 * time.Second},
			[]string{"3a 4e 00 05 ac 0d", "3a 4b 30 31 53 0d"}},
		{"smx1500xlrt2u", Command{Name: "outlet.3.load.off", After: 5 * time.Second},
			[]string{"3a 4e 00 05 ac 0d", "3a 4b 33 30 51 0d"}},
		{"smx1500xlrt2u", Command{Name: SetUnitID, Value: 258}, []string{"3a 4a 01 02 b2 0d"}},
		{"smart500rt1u", Command{Name: "outlet.1.load.on", After: 5 * time.Second},
			[]string{"3a 4e 00 05 ac 0d", "3a 4b 01 01 b2 0d"}},
		{"smart500rt1u", Command{Name: WatchdogStop}, []string{"3a 57 00 a8 0d"}},
		{"smart500rt1u-on-battery", Command{Name: ShutdownReturn, After: 64 * time.Second},
			[]string{"3a 4e 00 40 71 0d", "3a 47 b8 0d"}},
	} {
		inBubble(t, test.unit, func(t *testing.T, b *Battery, u *framedUnit) {
			writes, err := b.DryRun(t.Context(), test.command)
			require.NoError(t, err, "%s %+v", test.unit, test.command)
			var dry []string
			for _, w := range writes {
				dry = append(dry, fmt.Sprintf("% x", w.Bytes))
			}
			assert.Equal(t, test.want, dry, "%s %+v", test.unit, test.command)
		})
	}
}

func TestFramedCommandsThatAUnitCannotDoAreRefused(t *testing.T) {
	for _, test := range []struct {
		unit    string
		command Command
		is      error
		text    string
	}{
		{"smx1500xlrt2u", Command{Name: ShutdownReturn, After: minute}, ErrRefused, "only on battery"},
		{"smx1500xlrt2u", Command{Name: LoadOff}, ErrRefused, `needs a time "after"`},
		{"smx1500xlrt2u", Command{Name: "outlet.4.load.off", After: minute}, ErrUnsupported, "outlets"},
		{"smx1500xlrt2u", Command{Name: Watchdog, After: minute}, ErrUnsupported, "command W"},
		{"smx1500xlrt2u", Command{Name: SetUnitID, Value: 65535}, ErrRefused, "1 to 65534"},
		{"smx1500xlrt2u", Command{Name: BeeperMute}, ErrRefused, "no unit of product 0001"},
		{"smx1200xlhg", Command{Name: LoadOff, After: minute}, ErrUnsupported, "outlets"},
		{"omnivsint800", Command{Name: TestQuick}, ErrUnsupported, "command A"},
		{"omnivs1500xl", Command{Name: ResetMinMax}, ErrUnsupported, "command Z"},
		{"smart500rt1u", Command{Name: Watchdog, After: 14 * time.Second}, ErrRefused, "15s"},
	} {
		inBubble(t, test.unit, func(t *testing.T, b *Battery, u *framedUnit) {
			err := b.Do(t.Context(), test.command)
			assert.ErrorIs(t, err, test.is, "%s %+v", test.unit, test.command)
			assert.ErrorContains(t, err, test.text)
			assert.Empty(t, strings.Trim(u.letters(), letters), "only questions were sent")
		})
	}
	inBubble(t, "smart500rt1u-on-battery", func(t *testing.T, b *Battery, u *framedUnit) {
		u.Framed().SetReply('L', 0x17, 0, 6, 6, 'X', 'X')
		err := b.Do(t.Context(), Command{Name: ShutdownReturn, After: minute})
		assert.ErrorIs(t, err, ErrRefused)
		assert.ErrorContains(t, err, "not to restart")
	})
}

func TestAFramedControlWithoutAReplyIsUncertainAndNotSentAgain(t *testing.T) {
	inBubble(t, "smart500rt1u-on-battery", func(t *testing.T, b *Battery, u *framedUnit) {
		_, err := b.Get(t.Context())
		require.NoError(t, err)
		u.Framed().SetManners(capture.Manners{Unknown: "NG"})
		u.letters()
		err = b.Do(t.Context(), Command{Name: ShutdownReturn, After: minute})
		require.ErrorIs(t, err, ErrUncertain)
		assert.ErrorContains(t, err, "no reply came")
		assert.Equal(t, 1, strings.Count(u.letters(), "N"))
		assert.False(t, errors.Is(err, ErrDisconnected))
	})
}
