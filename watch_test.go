package tripplite

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/usb"
)

// yielded is one turn of a Watch, and how long after its start it came.
type yielded struct {
	state State
	err   error
	after time.Duration
}

// watched is a Watch that runs in the background until the test ends.
type watched struct {
	t     *testing.T
	turns chan yielded
}

func watch(t *testing.T, b *Battery, every time.Duration) *watched {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watched{t, make(chan yielded, 1000)}
	var done sync.WaitGroup
	start := time.Now()
	done.Go(func() {
		for state, err := range b.Watch(ctx, every) {
			w.turns <- yielded{state, err, time.Since(start)}
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	return w
}

// next returns the next turn. It waits for one, but not for an hour to pass: what comes then comes
// by the interval alone.
func (w *watched) next() yielded {
	w.t.Helper()
	select {
	case turn := <-w.turns:
		return turn
	case <-time.After(5 * time.Minute):
		w.t.Fatal("Watch yielded nothing")
		return yielded{}
	}
}

// quiet fails if Watch yields anything in a time.
func (w *watched) quiet(d time.Duration) {
	w.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	select {
	case turn := <-w.turns:
		w.t.Fatalf("Watch yielded %+v", turn)
	default:
	}
}

// all returns what Watch yielded until now.
func (w *watched) all() (turns []yielded) {
	synctest.Wait()
	for len(w.turns) > 0 {
		turns = append(turns, <-w.turns)
	}
	return turns
}

// bubble runs a test in a synctest bubble over a unit.
func bubble(t *testing.T, name string, f func(t *testing.T, b *Battery, ups *fakeUPS), opts ...Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b, ups := open(t, name, opts...)
		f(t, b, ups)
	})
}

func TestWatchYieldsNowAndEveryInterval(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, _ *fakeUPS) {
		turns := watch(t, b, time.Minute)
		var last time.Time
		for n := range 3 {
			turn := turns.next()
			require.NoError(t, turn.err)
			assert.Equal(t, time.Duration(n)*time.Minute, turn.after)
			assert.Equal(t, ValueOf(117.2), turn.state.Input.Voltage)
			assert.True(t, turn.state.Time.After(last), "each time it has been read anew")
			last = turn.state.Time
		}
	})
}

func TestAWatchThatJoinsAnotherYieldsNowToo(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, _ *fakeUPS) {
		first := watch(t, b, time.Hour)
		first.next()
		time.Sleep(time.Minute)
		turn := watch(t, b, time.Hour).next()
		require.NoError(t, turn.err)
		assert.Zero(t, turn.after)
		assert.Equal(t, time.Now(), turn.state.Time)
		first.quiet(50 * time.Minute) // which has what it asked for
	})
}

func TestAnIntervalIsTenMillisecondsAtLeast(t *testing.T) {
	for _, every := range []time.Duration{-time.Hour, 0, time.Millisecond, 10 * time.Millisecond} {
		bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
			turns := watch(t, b, every)
			time.Sleep(95 * time.Millisecond)
			assert.Len(t, turns.all(), 10, every)
		})
	}
}

func TestWatchYieldsAnAnnouncedStatusAtOnceAndThenTheWhole(t *testing.T) {
	for name, descriptor := range map[string]Option{
		"by the descriptor": func(*options) {},
		"by the table":      WithReportDescriptor(nil),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
				turns := watch(t, b, time.Hour)
				first := turns.next().state
				time.Sleep(time.Minute)
				ups.setLatency(time.Millisecond)

				ups.mainsFail()
				announced := turns.next()
				require.NoError(t, announced.err)
				assert.Equal(t, time.Minute, announced.after)
				want := State{Path: "1-1:1.0", Time: first.Time.Add(time.Minute), Announced: true, Config: first.Config}
				want.Status.ShutdownImminent, want.Status.ACPresent = ValueOf(false), ValueOf(false)
				want.Status.Charging, want.Status.Discharging = ValueOf(false), ValueOf(true)
				want.Status.NeedReplacement, want.Status.BelowRemainingCapacityLimit = ValueOf(false), ValueOf(false)
				want.Status.FullyCharged, want.Status.FullyDischarged = ValueOf(false), ValueOf(false)
				assert.Equal(t, want, announced.state, "what was announced and Config, and no reading from before")

				whole := turns.next()
				require.NoError(t, whole.err)
				assert.False(t, whole.state.Announced)
				assert.Equal(t, ValueOf(false), whole.state.Status.ACPresent)
				assert.Equal(t, ValueOf(0.0), whole.state.Input.Voltage, "zero on battery is a true reading")
				turns.quiet(30 * time.Minute)
			}, descriptor)
		})
	}
}

