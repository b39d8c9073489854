package tripplite

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karalabe/hid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tripplite-go/tripplite/internal/capture"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeUPS is a captured unit that counts what it is asked for and fails as it is told.
type fakeUPS struct {
	*capture.Device

	mu      sync.Mutex
	asked   map[byte]int
	answers map[byte]func(b []byte) (int, error) // in place of the captured report
	gone    bool
	closed  int
}

func newFakeUPS(t testing.TB, name string) (ups *fakeUPS, descriptor []byte) {
	t.Helper()
	c, err := capture.Load(name)
	require.NoError(t, err)
	return &fakeUPS{
		Device:  c.Device(c.UPSInterface),
		asked:   map[byte]int{},
		answers: map[byte]func([]byte) (int, error){},
	}, c.Interfaces[c.UPSInterface].Descriptor
}

func (u *fakeUPS) GetFeatureReport(b []byte) (int, error) {
	id := b[0]
	u.mu.Lock()
	u.asked[id]++
	answer, gone := u.answers[id], u.gone
	u.mu.Unlock()
	switch {
	case gone:
		return 0, errTransfer
	case answer != nil:
		return answer(b)
	}
	return u.Device.GetFeatureReport(b)
}

func (u *fakeUPS) Close() error {
	u.mu.Lock()
	u.closed++
	u.mu.Unlock()
	return u.Device.Close()
}

func (u *fakeUPS) fail(id byte, answer func(b []byte) (int, error)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answers[id] = answer
}

func (u *fakeUPS) setGone(gone bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.gone = gone
}

// transfers returns how many there were since it was last called.
func (u *fakeUPS) transfers() (total int, byID map[byte]int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, n := range u.asked {
		total += n
	}
	byID, u.asked = u.asked, map[byte]int{}
	return total, byID
}

// errTransfer is all that hidapi says on Linux, whatever the cause.
var errTransfer = errors.New("hidapi: hid_error is not implemented yet")

func stall([]byte) (int, error) { return 0, errTransfer }
func empty([]byte) (int, error) { return 0, nil }

func open(t testing.TB, name string, opts ...Option) (*Battery, *fakeUPS) {
	t.Helper()
	ups, descriptor := newFakeUPS(t, name)
	b := New(ups, append([]Option{WithReportDescriptor(descriptor), WithDeviceInfo(DeviceInfo{Path: "1-1:1.0"})}, opts...)...)
	t.Cleanup(func() { assert.NoError(t, b.Close()) })
	return b, ups
}

func expected(t *testing.T, name string) string {
	t.Helper()
	c, err := capture.Load(name)
	require.NoError(t, err)
	require.NotEmpty(t, c.Expect, "testdata/captures/%s.json has no expect", name)
	return string(c.Expect)
}

// asCaptured is a State as the captures write it, without what differs in each read.
func asCaptured(t *testing.T, state State) string {
	t.Helper()
	state.Path, state.Time = "", time.Time{}
	text, err := json.Marshal(state)
	require.NoError(t, err)
	return string(text)
}

