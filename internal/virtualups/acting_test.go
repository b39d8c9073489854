package virtualups_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/frame"
	"github.com/tripplite-go/tripplite/internal/virtualups"
)

// host is a client that has imported a unit made from a built-in capture.
type host struct {
	*client
	ups    *virtualups.UPS
	server *virtualups.Server
}

func hostOf(t *testing.T, name string) host {
	t.Helper()
	c, err := capture.Load(name)
	require.NoError(t, err)
	s := serveInBubble(t)
	u := s.Add(c)
	return host{attach(t, s, u), u, s}
}

// write makes a SET_REPORT of a feature report, its id first, and returns the status of the
// transfer.
func (h host) write(report ...byte) int32 {
	h.t.Helper()
	return h.control(setFeature(report[0], len(report)), report...).status
}

// command sends a command to a unit of the framed protocol.
func (h host) command(letter byte, data ...byte) {
	h.t.Helper()
	b := append(frame.Command(letter, data...), make([]byte, frame.Size)...)[:frame.Size]
	require.EqualValues(h.t, ok, h.control(setFeature(0, len(b)), b...).status)
}

func setFeature(id byte, length int) [8]byte {
	return [8]byte{0x21, 9, id, 3, 0, 0, byte(length), 0}
}

func (h host) says(id byte) []byte {
	h.t.Helper()
	r := h.control(getFeature(id, 0))
	require.EqualValues(h.t, ok, r.status)
	return r.data
}

func TestAVirtualUnitActsOnWhatIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hostOf(t, "bcpers450")
		h.ups.SetMains(false)
		assert.EqualValues(t, ok, h.write(0x15, 30, 0))
		assert.Equal(t, []byte{0x15, 30, 0}, h.says(0x15))
		time.Sleep(10 * time.Second)
		assert.Equal(t, []byte{0x15, 20, 0}, h.says(0x15))
		assert.True(t, h.ups.LoadOn())
		time.Sleep(20 * time.Second)
		synctest.Wait()
		assert.Equal(t, []byte{0x15, 0xff, 0xff}, h.says(0x15))
		assert.False(t, h.ups.LoadOn())
		assert.False(t, h.ups.OutletOn(1), "its outlets are the load")
		assert.Equal(t, []byte{0x32, 0x42}, h.says(0x32), "SetMains changes no report")
		h.ups.SetMains(true)
		assert.True(t, h.ups.LoadOn())
	})
}

func TestTheOutputOfAVirtualUnitHasNothingWhileItIsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hostOf(t, "smart1500lcd")
		assert.EqualValues(t, ok, h.write(0x17, 10, 0))
		assert.Equal(t, []byte{0x1b, 0, 0}, h.says(0x1b))
		h.ups.SetReport(capture.Feature, 0x1e, 50)
		assert.Equal(t, []byte{0x1e, 0}, h.says(0x1e))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		assert.Equal(t, []byte{0x1b, 0x94, 0x04}, h.says(0x1b))
		assert.Equal(t, []byte{0x1e, 50}, h.says(0x1e))
	})
}

func TestAVirtualUnitStallsACommandThatItDoesNotHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hostOf(t, "bcpers450")
		assert.EqualValues(t, epipe, h.write(0x61, 0, 0))
		assert.EqualValues(t, epipe, h.write(0x10, 1))
		h.ups.Fail(virtualups.OfWrites(virtualups.Stall), 0x17)
		assert.EqualValues(t, epipe, h.write(0x17, 10, 0))
		assert.Equal(t, []byte{0x17, 0xff, 0xff}, h.says(0x17))
		assert.True(t, h.ups.LoadOn())
	})
}

func TestWritesAreCountedWithTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hostOf(t, "bcpers450")
		begun := time.Now()
		h.write(0x11, 1)
		time.Sleep(time.Minute)
		h.write(0x11, 2)
		assert.Equal(t, []virtualups.Write{
			{Time: begun, Type: capture.Feature, ID: 0x11, Bytes: []byte{0x11, 1}},
			{Time: begun.Add(time.Minute), Type: capture.Feature, ID: 0x11, Bytes: []byte{0x11, 2}},
		}, h.ups.Counts().Writes)
	})
}

func TestAWriteCanBeIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hostOf(t, "bcpers450")
		h.ups.Fail(virtualups.Ignored, 0x15, 0x11)
		assert.EqualValues(t, ok, h.write(0x15, 0, 0))
		assert.EqualValues(t, ok, h.write(0x11, 1))
		assert.Equal(t, []byte{0x11, 2}, h.says(0x11))
		assert.True(t, h.ups.LoadOn())
		h.ups.Heal(0x15)
		assert.EqualValues(t, ok, h.write(0x15, 0, 0))
		assert.False(t, h.ups.LoadOn())
		assert.Len(t, h.ups.Counts().Writes, 3)
	})
}

func TestAUnitLeavesTheBusBetweenTwoWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hostOf(t, "smart1500lcdt")
		h.ups.UnplugAfterWrites(2, 50*time.Millisecond)
		assert.EqualValues(t, ok, h.write(0x11, 2))
		time.Sleep(125 * time.Millisecond)
		assert.EqualValues(t, ok, h.write(0x61, 60, 0))
		h.awaitDropped()
		require.NoError(t, h.ups.Plug())
		h.client = attach(t, h.server, h.ups)
		assert.Equal(t, []byte{0x61, 60, 0}, h.says(0x61))
		assert.EqualValues(t, ok, h.write(0x15, 30, 0))
		time.Sleep(time.Hour)
		assert.Equal(t, []byte{0x15, 0xff, 0xff}, h.says(0x15), "only once")
	})
}

func TestAUnitLeavesTheBusWithoutAnsweringAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hostOf(t, "bcpers450")
		h.ups.UnplugAfterWrites(1, 0)
		h.submitControl(setFeature(0x17, 3), 0x17, 60, 0)
		h.awaitDropped()
		assert.False(t, h.ups.LoadOn(), "it acts on the write")
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.True(t, h.ups.LoadOn(), "its timers go on while it is unplugged")

		h.ups.UnplugAfterWrites(1, 0)
		h.ups.UnplugAfterWrites(0, 0)
		require.NoError(t, h.ups.Plug())
		h.client = attach(t, h.server, h.ups)
		assert.EqualValues(t, ok, h.write(0x11, 1))
	})
}

func TestAVirtualUnitOfTheFramedProtocolActsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hostOf(t, "smart500rt1u")
		reply := func() string {
			h.t.Helper()
			h.read(1, 8)
			return string(h.reply().data)
		}
		h.command('K', 1, 0)
		assert.Equal(t, "K\r\x00\x00\x00\x00\x00\x00", reply())
		assert.True(t, h.ups.LoadOn())
		assert.False(t, h.ups.OutletOn(1))

		h.ups.SetMains(false)
		h.command('S')
		assert.Equal(t, "S\x01\x04\x00\x01d\x00\r", reply(), "its status says so")
		h.ups.UnplugAfterWrites(1, 50*time.Millisecond)
		h.command('S')
		reply()
		time.Sleep(time.Second) // which only asks
		h.command('G')
		assert.Equal(t, "G\r\x00\x00\x00\x00\x00\x00", reply())
		h.awaitDropped()
		assert.False(t, h.ups.LoadOn())
		h.ups.SetMains(true)
		assert.True(t, h.ups.LoadOn())
	})
}

func TestTheTimersOfVirtualUnitsEndWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, other := hostOf(t, "bcpers450"), hostOf(t, "smart500rt1u")
		h.write(0x17, 10, 0)
		other.command('Q')
		h.ups.UnplugAfterWrites(1, time.Minute)
		h.write(0x11, 1)
		require.NoError(t, h.server.Close())
		require.NoError(t, other.server.Close())
		time.Sleep(time.Hour)
		assert.False(t, h.ups.LoadOn())
		assert.False(t, other.ups.LoadOn())
	})
}