func TestNoAnnouncementIsYieldedWhileThereIsNoState(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
		ups.setLatency(10 * time.Millisecond)
		turns := watch(t, b, time.Hour)
		time.Sleep(15 * time.Millisecond) // in the middle of the first read
		ups.Push(0x32, 0x08)
		first := turns.next()
		require.NoError(t, first.err)
		assert.False(t, first.state.Announced)
		assert.Equal(t, ValueOf(true), first.state.Status.ACPresent)

		ups.setLatency(0)
		ups.fail(0x32, stall)
		ups.Push(0x34, 0x63) // makes Watch read
		require.ErrorAs(t, turns.next().err, new(*ReportError))
		ups.Push(0x32, 0x08)
		turns.quiet(time.Minute)
	})
}

func TestAnyOtherAnnouncementMakesWatchRead(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
		turns := watch(t, b, time.Hour)
		turns.next()
		ups.Set(0x35, 0x2c, 0x01)
		ups.Push(0x35, 0x2c, 0x01, 0xde, 0xad) // host buffer garbage behind the report
		turn := turns.next()
		assert.Zero(t, turn.after, "at once")
		whole := turn.state
		assert.Equal(t, ValueOf(300*time.Second), whole.RunTimeToEmpty)
		assert.Equal(t, ValueOf(117.2), whole.Input.Voltage)
		assert.False(t, whole.Announced)
		turns.quiet(30 * time.Minute)
	})
}

func TestWatchIgnoresWhatAnnouncesNothingNew(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
		ups.Push(0x32, 0x08) // announced before anybody watched: older than what is read now
		turns := watch(t, b, time.Hour)
		assert.Equal(t, ValueOf(true), turns.next().state.Status.ACPresent)
		ups.transfers()
		for name, report := range map[string][]byte{
			"no change":      {0x32, 0x46},
			"a short report": {0x32},
			"an unknown one": {0x77, 0x08},
			"an empty one":   {},
		} {
			t.Log(name)
			ups.Push(report...)
			turns.quiet(time.Minute)
		}
		total, _ := ups.transfers()
		assert.Zero(t, total, "nor is it asked about")
	})
}

func TestAnAnnouncementThatMakesNoSenseMakesWatchRead(t *testing.T) {
	for _, report := range [][]byte{{0x32, 0x64, 0x00, 0x00}, {0x32, 0x00, 0x00, 0x00}} {
		bubble(t, "su3000rtxr3u", func(t *testing.T, b *Battery, ups *fakeUPS) {
			turns := watch(t, b, time.Hour)
			require.Equal(t, ValueOf(true), turns.next().state.Status.ACPresent)
			ups.transfers()
			time.Sleep(time.Second)
			ups.Push(report...)
			turns.quiet(time.Minute)
			total, _ := ups.transfers()
			assert.Positive(t, total)
		})
	}
}

func TestAnAnnouncementThatMakesNoSenseShowsWhatTheUnitSays(t *testing.T) {
	bubble(t, "su3000rtxr3u", func(t *testing.T, b *Battery, ups *fakeUPS) {
		turns := watch(t, b, time.Hour)
		turns.next()
		time.Sleep(time.Second)
		ups.Set(0x32, 0x00, 0x00, 0x20) // bit 21: Discharging
		ups.Push(0x32, 0x64, 0x00, 0x00)
		turn := turns.next()
		assert.Equal(t, time.Second, turn.after)
		assert.False(t, turn.state.Announced)
		assert.Equal(t, ValueOf(false), turn.state.Status.ACPresent)
	})
}

