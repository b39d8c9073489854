package tripplite

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
)

// A unit whose own serial line has died repeats its previous reply to every command (NUT). When
// that was the status, it looks like a new one, and would hide a power failure for ever.
func TestAStatusThatAUnitRepeatsIsNotBelieved(t *testing.T) {
	for name, statusComesLast := range map[string]func(t *testing.T, b *Battery, u *framedUnit){
		"asked for alone": func(t *testing.T, b *Battery, u *framedUnit) {
			_, err := b.Settings(t.Context())
			require.NoError(t, err)
			u.Framed().SetManners(capture.Manners{Stale: 1})
		},
		"died within a read": func(t *testing.T, b *Battery, u *framedUnit) {
			u.after('S', func() { u.Framed().SetManners(capture.Manners{Stale: 1}) })
			state, err := b.Get(t.Context())
			require.True(t, HasState(err), "%v", err)
			require.Equal(t, ValueOf(true), state.Status.ACPresent)
			require.Zero(t, state.Input.Voltage, "the reply to D is that to S")
		},
		"commands are stalled, too": func(t *testing.T, b *Battery, u *framedUnit) {
			_, err := b.Settings(t.Context())
			require.NoError(t, err)
			u.stall("V\x00PF")
			u.Framed().SetManners(capture.Manners{Stale: 1})
		},
	} {
		for _, model := range []string{"smart500rt1u", "smx1500xlrt2u", "omnivs1500xl", "omnivsint800"} {
			inBubble(t, model, func(t *testing.T, b *Battery, u *framedUnit) {
				_, err := b.Get(t.Context())
				require.NoError(t, err)
				statusComesLast(t, b, u)
				for range 3 {
					begun := time.Now()
					state, err := b.Get(t.Context())
					assert.Zero(t, state, name)
					var report *ReportError
					require.ErrorAs(t, err, &report, name)
					assert.Equal(t, byte('S'), report.ID)
					assert.LessOrEqual(t, time.Since(begun), 4*time.Second)
					_, err = b.Settings(t.Context())
					require.Error(t, err, name)
				}
				u.stall("")
				u.after('S', nil)
				u.Framed().SetManners(capture.Manners{})
				state, err := b.Get(t.Context())
				require.NoError(t, err, name)
				assert.Equal(t, ValueOf(true), state.Status.ACPresent, "and the line works again")
			})
		}
	}
}

// A unit that does not know one of the letters that tell replies apart is asked another.
func TestSettingsOfAUnitThatDoesNotKnowAConstant(t *testing.T) {
	for _, unknown := range []string{"V", "\x00", "P", "V\x00", "VP"} {
		inBubble(t, "smart500rt1u", func(t *testing.T, b *Battery, u *framedUnit) {
			_, err := b.Get(t.Context())
			require.NoError(t, err)
			u.Framed().SetManners(capture.Manners{Unknown: unknown})
			for n := range byte(5) {
				u.Framed().SetReply('S', 1, n, 0, 0, 100, 0)
				settings, err := b.Settings(t.Context())
				require.NoError(t, err, "%q", unknown)
				want := []TestResult{TestPassed, TestError, TestInProgress, TestError, TestNone}[n]
				assert.Equal(t, ValueOf(want), settings.Test)
			}
		})
	}
}

// What a read has learnt of the nominal values is kept, since they are asked for once.
func TestConstantsAreKeptFromAReadThatFailed(t *testing.T) {
	for name, fail := range map[string]func(t *testing.T, b *Battery, u *framedUnit){
		"no status": func(t *testing.T, b *Battery, u *framedUnit) {
			u.Framed().SetManners(capture.Manners{Unknown: "S"})
			_, err := b.Get(t.Context())
			require.Error(t, err)
		},
		"out of time": func(t *testing.T, b *Battery, u *framedUnit) {
			ctx, cancel := context.WithCancel(t.Context())
			u.after('S', cancel)
			_, err := b.Get(ctx)
			require.ErrorIs(t, err, context.Canceled)
		},
		"no frequency": func(t *testing.T, b *Battery, u *framedUnit) {
			ctx, cancel := context.WithCancel(t.Context())
			u.after('T', cancel)
			_, err := b.Get(ctx)
			require.ErrorIs(t, err, context.Canceled)
		},
	} {
		inBubble(t, "smx1500xlrt2u", func(t *testing.T, b *Battery, u *framedUnit) {
			u.Framed().SetManners(capture.Manners{Late: 90 * time.Millisecond})
			fail(t, b, u)
			u.after('S', nil)
			u.Framed().SetManners(capture.Manners{})
			assert.JSONEq(t, expected(t, "smx1500xlrt2u"), readWhole(t, b), name)
		})
	}
}

