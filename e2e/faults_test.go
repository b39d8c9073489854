//go:build e2e && linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/virtualups"
)

// What a fault makes of a read.
const (
	whole   = "the whole State"
	partial = "a partial State that names the report"
	failed  = "no State, an error that names the status report"
	lost    = "no State, ErrDisconnected"
)

// slack is what an emulated machine may take on top, being shared and slow.
const slack = 3 * time.Second

// faults is every fault of the virtual UPS: what must come when one reading, the status, or every report has it, and within what time.
var faults = []struct {
	name                   string
	fault                  virtualups.Fault
	reading, status, every string
	says                   string        // of the report
	within                 time.Duration // on one report; on every report a unit is given up after three
}{
	{"stall", virtualups.Stall, partial, failed, stalled, stallText, 0},
	{"short", virtualups.Short, partial, failed, failed, "bytes came of", 0},
	{"long", virtualups.Long, whole, whole, whole, "", 0},
	{"empty", virtualups.Empty, partial, failed, failed, "answered with nothing", 0},
	{"wrong id", virtualups.WrongID, partial, failed, failed, "answered with report", 0},
	{"late", virtualups.Late(100 * time.Millisecond), whole, whole, whole, "", 10 * 100 * time.Millisecond},
	{"never", virtualups.Never, partial, neverStatus, lost, neverText, transferTimeout()},
}

// What a failed transfer says, and what it means that every report stalls or that the status is never
// answered. hidapi tells no cause and waits a second. hidraw tells, and waits five.
var stallText, neverText, stalled, neverStatus = causes()

func causes() (stall, never, every, status string) {
	if overHidapi {
		return "hidapi", "hidapi", lost, failed
	}
	return "broken pipe", "timed out", failed, lost
}

// The reports that a fault is tried on: the status, the input voltage, all.
const (
	statusReport  = 0x32
	voltageReport = 0x18
)

func TestFaults(t *testing.T) {
	units := attach(t, load(t, "smart1500lcd"), load(t, "pro1500rt2u"))
	u, healthy := units[0], units[1]
	for _, f := range faults {
		for _, target := range []struct {
			name    string
			reports []byte
			want    string
			names   byte
		}{
			{"one reading", []byte{voltageReport}, f.reading, voltageReport},
			{"the status", []byte{statusReport}, f.status, statusReport},
			{"every report", nil, f.every, statusReport},
		} {
			within := slack + f.within
			if target.reports == nil || target.names == statusReport {
				within = slack + 3*f.within
			}
			row := fmt.Sprintf("%s/%s", f.name, target.name)
			check := func(t *testing.T, state tripplite.State, err error) {
				t.Helper()
				checkFault(t, target.want, target.names, f.says, state, err)
			}
			t.Run("Get/"+row, func(t *testing.T) {
				b := u.openIn(t)
				_, err := b.Get(t.Context())
				require.NoError(t, err)
				u.failIn(t, f.fault, target.reports)
				start := time.Now()
				state, err := b.Get(t.Context())
				took := time.Since(start)
				check(t, state, err)
				assert.Less(t, took, within)

				u.Heal()
				requireGood(t, b)
			})
			t.Run("Watch/"+row, func(t *testing.T) {
				check, within := check, within
				if f.name == "never" && !overHidapi { // the transfer takes longer than Watch waits
					within = slack + 3*time.Second
					check = func(t *testing.T, state tripplite.State, err error) {
						t.Helper()
						checkFault(t, lost, target.names, f.says, state, err)
					}
				}
				b := u.openIn(t)
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				var failedAt time.Time
				healed := false
				for state, err := range b.Watch(ctx, 50*time.Millisecond) {
					switch {
					case failedAt.IsZero():
						require.NoError(t, err)
						u.failIn(t, f.fault, target.reports)
						failedAt = time.Now()
					case !healed && tripplite.HasState(err) && target.want != whole && target.want != partial,
						!healed && err == nil && target.want != whole: // the read under way
						require.Less(t, time.Since(failedAt), within, "no error comes")
					case !healed:
						check(t, state, err)
						assert.Less(t, time.Since(failedAt), within+100*time.Millisecond)
						u.Heal()
						healed = true
					case err == nil:
						assert.Equal(t, tripplite.ValueOf(117.2), state.Input.Voltage)
						return
					}
				}
				t.Fatal("Watch ended")
			})
			t.Run("Bank/"+row, func(t *testing.T) {
				k := tripplite.NewBank()
				defer k.Close()
				readings := get(t, k, t.Context())
				require.NoError(t, readings[u.path].Err)
				require.True(t, tripplite.HasState(readings[healthy.path].Err))
				u.failIn(t, f.fault, target.reports)
				start := time.Now()
				readings = get(t, k, t.Context())
				took := time.Since(start)
				check(t, readings[u.path].State, readings[u.path].Err)
				assert.Less(t, took, within)
				require.True(t, tripplite.HasState(readings[healthy.path].Err), "the other unit is read as ever")
				assert.Equal(t, tripplite.ValueOf(123.3), readings[healthy.path].State.Input.Voltage)

				u.Heal()
				require.Eventually(t, func() bool { return get(t, k, t.Context())[u.path].Err == nil }, 20*time.Second, 20*time.Millisecond)
			})
		}
	}
}

