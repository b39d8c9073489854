package tripplitetest_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

var _ tripplite.Device = (*tripplitetest.Recorder)(nil)

// descriptor returns that of a built-in capture.
func descriptor(t *testing.T, name string) []byte {
	t.Helper()
	c, err := capture.Load(name)
	require.NoError(t, err)
	return c.Interfaces[0].Descriptor
}

// record has a session recorded with a unit, and returns the file.
func record(
	t *testing.T, ups *tripplitetest.UPS, session func(*tripplite.Battery),
) (file string) {
	t.Helper()
	d := descriptor(t, "smart1500lcd")
	recorder := tripplitetest.NewRecorder(ups, ups.Info, d)
	battery := tripplite.New(recorder, tripplite.WithReportDescriptor(d))
	session(battery)
	require.NoError(t, battery.Close())
	file = filepath.Join(t.TempDir(), "recorded.json")
	require.NoError(t, recorder.Save(file))
	return file
}

func TestARecordedUnitIsTheUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, "smart1500lcd")
		ups.Info.Serial = "FW-2263 E"
		var want tripplite.State
		file := record(t, ups, func(b *tripplite.Battery) {
			want = get(t, b)
			ups.PowerFailure()
			get(t, b)
			ups.Unplug()
			_, err := b.Get(t.Context())
			require.ErrorIs(t, err, tripplite.ErrDisconnected)
		})
		again := tripplitetest.NewUPS(t, file)
		assert.Equal(t, ups.Info, again.Info)
		state := get(t, again.Battery())
		assert.Equal(t, "1-1:1.0", state.Path)
		state.Path, state.Time = want.Path, want.Time
		assert.Equal(t, want, state, "as it was when the recording began")

		c, err := capture.Load(file)
		require.NoError(t, err)
		assert.Equal(t, "recorded", c.Name)
		assert.Equal(t, capture.Captured, c.Interfaces[0].DescriptorOrigin)
		assert.Equal(t, descriptor(t, "smart1500lcd"), []byte(c.Interfaces[0].Descriptor))
		assert.Contains(t, c.Interfaces[0].Reports, capture.Report{
			Type: capture.Feature, ID: 0x18, Bytes: capture.Bytes{0x18, 0x94, 0x04},
			Origin: capture.Captured,
		})
	})
}

func TestARecordingHasEveryTransferInOrder(t *testing.T) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	ups.Latency = 0
	recorder := tripplitetest.NewRecorder(ups, ups.Info, nil)
	ask := func(call func([]byte) (int, error), b ...byte) {
		t.Helper()
		_, err := call(b)
		require.NoError(t, err)
	}
	read := func(b []byte) (int, error) { return recorder.ReadTimeout(b, 0) }
	ask(recorder.GetFeatureReport, 0x18, 0, 0)
	ask(recorder.SendFeatureReport, 0x11, 0x01)
	ups.Push(0x32, 0x08)
	ask(read, 0, 0, 0)
	ask(read, 0, 0, 0) // nothing, which is not recorded
	ups.AnswerReport(0x66)
	ask(recorder.GetFeatureReport, 0x66, 0)
	ups.FailReport(0x19, errors.New("a bad cable"))
	_, err := recorder.GetFeatureReport([]byte{0x19, 0, 0})
	require.Error(t, err)
	ups.AnswerReport(0x1e, 0x1f, 0x0e)
	ask(recorder.GetFeatureReport, 0x1e, 0)
	_, err = recorder.GetFeatureReport(nil)
	require.Error(t, err)

	file := filepath.Join(t.TempDir(), "traffic.json")
	require.NoError(t, recorder.Save(file))
	c, err := capture.Load(file)
	require.NoError(t, err)
	assert.Empty(t, c.Interfaces[0].DescriptorOrigin)
	assert.Equal(t, []capture.Report{
		{Type: capture.Feature, ID: 0x18, Bytes: capture.Bytes{0x18, 0x94, 0x04}, Origin: "captured"},
		{Type: capture.Sent, ID: 0x11, Bytes: capture.Bytes{0x11, 0x01}, Origin: "captured"},
		{Type: capture.Input, ID: 0x32, Bytes: capture.Bytes{0x32, 0x08}, Origin: "captured"},
		{Type: capture.Feature, ID: 0x66, Error: capture.Empty, Origin: "captured"},
		{Type: capture.Feature, ID: 0x19, Error: capture.Stall, Origin: "captured", Note: "a bad cable"},
		{Type: capture.Feature, ID: 0x1e, Bytes: capture.Bytes{0x1f, 0x0e}, Error: capture.WrongID,
			Origin: "captured"},
	}, c.Interfaces[0].Traffic)

	nowhere := filepath.Join(t.TempDir(), "nowhere", "traffic.json")
	require.ErrorIs(t, recorder.Save(nowhere), os.ErrNotExist)
	require.NoError(t, recorder.Close())
	_, err = ups.ReadTimeout(nil, 0)
	require.ErrorIs(t, err, os.ErrClosed)
}

