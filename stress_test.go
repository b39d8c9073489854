package tripplite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
)

// hostile is a device that answers right, wrong, late or not at all, as it likes. It never gives a
// wrong value in a report that is whole and has the right id.
type hostile struct {
	*fakeUPS
	mu   sync.Mutex
	dice *rand.Rand
}

func (h *hostile) roll(n int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dice.IntN(n)
}

func (h *hostile) GetFeatureReport(b []byte) (int, error) {
	time.Sleep(time.Duration(h.roll(3000)) * time.Microsecond)
	switch h.roll(20) {
	case 0:
		return 0, errTransfer
	case 1:
		return 0, syscall.EPIPE
	case 2:
		b[0] ^= byte(1 + h.roll(255))
		return len(b), nil
	case 3:
		return h.roll(2), nil // empty, or nothing but the id
	case 4:
		return -1 - h.roll(10), nil
	case 5:
		if h.roll(20) == 0 {
			time.Sleep(time.Duration(h.roll(30)) * time.Second) // hangs
		}
		return 0, syscall.ETIMEDOUT
	case 6:
		n, err := h.fakeUPS.GetFeatureReport(b)
		return n + h.roll(100), err // says that it has more than there is room for
	}
	return h.fakeUPS.GetFeatureReport(b)
}

func (h *hostile) ReadTimeout(b []byte, milliseconds int) (int, error) {
	switch h.roll(50) {
	case 0:
		return 0, errTransfer
	case 1:
		for i := range b {
			b[i] = byte(h.roll(256))
		}
		b[0] = byte(0x80 | h.roll(128)) // of no report that is understood
		return h.roll(len(b) + 10), nil
	case 2:
		return copy(b, []byte{0x32, 0x00}), nil // contradicts itself
	}
	if milliseconds < 0 || milliseconds > 100 {
		milliseconds = 100
	}
	return h.fakeUPS.ReadTimeout(b, milliseconds)
}

func TestSixtyFiveHostileUnits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		right := func(declared bool, state State, err error) {
			if !HasState(err) {
				assert.Equal(t, State{}, state)
				return
			}
			assert.False(t, state.Time.IsZero())
			assert.Equal(t, ValueOf(true), state.Status.ACPresent, "%v", err)
			assert.Contains(t, []Value[float64]{ValueOf(117.2), {}}, state.Input.Voltage)
			assert.Contains(t, []Value[float64]{ValueOf(100.0), {}}, state.RemainingCapacity)
			assert.Contains(t, []Value[float64]{ValueOf(120.0), {}}, state.Config.Voltage)
			if declared && err == nil && !state.Announced {
				assert.Equal(t, ValueOf(117.2), state.Input.Voltage, "nothing is missing without an error")
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var all sync.WaitGroup
		var batteries []*Battery
		good := 0
		var mu sync.Mutex
		for n := range 65 {
			ups, descriptor := newFakeUPS(t, "smart1500lcd")
			if n%3 == 0 {
				descriptor = nil
			}
			device := &hostile{fakeUPS: ups, dice: rand.New(rand.NewPCG(uint64(n), 1))}
			b := New(device, WithReportDescriptor(descriptor), WithDeviceInfo(DeviceInfo{Path: fmt.Sprintf("9-%d:1.0", n)}))
			batteries = append(batteries, b)
			for range 2 {
				all.Go(func() {
					for ctx.Err() == nil {
						patience := time.Duration(1+device.roll(2000)) * time.Millisecond
						short, cancel := context.WithTimeout(ctx, patience)
						start := time.Now()
						state, err := b.Get(short)
						assert.LessOrEqual(t, time.Since(start), patience, "no Get is late")
						right(descriptor != nil, state, err)
						if HasState(err) {
							mu.Lock()
							good++
							mu.Unlock()
						}
						cancel()
						time.Sleep(time.Duration(device.roll(1000)) * time.Millisecond)
					}
				})
			}
			all.Go(func() {
				for state, err := range b.Watch(ctx, time.Duration(10+device.roll(1000))*time.Millisecond) {
					right(descriptor != nil, state, err)
				}
			})
			all.Go(func() {
				for ctx.Err() == nil {
					_, _ = b.Settings(ctx)
					_, _ = b.Dump(ctx, time.Second)
				}
			})
		}
		all.Wait()
		assert.Positive(t, good)
		start := time.Now()
		require.NoError(t, BankOf(batteries...).Close())
		assert.LessOrEqual(t, time.Since(start), time.Second)
		time.Sleep(time.Hour) // the transfers that hang end, and with them the last goroutines of the bubble
	})
}

