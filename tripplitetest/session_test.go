package tripplitetest_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/karalabe/hid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

var (
	_ hid.Device = (*tripplitetest.Recorder)(nil)
	_ hid.Device = (*tripplitetest.Player)(nil)
)

// descriptor returns that of a built-in capture.
func descriptor(t *testing.T, name string) []byte {
	t.Helper()
	c, err := capture.Load(name)
	require.NoError(t, err)
	return c.Interfaces[0].Descriptor
}

// record has a session recorded with a unit, and returns the file.
func record(t *testing.T, ups *tripplitetest.UPS, session func(*tripplite.Battery, *tripplitetest.Recorder)) (file string) {
	t.Helper()
	d := descriptor(t, "smart1500lcd")
	recorder := tripplitetest.NewRecorder(ups, ups.Info, d)
	battery := tripplite.New(recorder, tripplite.WithReportDescriptor(d))
	session(battery, recorder)
	require.NoError(t, battery.Close())
	file = filepath.Join(t.TempDir(), "recorded.json")
	require.NoError(t, recorder.Save(file))
	return file
}

func TestARecordedUnitIsTheUnit(t *testing.T) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	ups.Info.Serial = "FW-2263 E"
	var want tripplite.State
	file := record(t, ups, func(b *tripplite.Battery, _ *tripplitetest.Recorder) {
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
		Type: capture.Feature, ID: 0x18, Bytes: capture.Bytes{0x18, 0x94, 0x04}, Origin: capture.Captured,
	})
}

func TestARecordingHasEveryTransferInOrder(t *testing.T) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	recorder := tripplitetest.NewRecorder(ups, ups.Info, nil)
	ask := func(call func([]byte) (int, error), b ...byte) {
		t.Helper()
		_, err := call(b)
		require.NoError(t, err)
	}
	ask(recorder.GetFeatureReport, 0x18, 0, 0)
	ask(recorder.SendFeatureReport, 0x11, 0x01)
	ups.Push(0x32, 0x08)
	ask(recorder.Read, 0, 0, 0)
	n, err := recorder.ReadTimeout(make([]byte, 8), 0)
	require.NoError(t, err)
	require.Zero(t, n, "which is not recorded")
	ups.AnswerReport(0x66)
	ask(recorder.GetFeatureReport, 0x66, 0)
	ups.FailReport(0x19, errors.New("a bad cable"))
	_, err = recorder.GetFeatureReport([]byte{0x19, 0, 0})
	require.Error(t, err)
	ups.AnswerReport(0x1e, 0x1f, 0x0e)
	ask(recorder.GetFeatureReport, 0x1e, 0)
	_, err = recorder.GetFeatureReport(nil)
	require.Error(t, err)
	_, err = recorder.Write([]byte{0})
	require.Error(t, err)

	file := filepath.Join(t.TempDir(), "traffic.json")
	require.NoError(t, recorder.Save(file))
	c, err := capture.Load(file)
	require.NoError(t, err)
	assert.Empty(t, c.Interfaces[0].DescriptorOrigin)
	assert.Equal(t, []capture.Report{
		{Type: capture.Feature, ID: 0x18, Bytes: capture.Bytes{0x18, 0x94, 0x04}, Origin: capture.Captured},
		{Type: capture.Sent, ID: 0x11, Bytes: capture.Bytes{0x11, 0x01}, Origin: capture.Captured},
		{Type: capture.Input, ID: 0x32, Bytes: capture.Bytes{0x32, 0x08}, Origin: capture.Captured},
		{Type: capture.Feature, ID: 0x66, Error: capture.Empty, Origin: capture.Captured},
		{Type: capture.Feature, ID: 0x19, Error: capture.Stall, Origin: capture.Captured, Note: "a bad cable"},
		{Type: capture.Feature, ID: 0x1e, Bytes: capture.Bytes{0x1f, 0x0e}, Error: capture.WrongID, Origin: capture.Captured},
	}, c.Interfaces[0].Traffic)

	require.ErrorIs(t, recorder.Save(filepath.Join(t.TempDir(), "nowhere", "traffic.json")), os.ErrNotExist)
	require.NoError(t, recorder.Close())
	_, err = ups.Read(nil)
	require.ErrorIs(t, err, hid.ErrDeviceClosed)
}

func TestASessionIsRepeated(t *testing.T) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	file := record(t, ups, func(b *tripplite.Battery, _ *tripplitetest.Recorder) {
		next := states(t, b, time.Hour)
		_, err := next()
		require.NoError(t, err)
		ups.PowerFailure()
		for range 2 {
			_, err = next()
			require.NoError(t, err)
		}
	})
	for _, inOrder := range []bool{false, true} {
		player := tripplitetest.NewPlayer(t, file)
		player.InOrder = inOrder
		next := states(t, player.Battery(), time.Hour)
		state, err := next()
		require.NoError(t, err)
		assert.Equal(t, tripplite.ValueOf(true), state.Status.ACPresent)
		assert.Equal(t, tripplite.ValueOf(117.2), state.Input.Voltage)
		state, err = next()
		require.NoError(t, err)
		assert.Equal(t, tripplite.ValueOf(false), state.Status.ACPresent, "announced, without a timer")
		assert.Equal(t, tripplite.ValueOf(117.2), state.Input.Voltage)
		state, err = next()
		require.NoError(t, err)
		assert.Equal(t, tripplite.ValueOf(0.0), state.Input.Voltage)
		require.NoError(t, player.Close())
	}
}

