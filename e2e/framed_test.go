//go:build e2e && linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/frame"
)

// framedUnits are captures of each variant of product 0001.
var framedUnits = []string{
	"omnivsint800", "omnivs1500xl", "smx1500xlrt2u", "smart1500rmxl2u", "smart500rt1u",
	"smart500rt1u-on-battery", "smx1200xlhg", "smart1500rmxl2u-0004",
}

func TestFramedUnitsOfEachVariantAreRead(t *testing.T) {
	var captures []*capture.Capture
	for _, name := range framedUnits {
		captures = append(captures, load(t, name))
	}
	units := attach(t, captures...)
	ran := tool(t, nil, "tripplite")
	require.Zero(t, ran.status, ran.stderr)
	assert.Empty(t, ran.stderr)
	said := map[string]map[string]any{}
	for _, object := range objects(t, ran.stdout) {
		said[object["device_id"].(string)] = object
	}
	for _, u := range units {
		object := said[u.path]
		delete(object, "device_id")
		delete(object, "time")
		text, err := json.Marshal(object)
		require.NoError(t, err)
		assert.JSONEq(t, string(u.Capture().Expect), string(text), u.Capture().Name)
	}

	status := tool(t, nil, "tripplite", "status", "--path", units[4].path)
	assert.Contains(t, status.stdout, "SMART500RT1U")
	assert.Contains(t, status.stdout, "on line power")
	got := tool(t, nil, "tripplite", "get", "--path", units[2].path, "output.load")
	assert.Equal(t, "36\n", got.stdout, got.stderr)
	check := tool(t, nil, "tripplite", "check", "--path", units[5].path)
	assert.Contains(t, check.stdout, "on battery", check.stderr)
	assert.NotZero(t, check.status)
}

func TestFramedUnitsThatAreLateAndSpeakTwiceAreReadRight(t *testing.T) {
	for _, name := range []string{"smart500rt1u", "smx1500xlrt2u"} {
		u := attachOne(t, name)
		u.Framed().SetManners(capture.Manners{Late: 300 * time.Millisecond, Double: true})
		b := u.open()
		for range 2 {
			assert.JSONEq(t, expected(t, name), asExpected(t, b))
		}
		time.Sleep(time.Second) // until the last reply has come a second time
		// It repeats its previous reply to a letter that it does not know.
		u.Framed().SetManners(capture.Manners{Unknown: "L"})
		state, err := b.Get(t.Context())
		require.True(t, tripplite.HasState(err), "%v", err)
		assert.ErrorContains(t, err, "command L, load")
		assert.Zero(t, state.Output.PercentLoad)
		assert.Equal(t, tripplite.ValueOf(true), state.Status.ACPresent)

		u.Framed().SetManners(capture.Manners{Deaf: true})
		start := time.Now()
		_, err = b.Get(t.Context())
		assert.Error(t, err)
		assert.NotErrorIs(t, err, tripplite.ErrDisconnected, "it is there")
		assert.Less(t, time.Since(start), 4*time.Second+slack)
	}
}

func TestFramedUnitsHoldACarriageReturnInTheirData(t *testing.T) {
	u := attachOne(t, "smart500rt1u")
	u.Framed().SetReply('S', 1, 4, 0, 1, 13, 0)
	u.Framed().SetReply('D', 0x01, 0x0d, 0, 0x79)
	u.Framed().SetReply('V', 6, 0, 12, 1, 'X', 'X')
	state, err := u.open().Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, tripplite.ValueOf(13.0), state.RemainingCapacity)
	assert.Equal(t, tripplite.ValueOf(269.0), state.Input.Voltage)
	assert.Equal(t, tripplite.ValueOf(230.0), state.Config.Voltage)
}

func TestFramedUnitsAreReadAgainAfterADrop(t *testing.T) {
	u := attachOne(t, "smart500rt1u")
	b := u.open()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var seen []string
	for state, err := range b.Watch(ctx, 200*time.Millisecond) {
		text := "lost"
		if tripplite.HasState(err) {
			ac, known := state.Status.ACPresent.Get()
			text = fmt.Sprintf("ac %t %t", ac, known)
		}
		if len(seen) > 0 && seen[len(seen)-1] == text {
			continue
		}
		seen = append(seen, text)
		switch len(seen) {
		case 1:
			u.Framed().SetReply('S', 1, 4, 0, 1, 57, 0)
		case 2:
			u.Unplug()
		case 3:
			u.Framed().SetReply('S', 1, 4, 0, 0, 57, 0)
			require.NoError(t, u.Plug())
		case 4:
			cancel()
		}
	}
	assert.Equal(t, []string{"ac true true", "ac false true", "lost", "ac true true"}, seen)
}

func TestFramedUnitsAreCapturedAndExplained(t *testing.T) {
	u := attachOne(t, "smx1500xlrt2u")
	ran := tool(t, nil, "tripplite", "capture", "-")
	require.Zero(t, ran.status, ran.stderr)
	made, err := capture.Parse([]byte(ran.stdout))
	require.NoError(t, err)
	var asked []byte
	for _, e := range made.UPS().Exchanges {
		asked = append(asked, e.Command[1])
	}
	assert.Equal(t, "\x00VPFUSDBLTMR0123456", string(asked))
	for _, want := range u.Capture().UPS().Exchanges {
		for _, e := range made.UPS().Exchanges {
			if e.Command[1] == want.Command[1] {
				assert.Equal(t, want.Reply, e.Reply)
			}
		}
	}
	// From the unit's side: each letter once, in a report without an id, filled up to eight bytes.
	letters := map[byte]int{}
	for _, w := range u.Counts().Writes {
		assert.Len(t, w.Bytes, frame.Size)
		letter, _, err := frame.ParseCommand(w.Bytes)
		require.NoError(t, err)
		letters[letter]++
	}
	for letter, times := range letters {
		assert.Equal(t, 1, times, "%q", letter)
	}
}

func TestFramedUnitsAreSharedByPrograms(t *testing.T) {
	if overHidapi {
		t.Skip("hidapi excludes other programs")
	}
	u := attachOne(t, "smart500rt1u")
	b := u.open()
	want := expected(t, "smart500rt1u")
	done := make(chan string)
	for range 2 {
		go func() {
			ran := tool(t, nil, "tripplite")
			done <- fmt.Sprint(ran.status, ran.stderr, strings.Contains(ran.stdout, `"load": 29`))
		}()
	}
	for range 5 {
		state, err := b.Get(t.Context())
		require.True(t, tripplite.HasState(err), "%v", err)
		assert.Equal(t, tripplite.ValueOf(true), state.Status.ACPresent)
	}
	for range 2 {
		assert.Equal(t, "0true", <-done)
	}
	assert.JSONEq(t, want, asExpected(t, b))
}