// FuzzBattery has a unit answer whatever it likes. Nothing may panic or hang, and no reading may be
// beyond what its report can mean.
func FuzzBattery(f *testing.F) {
	for _, name := range []string{"smart1500lcd", "pro1500rt2u", "unlisted-3099"} {
		c, err := capture.Load(name)
		require.NoError(f, err)
		var answers []byte
		for _, r := range c.Interfaces[c.UPSInterface].Reports {
			answers = append(append(answers, byte(len(r.Bytes))), r.Bytes...)
		}
		f.Add([]byte(c.Interfaces[c.UPSInterface].Descriptor), answers)
		f.Add([]byte(nil), answers)
	}
	f.Fuzz(func(t *testing.T, descriptor, answers []byte) {
		device := &scripted{fakeUPS: &fakeUPS{Device: (&capture.Capture{Interfaces: make([]capture.Interface, 1)}).Device(0)}, script: answers}
		b := New(device, WithReportDescriptor(descriptor))
		defer b.Close()
		for range 3 {
			state, err := b.Get(t.Context())
			if !HasState(err) {
				require.Equal(t, State{}, state)
			}
			requirePossibleState(t, state)
			_, _ = b.Settings(t.Context())
		}
		d, err := b.Dump(t.Context(), 0)
		if err == nil {
			d.Fields()
		}
	})
}

// requirePossibleState fails for a State that no unit can give, whatever it sent.
func requirePossibleState(t *testing.T, state State) {
	t.Helper()
	for i := range fields {
		if f := &fields[i]; !f.Setting() {
			requirePossible(t, &reading{field: f}, &record{state: state})
		}
	}
}

// scripted is a device that answers with the pieces of a script, each after its length.
type scripted struct {
	*fakeUPS
	script []byte
}

func (s *scripted) GetFeatureReport(b []byte) (int, error) {
	if len(s.script) == 0 {
		return 0, errTransfer
	}
	n := int(s.script[0])
	s.script = s.script[1:]
	piece := s.script[:min(n, len(s.script))]
	s.script = s.script[len(piece):]
	if n == 0xff {
		return 0, syscall.EPIPE
	}
	copied := copy(b, piece)
	if n%5 == 0 && len(b) > 0 && copied > 0 {
		copy(b[1:], piece)
		b[0] = piece[0]
	}
	return n, nil
}

// FuzzAnnounced has a unit announce whatever it likes.
func FuzzAnnounced(f *testing.F) {
	f.Add("smart1500lcd", []byte{0x32, 0x08})
	f.Add("su3000rtxr3u", []byte{0x32, 0x64, 0x00, 0x00})
	f.Add("input-only", []byte{0x35, 0x84, 0x03})
	f.Fuzz(func(t *testing.T, name string, report []byte) {
		c, err := capture.Load(name)
		if err != nil || len(name) > 40 {
			return
		}
		for _, descriptor := range [][]byte{c.Interfaces[c.UPSInterface].Descriptor, nil} {
			ups := &fakeUPS{Device: c.Device(c.UPSInterface)}
			h := newHIDPower(ups, descriptor, "", optionsOf(nil).log)
			update, ok := h.announced(report)
			if !ok {
				require.Nil(t, update)
			}
			if update == nil {
				continue
			}
			var state State
			update(&state)
			requirePossibleState(t, state)
			require.False(t, contradicts(state.Status))
		}
	})
}