func TestAFalseStatusShowsInNoLine(t *testing.T) {
	// Feature and input report are false every second and every third time, for a minute.
	for _, period := range []int{2, 3} {
		bubble(t, "su3000rtxr3u", func(t *testing.T, b *Battery, ups *fakeUPS) {
			n, failed := 0, false
			ups.fail(0x32, func(buffer []byte) (int, error) {
				n++
				switch {
				case n%period == 0:
					return falseStatus(buffer)
				case failed:
					return copy(buffer, []byte{0x32, 0x00, 0x00, 0x20}), nil
				}
				return trueStatus(buffer)
			})
			turns := watch(t, b, time.Second)
			for second := range 60 {
				time.Sleep(time.Second)
				if second%period == 0 {
					ups.Push(0x32, 0x64, 0x00, 0x00)
				}
			}
			for _, turn := range turns.all() {
				require.True(t, HasState(turn.err), "%v", turn.err)
				require.Equal(t, ValueOf(true), turn.state.Status.ACPresent)
			}
			ups.mu.Lock()
			failed = true
			ups.mu.Unlock()
			time.Sleep(time.Second)
			last := turns.all()
			require.NotEmpty(t, last)
			assert.Equal(t, ValueOf(false), last[len(last)-1].state.Status.ACPresent, "a true failure shows in the next read")
		})
	}
}

func TestAFailureAnnouncedDuringAReadIsNotMissed(t *testing.T) {
	for _, latency := range []time.Duration{2, 5, 20} {
		latency *= time.Millisecond
		t.Run(latency.String(), func(t *testing.T) {
			for n := range 400 {
				bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
					turns := watch(t, b, time.Hour)
					turns.next()
					ups.setLatency(latency)
					ups.Push(0x34, 0x63) // makes Watch read
					ups.Set(0x34, 0x63)
					// At any time of the read: before, in the middle of and after the transfer of the status.
					at := 12 * latency * time.Duration(n) / 400
					time.Sleep(at)
					failed := time.Now()
					ups.mainsFail()
					for {
						turn := turns.next()
						require.NoError(t, turn.err)
						if ac, known := turn.state.Status.ACPresent.Get(); known && !ac {
							assert.LessOrEqual(t, time.Since(failed), latency, "at once, and not after the read under way")
							break
						}
						assert.LessOrEqual(t, time.Since(failed), time.Duration(0), "no State from before the event after it")
					}
					whole := turns.next()
					require.NoError(t, whole.err)
					assert.Equal(t, ValueOf(false), whole.state.Status.ACPresent)
					assert.Equal(t, ValueOf(0.0), whole.state.Input.Voltage)
				})
			}
		})
	}
}

func TestHoweverManyFailuresAreAnnouncedDuringAReadNoneIsMissed(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
		turns := watch(t, b, time.Hour)
		turns.next()
		ups.setLatency(time.Millisecond)
		expect := func(announced, ac bool) {
			t.Helper()
			turn := turns.next()
			require.NoError(t, turn.err)
			require.Equal(t, announced, turn.state.Announced)
			require.Equal(t, ValueOf(ac), turn.state.Status.ACPresent)
		}
		for n := range byte(2 * maxOutdated) {
			ups.Push(0x34, n) // makes Watch read
			time.Sleep(5 * time.Millisecond)
			ups.mainsFail()
			expect(true, false)
			expect(false, false)
			ups.Set(0x32, 0x46)
			ups.Push(0x32, 0x46)
			expect(true, true)
			expect(false, true)
		}
	})
}

func TestManyAnnouncementsDoNotHideTheLast(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
		turns := watch(t, b, time.Hour)
		turns.next()
		for range 25 {
			ups.Push(0x32, 0x46)
		}
		ups.mainsFail()
		assert.Equal(t, ValueOf(false), turns.next().state.Status.ACPresent)
	})
}

func TestTheLatestOfEachReportIsKeptUntilItIsLookedAt(t *testing.T) {
	b, _ := open(t, "smart1500lcd")
	p := newPoller(b)
	for _, report := range []string{"32 08", "34 63", "32 46", "35 2c 01", "34 62"} {
		p.receive(unhex(report))
	}
	var kept []string
	for _, h := range p.heard {
		kept = append(kept, fmt.Sprintf("% x", h.report))
	}
	assert.Equal(t, []string{"32 46", "35 2c 01", "34 62"}, kept)
	p.listened()
	assert.Empty(t, p.heard)
}