// 'X' is a byte that is not used (the maker's document, note 3). As flags it would be line power.
func TestFlagsThatNoUnitHasAreNoStatus(t *testing.T) {
	for model, statuses := range map[string][]string{
		"smx1500xlrt2u": {"31 30 30 58 5a 30", "58 58 58 58 58 58", "31 30 30 ff 5a 30"},
		"smart500rt1u":  {"01 04 00 58 64 00", "ff ff ff ff ff ff", "01 04 00 80 64 00"},
	} {
		for _, status := range statuses {
			inBubble(t, model, func(t *testing.T, b *Battery, u *framedUnit) {
				u.Framed().SetReply('S', frameData(t, status)...)
				state, err := b.Get(t.Context())
				var report *ReportError
				require.ErrorAs(t, err, &report, "%s of %s: %v", status, model, state.Status)
				assert.ErrorContains(t, err, "flags that mean nothing")
			})
		}
	}
}

// How long the status of a 1001 is, is not known; that it has an end is.
func TestAStatusOf1001HasAnEnd(t *testing.T) {
	for reply, want := range map[string]bool{
		"53 31 30 0d 00 00 00 00": true,
		"53 31 30 58 58 58 58 0d": true,
		"53 31 30":                false,
		"53 31 30 00 00 00 00 00": false,
		"53 0d 30 0d 00 00 00 00": false,
	} {
		inBubble(t, "omnivsint800", func(t *testing.T, b *Battery, u *framedUnit) {
			_, err := b.Get(t.Context())
			require.NoError(t, err)
			u.Framed().SetManners(capture.Manners{Deaf: true})
			u.after('S', func() { u.Push(unhex(reply)...) })
			_, err = b.Get(t.Context())
			assert.Equal(t, want, HasState(err), "%s: %v", reply, err)
		})
	}
}

func TestAProtocolWithoutItsEndIsNotExplained(t *testing.T) {
	d := Dump{Exchanges: []RawExchange{{Command: unhex("3a 00 ff 0d"), Reply: unhex("00 30 0d")}}}
	for _, f := range d.Fields() {
		assert.Zero(t, f.Reading, "%s is no reading of % x", f.Path, d.Exchanges[0].Reply)
		assert.Zero(t, f.Raw)
	}
	require.Len(t, d.Fields(), 2)
}

// The variant is a number in BCD; 'X' is a byte that is not used.
func TestWhatIsNoNumberIsNoVariant(t *testing.T) {
	for _, reply := range []string{"58 58 58 58 58 58", "30 0a 58 58 58 58", "f0 05 58 58 58 58"} {
		inBubble(t, "smart500rt1u", func(t *testing.T, b *Battery, u *framedUnit) {
			u.Framed().SetReply(0, frameData(t, reply)...)
			state, err := b.Get(t.Context())
			require.NoError(t, err)
			assert.Zero(t, state.Config.ProtocolVersion, reply)
			assert.Equal(t, ValueOf(124.0), state.Input.Voltage, "the reply to V is that of a 3005")
		})
	}
}

// The groups behind those that V counts are bits that mean nothing.
func TestOutletGroupsThatAUnitDoesNotHaveAreNotUnderstood(t *testing.T) {
	c, err := capture.Load("smx1500xlrt2u") // which has three
	require.NoError(t, err)
	var d Dump
	for _, e := range c.UPS().Exchanges {
		d.Exchanges = append(d.Exchanges, RawExchange{Command: e.Command, Reply: e.Reply})
	}
	var keys []string
	for _, f := range d.Fields() {
		if f.ID == 'R' {
			keys = append(keys, f.Key)
		}
	}
	assert.Equal(t, ",outlets.1,outlets.2,outlets.3,,,,,", strings.Join(keys, ","))
}