func TestGetReadsEveryCapture(t *testing.T) {
	for _, name := range capture.Names() {
		t.Run(name, func(t *testing.T) {
			b, _ := open(t, name)
			for range 2 {
				before := time.Now()
				state, err := b.Get(t.Context())
				require.NoError(t, err)
				assert.Equal(t, "1-1:1.0", state.Path)
				assert.WithinRange(t, state.Time, before, time.Now())
				assert.Zero(t, state.Controls, "Get does not read what is only read on request")

				state.Controls, err = b.Controls(t.Context())
				require.NoError(t, err)
				assert.JSONEq(t, expected(t, name), asCaptured(t, state), "the expect of testdata/captures/%s.json, and what is read", name)
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
				state, err := b.Get(t.Context())
				require.NoError(t, err)
				state.Controls, err = b.Controls(t.Context())
				require.NoError(t, err)
				assert.JSONEq(t, expected(t, unit), asCaptured(t, state), unit)
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
	}, byID, "each report once, and neither nominal values nor copies of what another report says")
	assert.Equal(t, 10, total, "numat's ten transfers, and more readings")
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

// answers are the ways of one report to go wrong while the unit is there.
var wrongAnswers = []struct {
	name   string
	answer func([]byte) (int, error)
	says   string
}{
	{"stalls", stall, "hid_error"},
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
			state, err := b.Get(t.Context())
			var partial *PartialError
			require.ErrorAs(t, err, &partial)
			require.Len(t, partial.Reports, 2)
			assert.Equal(t, "1-1:1.0", partial.Reports[0].Path)
			assert.Equal(t, byte(0x18), partial.Reports[0].ID)
			assert.Equal(t, "UPS.PowerConverter.Input.Voltage", partial.Reports[0].Name)
			assert.ErrorContains(t, partial.Reports[0], wrong.says)
			assert.Equal(t, byte(0x34), partial.Reports[1].ID)
			assert.NotErrorIs(t, err, ErrDisconnected)

			assert.Equal(t, Value[float64]{}, state.Input.Voltage)
			assert.Equal(t, Value[float64]{}, state.RemainingCapacity)
			assert.Equal(t, ValueOf(true), state.Status.ACPresent, "the rest is read")
			assert.Equal(t, ValueOf(59.7), state.Input.Frequency)
			assert.Equal(t, ValueOf(120.0), state.Config.Voltage)

			ups.fail(0x18, nil)
			ups.fail(0x34, nil)
			state, err = b.Get(t.Context())
			require.NoError(t, err)
			assert.Equal(t, ValueOf(117.2), state.Input.Voltage, "and comes back")
		})
	}
}

func TestADeclaredReportThatNeverAnswersIsNamedEachTime(t *testing.T) {
	for _, wrong := range wrongAnswers {
		if wrong.says == "answered with nothing" {
			continue // that is a unit's way of saying that it does not provide the report
		}
		t.Run(wrong.name, func(t *testing.T) {
			b, ups := open(t, "smart1500lcd")
			ups.fail(0x47, wrong.answer)
			ups.fail(0x03, wrong.answer)
			for range 2 {
				state, err := b.Get(t.Context())
				var partial *PartialError
				require.ErrorAs(t, err, &partial)
				require.Len(t, partial.Reports, 2)
				assert.Equal(t, byte(0x03), partial.Reports[0].ID)
				assert.Equal(t, byte(0x47), partial.Reports[1].ID)
				assert.Equal(t, Value[float64]{}, state.Output.ActivePower)
			}
			ups.fail(0x03, nil)
			ups.fail(0x47, nil)
			state, err := b.Get(t.Context())
			require.NoError(t, err)
			assert.Equal(t, ValueOf(1500.0), state.Config.ApparentPower, "a nominal value is asked for until it is had")
		})
	}
}

func TestAnEmptyReportIsNotProvidedAndNotAskedForAgain(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	ups.fail(0x47, empty)
	state, err := b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Value[float64]{}, state.Output.ActivePower)
	_, byID := ups.transfers()
	assert.Equal(t, tries, byID[0x47], "tried a few times first")

	_, err = b.Get(t.Context())
	require.NoError(t, err)
	_, byID = ups.transfers()
	assert.NotContains(t, byID, byte(0x47))
}

func TestAnAnswerThatIsNotOneIsAskedForAgain(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	left := 2
	ups.fail(0x18, func(buffer []byte) (int, error) {
		if left > 0 {
			left--
			return 0, nil
		}
		return copy(buffer, []byte{0x18, 0x94, 0x04}), nil
	})
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
				assert.ErrorContains(t, err, wrong.says)
				assert.NotErrorIs(t, err, ErrDisconnected, "the unit answers for the rest")
				assert.Zero(t, state)

				ups.fail(0x32, nil)
				state, err = b.Get(t.Context())
				require.NoError(t, err)
				assert.Equal(t, ValueOf(true), state.Status.ACPresent)
			}
		})
	}
}