func TestAUnitWhoseReportsDisagreeIsBelievedWhenItIsAsked(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
		turns := watch(t, b, time.Hour)
		turns.next()
		ups.setLatency(10 * time.Millisecond)
		for n := range byte(100) { // something new each time, faster than it can be read
			ups.Push(0x32, 0x08|n%2<<7) // FullyDischarged comes and goes
			time.Sleep(30 * time.Millisecond)
		}
		whole := 0
		for _, turn := range turns.all() {
			if !turn.state.Announced {
				whole++
				assert.Equal(t, ValueOf(true), turn.state.Status.ACPresent)
			}
		}
		assert.Positive(t, whole)
	})
}

func TestAStatusThatIsReadAfterAnAnnouncementIsBelieved(t *testing.T) {
	// Line power failed for a moment, and was back before the unit was asked.
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
		turns := watch(t, b, time.Hour)
		turns.next()
		ups.setLatency(time.Millisecond)
		time.Sleep(time.Minute)
		begun := time.Now()
		ups.Push(0x34, 0x63) // makes Watch read
		ups.Set(0x34, 0x63)
		time.Sleep(5 * time.Millisecond)
		ups.Push(0x32, 0x08)
		turn := turns.next()
		require.True(t, turn.state.Announced)
		require.Equal(t, ValueOf(false), turn.state.Status.ACPresent)
		whole := turns.next()
		require.NoError(t, whole.err)
		assert.Equal(t, ValueOf(true), whole.state.Status.ACPresent)
		assert.Equal(t, begun.Add(11*time.Millisecond), whole.state.Time,
			"the read of eleven transfers under way is older, and the next one is not")
	})
}

func TestAfterAnAnnouncementThereIsAWholeState(t *testing.T) {
	// Here the clock stands still, so whether the unit was asked before or after cannot be told.
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
		turns := watch(t, b, time.Hour)
		turns.next()
		ups.Push(0x32, 0x08) // which it does not say when it is asked
		for {
			turn := turns.next()
			require.NoError(t, turn.err)
			if !turn.state.Announced {
				assert.Equal(t, ValueOf(true), turn.state.Status.ACPresent)
				break
			}
		}
	})
}

func TestWatchSurvivesADrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost(map[string]*fakeUPS{"9-1:1.0": fakes(t, "smart1500lcd")})
		b := openAt(t, h, "9-1:1.0")
		turns := watch(t, b, time.Hour)
		require.NoError(t, turns.next().err)
		start := time.Now()
		for range 2 {
			time.Sleep(time.Second)
			lost := time.Since(start)
			h.unplug("9-1:1.0")
			turn := turns.next()
			require.ErrorIs(t, turn.err, ErrDisconnected)
			assert.Equal(t, lost, turn.after, "the read of input reports fails at once")
			assert.Zero(t, turn.state)
			turns.quiet(time.Minute) // the error comes once

			h.plug("9-1:1.0", fakes(t, "smart1500lcd"))
			turn = turns.next()
			require.NoError(t, turn.err)
			assert.LessOrEqual(t, turn.after, lost+time.Minute+firstWait)
			assert.Equal(t, ValueOf(117.2), turn.state.Input.Voltage)
		}
	})
}

func TestWatchFindsAUnitAgainWhereTheSystemDoesNotTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost(map[string]*fakeUPS{"9-1:1.0": fakes(t, "smart1500lcd")})
		h.silent = true
		b := openAt(t, h, "9-1:1.0")
		turns := watch(t, b, time.Hour)
		require.NoError(t, turns.next().err)
		h.unplug("9-1:1.0")
		require.ErrorIs(t, turns.next().err, ErrDisconnected)
		time.Sleep(time.Minute)
		h.plug("9-1:1.0", fakes(t, "smart1500lcd"))
		turn := turns.next()
		require.NoError(t, turn.err)
		assert.LessOrEqual(t, turn.after, time.Minute+lastWait+firstWait)
	})
}

func TestADeafDeviceIsOpenedAnew(t *testing.T) {
	// The unit answers as ever, so no Get fails. Announcements must not be lost for that.
	synctest.Test(t, func(t *testing.T) {
		deaf := fakes(t, "smart1500lcd")
		deaf.deaf = true
		h := newFakeHost(map[string]*fakeUPS{"9-1:1.0": deaf})
		b := openAt(t, h, "9-1:1.0")
		turns := watch(t, b, time.Hour)
		turn := turns.next()
		if turn.err == nil { // the State may have given way to the error
			turn = turns.next()
		}
		require.ErrorIs(t, turn.err, ErrDisconnected)
		hears := fakes(t, "smart1500lcd")
		h.plug("9-1:1.0", hears)
		require.NoError(t, turns.next().err, "opened anew")
		hears.mainsFail()
		assert.Equal(t, ValueOf(false), turns.next().state.Status.ACPresent)
	})
}

func TestWatchYieldsAReasonThatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost(map[string]*fakeUPS{"9-1:1.0": fakes(t, "smart1500lcd")})
		b := openAt(t, h, "9-1:1.0")
		h.refuse(syscall.EACCES)
		turns := watch(t, b, time.Second)
		require.ErrorIs(t, turns.next().err, ErrPermission)
		turns.quiet(time.Minute)
		h.refuse(&usb.BusyError{Holder: "x"})
		require.ErrorIs(t, turns.next().err, ErrBusy)
		h.refuse(&usb.BusyError{Holder: "another text is no other reason"})
		turns.quiet(time.Minute)
		h.refuse(nil)
		require.NoError(t, turns.next().err)
	})
}

func TestAReasonThatChangesIsTriedAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := fakes(t, "smart1500lcd")
		ups.fail(0x32, stall)
		h := newFakeHost(map[string]*fakeUPS{"9-1:1.0": ups})
		b := openAt(t, h, "9-1:1.0")
		h.refuse(syscall.EACCES)
		turns := watch(t, b, time.Hour)
		require.ErrorIs(t, turns.next().err, ErrPermission)
		turns.quiet(time.Minute)
		h.refuse(nil)
		failed := turns.next()
		require.ErrorAs(t, failed.err, new(*ReportError))
		ups.fail(0x32, nil)
		turn := turns.next()
		require.NoError(t, turn.err)
		assert.LessOrEqual(t, turn.after-failed.after, firstWait)
	})
}

func TestAnErrorWhoseTextVariesIsYieldedOnceAndRetriedSlowly(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
		n := 0
		ups.fail(0x32, func([]byte) (int, error) { n++; return 0, fmt.Errorf("failure %d", n) })
		turns := watch(t, b, time.Minute)
		require.ErrorAs(t, turns.next().err, new(*ReportError))
		ups.transfers()
		turns.quiet(5 * time.Second)
		total, _ := ups.transfers()
		assert.Less(t, total, 60)
		time.Sleep(10 * time.Minute)
		ups.fail(0x32, nil)
		back := time.Now()
		turn := turns.next()
		require.NoError(t, turn.err)
		assert.LessOrEqual(t, turn.state.Time.Sub(back), lastWait)
	})
}

func TestAUnitWithoutAStatusIsReadEveryIntervalAtLeast(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
		ups.fail(0x32, stall)
		turns := watch(t, b, 100*time.Millisecond)
		require.ErrorAs(t, turns.next().err, new(*ReportError))
		turns.quiet(10*time.Minute + time.Millisecond)
		ups.fail(0x32, nil)
		back := time.Now()
		turn := turns.next()
		require.NoError(t, turn.err)
		assert.LessOrEqual(t, turn.state.Time.Sub(back), 100*time.Millisecond)
	})
}

func TestAUnitThatHangsIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ups := open(t, "smart1500lcd")
		answer, _, letGo := hang()
		defer letGo()
		turns := watch(t, b, time.Second)
		require.NoError(t, turns.next().err)
		ups.fail(0x32, answer)
		turn := turns.next()
		for turn.err == nil {
			turn = turns.next()
		}
		require.ErrorIs(t, turn.err, ErrDisconnected)
		require.ErrorContains(t, turn.err, "does not answer")
		assert.LessOrEqual(t, turn.after, 2*time.Second+readTimeout)
		turns.quiet(time.Minute)
		ups.fail(0x32, nil)
		letGo()
		require.NoError(t, turns.next().err, "until it answers again")
	})
}

func TestWatchYieldsPartialStates(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
		turns := watch(t, b, time.Second)
		require.NoError(t, turns.next().err)
		ups.fail(0x18, stall)
		turn := turns.next()
		require.ErrorAs(t, turn.err, new(*PartialError))
		assert.Equal(t, ValueOf(true), turn.state.Status.ACPresent)
	})
}