// session is what the cases below are held to: two reads of a report, a write between them, one read of another, and an announcement.
const session = `{"reports": [], "traffic": [
	{"type": "feature", "id": "11", "bytes": "11 02", "origin": "captured"},
	{"type": "sent", "id": "11", "bytes": "11 01", "origin": "captured"},
	{"type": "feature", "id": "18", "bytes": "18 94 04", "origin": "captured"},
	{"type": "input", "id": "32", "bytes": "32 08", "origin": "captured"},
	{"type": "feature", "id": "11", "bytes": "11 01", "origin": "captured"},
	{"type": "feature", "id": "19", "error": "stall", "origin": "captured"},
	{"type": "feature", "id": "66", "error": "empty", "origin": "captured"}]}`

func TestAPlayerHoldsAProgramToTheSession(t *testing.T) {
	const missing = "tripplitetest: the session unit was not repeated: "
	file := unit(t, session)
	for name, row := range map[string]struct {
		inOrder bool
		calls   string // g: a report is read, s: 01 is sent, S: 03 is sent, r: an input report is read
		says    string // of Close
	}{
		"as recorded":              {false, "g11 s11 g18 r g11 g19 g66", ""},
		"as recorded, in order":    {true, "g11 s11 g18 r g11 g19 g66", ""},
		"each report in its order": {false, "g66 g19 g18 g11 s11 r g11", ""},
		"another order": {true, "g11 g18", missing + "not recorded, or not now: the feature report 0x18 that was read\n" +
			"6 of 7 recorded transfers did not happen, first the feature report 11 01 that was sent"},
		"a read before the write": {false, "g11 g11", missing + "not recorded, or not now: the feature report 0x11 that was read\n" +
			"6 of 7 recorded transfers did not happen, first the feature report 11 01 that was sent"},
		"another write": {false, "g11 S11 s11 g18 r g11 g19 g66", missing + "not recorded, or not now: the feature report 11 03 that was sent"},
		"once too often, and again": {false, "g11 s11 g18 r g11 g19 g66 g66 g11",
			missing + "not recorded, or not now: the feature report 0x66 that was read"},
		"nothing": {false, "", missing + "7 of 7 recorded transfers did not happen, first the feature report 0x11 that was read"},
		"an announcement that nobody reads": {false, "g11 s11 g18 g11 g19 g66",
			missing + "1 of 7 recorded transfers did not happen, first the input report 32 08"},
	} {
		t.Run(name, func(t *testing.T) {
			told := complaint(func(t testing.TB) {
				player := tripplitetest.NewPlayer(t, file)
				player.InOrder = row.inOrder
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
						player.Read(make([]byte, 8))
					}
				}
			})
			assert.Equal(t, row.says, told)
		})
	}
}

func TestAPlayerAnswersAsTheUnitDid(t *testing.T) {
	player := tripplitetest.NewPlayer(t, unit(t, session))
	buffer := make([]byte, 8)
	get := func(id byte) ([]byte, error) {
		buffer[0] = id
		n, err := player.GetFeatureReport(buffer)
		return buffer[:n], err
	}
	answer, err := get(0x11)
	require.NoError(t, err)
	assert.Equal(t, []byte{0x11, 0x02}, answer)
	n, err := player.SendFeatureReport([]byte{0x11, 0x01})
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	answer, err = get(0x11)
	require.NoError(t, err)
	assert.Equal(t, []byte{0x11, 0x01}, answer)
	_, err = get(0x19)
	require.Error(t, err)
	answer, err = get(0x66)
	require.NoError(t, err)
	assert.Empty(t, answer)

	for _, milliseconds := range []int{0, 1} {
		n, err = player.ReadTimeout(buffer, milliseconds)
		require.NoError(t, err)
		assert.Zero(t, n, "it is due after report 18")
	}
	reading := make(chan []byte)
	go func() {
		buffer := make([]byte, 8)
		n, _ := player.Read(buffer)
		reading <- buffer[:n]
	}()
	_, err = get(0x18)
	require.NoError(t, err)
	assert.Equal(t, []byte{0x32, 0x08}, <-reading)

	go func() {
		_, err := player.Read(make([]byte, 8))
		assert.ErrorIs(t, err, hid.ErrDeviceClosed)
		close(reading)
	}()
	require.NoError(t, player.Close())
	<-reading
	_, err = get(0x11)
	require.ErrorIs(t, err, hid.ErrDeviceClosed)
	for _, transfer := range []func([]byte) (int, error){player.GetFeatureReport, player.SendFeatureReport, player.Write} {
		_, err := transfer(nil)
		require.Error(t, err)
	}
	require.NoError(t, player.Close())
}