func TestASessionThatCouldNotBeReadAgainIsNotSaved(t *testing.T) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	ups.Latency = 0
	recorder := tripplitetest.NewRecorder(ups, ups.Info, nil)
	ups.AnswerReport(0x34, make([]byte, 1<<16)...)
	for range 1 << 6 {
		_, err := recorder.GetFeatureReport(append([]byte{0x34}, make([]byte, 1<<16)...))
		require.NoError(t, err)
	}
	file := filepath.Join(t.TempDir(), "long.json")
	require.EqualError(t, recorder.Save(file),
		"not a capture: it has more than 4194304 bytes")
	_, err := os.Stat(file)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestASessionIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// watched watches an outage and returns what the Watch yields: a whole State, what was
		// announced, and a whole State again.
		watched := func(b *tripplite.Battery, outage func()) (states []tripplite.State) {
			next := watch(t, b)
			for i := range 3 {
				state, err := next()
				require.NoError(t, err)
				state.Path, state.Time = "", time.Time{}
				states = append(states, state)
				if i == 0 {
					outage()
				}
			}
			return states
		}
		ups := tripplitetest.NewUPS(t, "smart1500lcd")
		var want []tripplite.State
		file := record(t, ups, func(b *tripplite.Battery) { want = watched(b, ups.PowerFailure) })
		assert.Equal(t, []bool{false, true, false},
			[]bool{want[0].Announced, want[1].Announced, want[2].Announced})

		player := tripplitetest.NewPlayer(t, file)
		assert.Equal(t, want, watched(player.Battery(), func() {}))
		require.NoError(t, player.Close())
	})
}

// session is what the cases below are held to: two reads of a report, a write between them, one
// read of another, and an announcement.
const session = `{"reports": [], "traffic": [
	{"type": "feature", "id": "11", "bytes": "11 02", "origin": "captured"},
	{"type": "sent", "id": "11", "bytes": "11 01", "origin": "captured"},
	{"type": "feature", "id": "18", "bytes": "18 94 04", "origin": "captured"},
	{"type": "input", "id": "32", "bytes": "32 08", "origin": "captured"},
	{"type": "feature", "id": "11", "bytes": "11 01", "origin": "captured"},
	{"type": "feature", "id": "19", "error": "stall", "origin": "captured"},
	{"type": "feature", "id": "66", "error": "empty", "origin": "captured"}]}`

func TestAPlayerHoldsAProgramToTheSession(t *testing.T) {
	const (
		missing = "tripplitetest: the session unit was not repeated: "
		not     = missing + "not recorded, or not now: "
		then    = "\n6 recorded transfers did not happen, first: send 11 01"
	)
	file := unit(t, session)
	for name, row := range map[string]struct {
		calls string // g: a report is read, s: 01 is sent, S: 03 is sent, r: an input report is read
		says  string // of Close
	}{
		"as recorded":              {"g11 s11 g18 r g11 g19 g66", ""},
		"each report in its order": {"g66 g19 g18 g11 s11 r g11", ""},
		"a read before the write":  {"g11 g11", not + "get 11" + then},
		"another write":            {"g11 S11 s11 g18 r g11 g19 g66", not + "send 11 03"},
		"once too often, and again": {"g11 s11 g18 r g11 g19 g66 g66 g11",
			not + "get 66"},
		"nothing": {"", missing +
			"7 recorded transfers did not happen, first: get 11"},
		"an announcement that nobody reads": {"g11 s11 g18 g11 g19 g66", missing +
			"1 recorded transfers did not happen, first: input 32 08"},
	} {
		inBubble(t, name, func(t *testing.T) {
			told := complaint(func(t testing.TB) {
				player := tripplitetest.NewPlayer(t, file)
				for _, call := range strings.Fields(row.calls) {
					id, _ := strconv.ParseUint(call[1:], 16, 8)
					switch call[0] {
					case 'g':
						player.GetFeatureReport([]byte{byte(id), 0})
					case 's':
						player.SendFeatureReport([]byte{byte(id), 0x01})
					case 'S':
						player.SendFeatureReport([]byte{byte(id), 0x03})
					case 'r':
						player.ReadTimeout(make([]byte, 8), -1)
					}
				}
			})
			assert.Equal(t, row.says, told)
		})
	}
}

func TestAPlayerAnswersAsTheUnitDid(t *testing.T) {
	file := unit(t, session)
	synctest.Test(t, func(t *testing.T) {
		player := tripplitetest.NewPlayer(t, file)
		get := func(id byte, want ...byte) {
			t.Helper()
			buffer := []byte{id, 0, 0, 0}
			n, err := player.GetFeatureReport(buffer)
			require.NoError(t, err)
			assert.Equal(t, want, append([]byte(nil), buffer[:n]...))
		}
		get(0x11, 0x11, 0x02)
		n, err := player.SendFeatureReport([]byte{0x11, 0x01})
		require.NoError(t, err)
		assert.Equal(t, 2, n)
		get(0x11, 0x11, 0x01)
		_, err = player.GetFeatureReport([]byte{0x19, 0})
		require.Error(t, err)
		get(0x66)

		buffer := make([]byte, 8)
		for _, milliseconds := range []int{0, 1000} {
			n, err = player.ReadTimeout(buffer, milliseconds)
			require.NoError(t, err)
			assert.Zero(t, n, "it is due after report 18")
		}
		time.AfterFunc(time.Minute, func() { get(0x18, 0x18, 0x94, 0x04) })
		n, err = player.ReadTimeout(buffer, -1)
		require.NoError(t, err)
		assert.Equal(t, []byte{0x32, 0x08}, buffer[:n])

		time.AfterFunc(time.Minute, func() { assert.NoError(t, player.Close()) })
		_, err = player.ReadTimeout(buffer, -1)
		require.ErrorIs(t, err, os.ErrClosed)
		for _, transfer := range transfers(player) {
			_, err = transfer([]byte{0x11, 0})
			require.ErrorIs(t, err, os.ErrClosed)
			_, err = transfer(nil)
			require.Error(t, err)
		}
		require.NoError(t, player.Close())
	})
}