func (u *unit) openIn(t testing.TB) *tripplite.Battery {
	t.Helper()
	b, err := tripplite.Open(u.path)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.Close()) })
	return b
}

func (u *unit) failIn(t *testing.T, f virtualups.Fault, reports []byte) {
	t.Helper()
	u.Fail(f, reports...)
	t.Cleanup(func() { u.Heal() })
}

func get(t *testing.T, k *tripplite.Bank, ctx context.Context) map[string]tripplite.Reading {
	t.Helper()
	readings, err := k.Get(ctx)
	require.NoError(t, err)
	byPath := map[string]tripplite.Reading{}
	for _, r := range readings {
		byPath[r.Info.Path] = r
	}
	return byPath
}

// requireGood waits for the next State, which must be whole.
func requireGood(t testing.TB, b *tripplite.Battery) {
	t.Helper()
	var state tripplite.State
	require.Eventually(t, func() bool {
		var err error
		state, err = b.Get(context.Background())
		return err == nil
	}, 20*time.Second, 10*time.Millisecond)
	assert.Equal(t, tripplite.ValueOf(117.2), state.Input.Voltage)
	assert.Equal(t, tripplite.ValueOf(true), state.Status.ACPresent)
}

func checkFault(t *testing.T, want string, report byte, says string, state tripplite.State, err error) {
	t.Helper()
	switch want {
	case whole:
		require.NoError(t, err)
		assert.Equal(t, tripplite.ValueOf(117.2), state.Input.Voltage)
		assert.Equal(t, tripplite.ValueOf(true), state.Status.ACPresent)
	case partial:
		var p *tripplite.PartialError
		require.ErrorAs(t, err, &p)
		require.Len(t, p.Reports, 1)
		assert.Equal(t, report, p.Reports[0].ID)
		assert.ErrorContains(t, p.Reports[0], says)
		assert.Equal(t, tripplite.Value[float64]{}, state.Input.Voltage)
		assert.Equal(t, tripplite.ValueOf(59.7), state.Input.Frequency)
		assert.Equal(t, tripplite.ValueOf(true), state.Status.ACPresent)
	case failed:
		var r *tripplite.ReportError
		require.ErrorAs(t, err, &r)
		assert.Equal(t, report, r.ID)
		assert.ErrorContains(t, r, says)
		require.NotErrorIs(t, err, tripplite.ErrDisconnected)
		assertNoState(t, state)
	case lost:
		require.ErrorIs(t, err, tripplite.ErrDisconnected)
		assertNoState(t, state)
	}
}

// assertNoState says that nothing can be taken for a reading: no value, no zero, no "on battery".
func assertNoState(t testing.TB, state tripplite.State) {
	t.Helper()
	assert.Zero(t, state)
	text, err := json.Marshal(state)
	require.NoError(t, err)
	assert.JSONEq(t, `{}`, string(text))
	var rule tripplite.OnBattery
	assert.False(t, rule.Observe(state, tripplite.ErrDisconnected))
	onBattery, known := rule.Get()
	assert.False(t, onBattery)
	assert.False(t, known)
}

// TestEveryReportOfThePlanMayFail has each report of a 2012 fail in each way, from the first read on and later. Nominal reports are
// asked for until they are had.
func TestEveryReportOfThePlanMayFail(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	live := []byte{0x18, 0x19, 0x1b, 0x1e, 0x20, 0x22, 0x34, 0x35, 0x47}
	nominal := []byte{0x01, 0x02, 0x03, 0x04, 0x36, 0x37, 0x6c}
	for _, f := range faults {
		if f.name == "never" || f.name == "late" {
			continue // they take seconds for each report, and TestFaults has them
		}
		t.Run(f.name, func(t *testing.T) {
			b := u.openIn(t)
			_, err := b.Get(t.Context())
			require.NoError(t, err)
			for _, id := range live {
				u.Fail(f.fault, id)
				state, err := b.Get(t.Context())
				checkReport(t, f.reading == whole, id, f.says, state, err)
				u.Heal(id)
			}
			require.NoError(t, b.Close())

			for _, id := range append(live, nominal...) {
				u.Fail(f.fault, id)
				fresh := u.openIn(t)
				state, err := fresh.Get(t.Context())
				checkReport(t, f.reading == whole, id, f.says, state, err)
				require.NoError(t, fresh.Close())
				u.Heal(id)
			}
		})
	}
}

func checkReport(t *testing.T, good bool, id byte, says string, state tripplite.State, err error) {
	t.Helper()
	assert.Equal(t, tripplite.ValueOf(true), state.Status.ACPresent, "report 0x%02x", id)
	if good {
		require.NoError(t, err, "report 0x%02x", id)
		return
	}
	var p *tripplite.PartialError
	require.ErrorAs(t, err, &p, "report 0x%02x", id)
	require.Len(t, p.Reports, 1)
	assert.Equal(t, id, p.Reports[0].ID)
	assert.ErrorContains(t, p.Reports[0], says)
}