func TestWatchEndsWithTheLoop(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
		for range b.Watch(t.Context(), time.Millisecond) {
			break
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for _, err := range b.Watch(ctx, time.Hour) {
			require.NoError(t, err)
			cancel()
		}
		ups.transfers()
		time.Sleep(time.Hour)
		total, _ := ups.transfers()
		assert.Zero(t, total, "nothing is read for nobody")
		_, err := b.Get(t.Context())
		require.NoError(t, err, "and the Battery goes on")
		for range b.Watch(t.Context(), time.Hour) {
			break
		}
	})
}

func TestCloseEndsEveryWatch(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, _ *fakeUPS) {
		first, second := watch(t, b, time.Hour), watch(t, b, time.Second)
		require.NoError(t, first.next().err)
		require.NoError(t, second.next().err)
		require.NoError(t, b.Close())
		require.ErrorIs(t, first.next().err, ErrClosed)
		require.ErrorIs(t, second.next().err, ErrClosed)
	})
}

func TestAWatchThatBeginsWhileAnotherEndsIsToldOfClose(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, _ *fakeUPS) {
		for _, err := range b.Watch(t.Context(), time.Hour) {
			require.NoError(t, err)
			require.NoError(t, b.Close())
			synctest.Wait()
			for _, err := range b.Watch(t.Context(), time.Hour) {
				require.ErrorIs(t, err, ErrClosed)
			}
			break
		}
	})
}

func TestThreeWatchesCostTheTransfersOfOne(t *testing.T) {
	cost := func(watches int) (total int) {
		bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
			var all []*watched
			for range watches {
				all = append(all, watch(t, b, time.Minute))
				time.Sleep(7 * time.Second) // out of step
			}
			time.Sleep(time.Minute)
			for _, w := range all {
				w.all()
			}
			ups.transfers()
			time.Sleep(time.Hour)
			total, _ = ups.transfers()
			for _, w := range all {
				assert.Len(t, w.all(), 60, "and each gets its States")
			}
		})
		return total
	}
	assert.Equal(t, cost(1), cost(3))
}

func TestASlowWatchBesideAFastOneKeepsItsInterval(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
		ups.setLatency(time.Millisecond)
		fast := watch(t, b, time.Second)
		slow := watch(t, b, 5*time.Second)
		time.Sleep(time.Minute - time.Millisecond)
		turns := slow.all()
		assert.Len(t, turns, 12)
		for i, turn := range turns {
			assert.InDelta(t, 5*float64(i), turn.after.Seconds(), 0.5)
		}
		assert.Len(t, fast.all(), 60)
	})
}

func TestNoWatchIsLateForAnother(t *testing.T) {
	for _, slower := range []time.Duration{1, 5, 9, 9500, 9950, 10_000, 12_345} {
		slower = 10*time.Second + slower*time.Millisecond
		bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
			first, second := watch(t, b, 10*time.Second), watch(t, b, slower)
			time.Sleep(10 * time.Minute)
			for w, every := range map[*watched]time.Duration{first: 10 * time.Second, second: slower} {
				turns := w.all()
				for i := range turns[1:] {
					assert.LessOrEqual(t, turns[i+1].after-turns[i].after, every)
				}
			}
		})
	}
}

func TestEveryWatchHearsWhatIsAnnounced(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
		first, second := watch(t, b, time.Hour), watch(t, b, time.Minute)
		require.NoError(t, first.next().err)
		require.NoError(t, second.next().err)
		ups.setLatency(time.Millisecond)
		ups.mainsFail()
		assert.True(t, first.next().state.Announced)
		assert.True(t, second.next().state.Announced)
	})
}

func TestASlowWatchBesideAFastOneHearsWhatIsAnnouncedAndNoMore(t *testing.T) {
	for name, announce := range map[string]func(ups *fakeUPS){
		"a status":     func(ups *fakeUPS) { ups.mainsFail() },
		"no status":    func(ups *fakeUPS) { ups.Set(0x34, 0x63); ups.Push(0x34, 0x63) },
		"not believed": func(ups *fakeUPS) { ups.Set(0x34, 0x63); ups.Push(0x32, 0x00) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
				watch(t, b, time.Second)
				slow := watch(t, b, time.Hour)
				time.Sleep(time.Second / 2)
				ups.setLatency(time.Millisecond)
				announce(ups)
				time.Sleep(time.Second / 4)
				turns := slow.all()
				require.NotEmpty(t, turns)
				assert.False(t, turns[len(turns)-1].state.Announced)
				for charge := range byte(60) {
					ups.Set(0x34, charge)
					slow.quiet(time.Second)
				}
			})
		})
	}
}