func TestAUnitThatAnswersNothingIsDisconnected(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	_, err := b.Get(t.Context())
	require.NoError(t, err)

	ups.setGone(true)
	for range 3 {
		state, err := b.Get(t.Context())
		require.ErrorIs(t, err, ErrDisconnected)
		assert.ErrorContains(t, err, "1-1:1.0")
		assert.Zero(t, state, "neither an old value nor a zero passes for a reading")
		_, err = b.Controls(t.Context())
		require.ErrorIs(t, err, ErrDisconnected)
	}

	ups.setGone(false)
	state, err := b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ValueOf(120.0), state.Config.Voltage, "nominal values are read anew")
}

func TestAUnitThatIsLostInTheMiddleOfAReadYieldsNoState(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	_, err := b.Get(t.Context())
	require.NoError(t, err)
	for _, last := range []byte{0x32, 0x22, 0x19, 0x35} {
		ups.fail(last, func(buffer []byte) (int, error) {
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

// twin is a Battery of a unit that can be unplugged and plugged in again, as Open makes one.
func twin(t *testing.T, plug func() (hid.Device, []byte, error)) *Battery {
	t.Helper()
	b := newBatteryAt(DeviceInfo{Path: "nowhere:1.0"}, nil)
	b.reopen = plug
	go b.work()
	t.Cleanup(func() { assert.NoError(t, b.Close()) })
	return b
}

func TestALostUnitIsOpenedAgain(t *testing.T) {
	var units []*fakeUPS
	b := twin(t, func() (hid.Device, []byte, error) {
		name := "smart1500lcd"
		if len(units) == 1 {
			name = "pro1500rt2u"
		}
		ups, descriptor := newFakeUPS(t, name)
		units = append(units, ups)
		return ups, descriptor, nil
	})
	state, err := b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ValueOf(117.2), state.Input.Voltage)

	units[0].setGone(true)
	state, err = b.Get(t.Context())
	require.ErrorIs(t, err, ErrDisconnected)
	assert.Zero(t, state)
	assert.Equal(t, 1, units[0].closed, "a handle never recovers from a USB error, so it is closed")

	require.Eventually(t, func() bool {
		state, err = b.Get(t.Context())
		return err == nil
	}, 2*time.Second, 10*time.Millisecond)
	assert.Len(t, units, 2)
	assert.JSONEq(t, `{"ac present":true,"below remaining capacity":false,"charging":false,"discharging":false,"fully charged":true,
		"fully discharged":false,"needs replacement":false,"shutdown imminent":false,"internal failure":false,"voltage out of range":false,
		"overload":false,"over temperature":false,"boost":false,"buck":false,"used":true,"awaiting power":false}`,
		string(must(json.Marshal(state.Status))), "another model at the same port is read by its own descriptor")
	assert.Equal(t, ValueOf(36.0), state.Config.BatteryVoltage)
}

func must(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}

func TestAMissingUnitCostsNextToNothing(t *testing.T) {
	for _, cause := range []error{ErrDisconnected, ErrPermission, ErrBusy} {
		opens := 0
		b := twin(t, func() (hid.Device, []byte, error) { opens++; return nil, nil, cause })
		until := time.Now().Add(300 * time.Millisecond)
		calls := 0
		for time.Now().Before(until) {
			_, err := b.Get(t.Context())
			require.ErrorIs(t, err, cause)
			calls++
		}
		// 0, 50, 150 and 350 ms after the start.
		assert.LessOrEqual(t, opens, 4, "of %d calls", calls)
		assert.Greater(t, calls, opens)
	}
}

// hang is an answer that comes when it is let go, as a transfer that hangs in C.
func hang() (answer func([]byte) (int, error), hanging chan struct{}, letGo func()) {
	hanging, free := make(chan struct{}, 100), make(chan struct{})
	return func([]byte) (int, error) {
		hanging <- struct{}{}
		<-free
		return 0, errTransfer
	}, hanging, sync.OnceFunc(func() { close(free) })
}

func TestGetReturnsWithItsContextWhileATransferHangs(t *testing.T) {
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

	// The device still has the transfer, so a second caller waits for it, as long as its own context allows.
	short, cancelShort := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancelShort()
	_, err := b.Get(short)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorContains(t, err, "1-1:1.0")

	ups.fail(0x32, nil)
	letGo()
	_, err = b.Get(t.Context())
	require.NoError(t, err)
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

func TestCloseWaitsForTheTransferUnderWay(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	answer, hanging, letGo := hang()
	ups.fail(0x32, answer)
	got := make(chan error)
	go func() {
		_, err := b.Get(t.Context())
		got <- err
	}()
	<-hanging
	closed := make(chan struct{})
	go func() {
		b.Close()
		close(closed)
	}()
	<-b.closing
	select {
	case <-closed:
		t.Fatal("closed the device under a transfer")
	case <-time.After(20 * time.Millisecond):
	}
	ups.mu.Lock()
	assert.Zero(t, ups.closed)
	ups.mu.Unlock()
	letGo()
	<-closed
	require.Error(t, <-got)
	assert.Equal(t, 1, ups.closed)
}

func TestAfterCloseEveryCallSaysSo(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	require.NoError(t, b.Close())
	require.NoError(t, b.Close())
	assert.Equal(t, 1, ups.closed)
	_, err := b.Get(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	_, err = b.Controls(t.Context())
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
		all.Add(1)
		go func() {
			defer all.Done()
			for range 20 {
				state, err := b.Get(t.Context())
				assert.NoError(t, err)
				assert.Equal(t, ValueOf(117.2), state.Output.Voltage)
			}
		}()
	}
	all.Wait()
}

func TestAShortStatusDoesNotPassForTheShortLayout(t *testing.T) {
	// Without a descriptor the length of the answer tells the layout. 32 00 of 32 00 00 09 would read as "no mains".
	b, ups := open(t, "pro1500rt2u", WithReportDescriptor(nil))
	calls := 0
	ups.fail(0x32, func(buffer []byte) (int, error) {
		calls++
		if calls == 1 {
			return copy(buffer, []byte{0x32, 0x00}), nil
		}
		return copy(buffer, []byte{0x32, 0x00, 0x00, 0x09}), nil
	})
	state, err := b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ValueOf(true), state.Status.ACPresent)

	ups.fail(0x32, func(buffer []byte) (int, error) { return copy(buffer, []byte{0x32, 0x00}), nil })
	state, err = b.Get(t.Context())
	require.ErrorContains(t, err, "1 bytes came of 3")
	assert.Zero(t, state)
}

func TestAStatusOfUnknownLayoutIsNoStatus(t *testing.T) {
	for name, status := range map[string][]byte{
		"two bytes":                     {0x32, 0x02, 0x00},
		"one byte with padding behind":  {0x32, 0x46, 0x00, 0x00},
		"nothing but the report number": {0x32},
	} {
		t.Run(name, func(t *testing.T) {
			b, ups := open(t, "smart1500lcd", WithReportDescriptor(nil))
			ups.fail(0x32, func(buffer []byte) (int, error) { return copy(buffer, status), nil })
			state, err := b.Get(t.Context())
			var report *ReportError
			require.ErrorAs(t, err, &report)
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
	assert.Contains(t, text.String(), `id=0x32 name=UPS.PowerSummary.PresentStatus bytes="32 62"`)
	assert.Contains(t, text.String(), "0x59 UPS.ffff0015.ffff007e, 32 bits at 0", "what is not understood is named")
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