func TestAReadingThatTookThePlaceOfAnotherIsYieldedOnce(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, _ *fakeUPS) {
		n := 0
		for state, err := range b.Watch(t.Context(), time.Hour) {
			require.NoError(t, err)
			require.False(t, state.Time.IsZero(), "turn %d", n)
			if n++; n > 1 {
				break
			}
			b.watch.Lock()
			box := b.poller.watchers[0].box
			b.watch.Unlock()
			wake(box.ready) // as after a reading that was taken with the one before
			time.AfterFunc(time.Minute, func() { box.put(b, State{Time: started}, nil) })
		}
		require.Equal(t, 2, n)
	})
}

func TestASlowLoopGetsTheLatest(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, _ *fakeUPS) {
		n := 0
		for state, err := range b.Watch(t.Context(), time.Second) {
			require.NoError(t, err)
			assert.LessOrEqual(t, time.Since(state.Time), time.Second)
			time.Sleep(10 * time.Second)
			if n++; n == 5 {
				break
			}
		}
	})
}

func TestAPauseOfTheProgramIsNoticed(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var p pulse
	assert.False(t, p.beat(at), "the first beat is no pause")
	assert.False(t, p.beat(at.Add(heartbeat)))
	assert.False(t, p.resumed(at.Add(heartbeat)))
	resumed := at.Add(time.Hour)
	assert.True(t, p.beat(resumed))
	assert.True(t, p.resumed(resumed), "what the kernel had queued")
	assert.True(t, p.resumed(resumed.Add(settle-1)))
	assert.False(t, p.resumed(resumed.Add(settle)))
	assert.False(t, p.beat(resumed.Add(heartbeat)))
}

// stopping is a protocol that stands still for a minute when it is told so by an input report, and
// with it whoever watches: as after SIGSTOP and SIGCONT, or a suspend.
type stopping struct{ protocol }

func (s stopping) announced(report []byte) (update func(*State), ok bool) {
	if report[0] != 0xff {
		return s.protocol.(announcer).announced(report)
	}
	time.Sleep(time.Minute)
	return nil, false
}

// stop has the program that watches a unit stand still for a minute.
func stop(b *Battery, ups *fakeUPS) {
	var p protocol = stopping{*b.protocol.Load()}
	b.protocol.Store(&p)
	ups.Push(0xff)
	synctest.Wait()
}

func TestWhatWasQueuedDuringAPauseIsAskedAbout(t *testing.T) {
	for range 20 { // whatever is looked at first after the pause
		bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
			turns := watch(t, b, time.Hour)
			turns.next()
			ups.transfers()
			stop(b, ups)
			ups.Push(0x32, 0x08) // line power is long back
			turns.quiet(2 * time.Minute)
			total, _ := ups.transfers()
			assert.Positive(t, total)
		})
	}
}

func TestAfterAPauseTheUnitIsRead(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
		turns := watch(t, b, time.Hour)
		turns.next()
		ups.Set(0x34, 0x4a) // and no announcement says so
		stop(b, ups)
		turn := turns.next()
		require.NoError(t, turn.err)
		assert.Equal(t, time.Minute, turn.after)
		assert.Equal(t, ValueOf(74.0), turn.state.RemainingCapacity)
	})
}

func TestAReadFromBeforeAPauseIsNotBelieved(t *testing.T) {
	for range 20 { // whatever is looked at first after the pause
		bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
			turns := watch(t, b, time.Hour)
			turns.next()
			time.Sleep(time.Second / 2)
			ups.setLatency(time.Millisecond)
			ups.Set(0x34, 0x63)
			ups.Push(0x34, 0x63) // makes Watch read
			time.Sleep(5 * time.Millisecond)
			ups.Set(0x32, 0x08)
			stop(b, ups)
			turn := turns.next()
			require.NoError(t, turn.err)
			assert.Equal(t, ValueOf(false), turn.state.Status.ACPresent)
			assert.Equal(t, ValueOf(99.0), turn.state.RemainingCapacity)
		})
	}
}
