package virtualups_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/virtualups"
)

// The frames are those of a SMART500RT1U (nut-ddl), the commands the maker's own examples.
var (
	askStatus = []byte{':', 'S', 0xac, '\r', 0, 0, 0, 0}
	askVolts  = []byte{':', 'D', 0xbb, '\r', 0, 0, 0, 0}
	askLoad   = []byte{':', 'L', 0xb3, '\r', 0, 0, 0, 0} // which it does not know

	status = []byte{'S', 1, 4, 0, 0, 100, 0, '\r'}
	volts  = []byte{'D', 0, 0x7c, 0, 0x8b, '\r', 0, 0}
)

func framedUnit() *capture.Capture {
	c := unit()
	c.ProductID = 0x0001
	c.Interfaces = []capture.Interface{{Exchanges: []capture.Exchange{
		{Command: askStatus, Reply: status}, {Command: askVolts, Reply: volts},
	}}}
	return c
}

// setCommand is the setup packet of a SET_REPORT without an id; 3 is a feature report, 2 an output
// report (HID 1.11 section 7.2.1).
func setCommand(reportType, length byte) [8]byte {
	return [8]byte{0x21, 0x09, 0, reportType, 0, 0, length, 0}
}

// inFramedBubble runs a test of a framed unit that a host has attached.
func inFramedBubble(t *testing.T, test func(t *testing.T, u *virtualups.UPS, c *client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := serveInBubble(t)
		u := s.Add(framedUnit())
		test(t, u, attach(t, s, u))
	})
}

// at is an input report, and when it came.
type at struct {
	after time.Duration
	bytes []byte
}

// heard queues as many interrupt reads as reports are wanted, sends a command, and returns what was
// read, and how the SET_REPORT went.
func heard(c *client, reportType byte, command []byte, wanted int) (set reply, reports []at) {
	c.t.Helper()
	start := time.Now()
	for range wanted {
		c.read(1, 8)
	}
	seqnum := c.submitControl(setCommand(reportType, byte(len(command))), command...)
	for range wanted + 1 {
		if r := c.reply(); r.seqnum == seqnum {
			set = r
		} else {
			reports = append(reports, at{time.Since(start), r.data})
		}
	}
	return set, reports
}

func TestAFramedUnitRepliesByItsInterruptEndpoint(t *testing.T) {
	for name, row := range map[string]struct {
		reportType byte
		command    []byte
		want       []byte
	}{
		"a feature report":            {3, askStatus, status},
		"one without zeros":           {3, askVolts[:4], volts},
		"with NUT's zero as data":     {3, []byte{':', 'S', 0, 0xac, '\r', 0, 0, 0}, status},
		"an output report":            {2, askVolts, volts},
		"an output without its zeros": {2, askStatus[:4], status},
	} {
		t.Run(name, func(t *testing.T) {
			inFramedBubble(t, func(t *testing.T, u *virtualups.UPS, c *client) {
				set, reports := heard(c, row.reportType, row.command, 1)
				require.EqualValues(t, ok, set.status)
				require.EqualValues(t, len(row.command), set.length)
				require.Equal(t, []at{{10 * time.Millisecond, row.want}}, reports)
				kind := map[byte]capture.Type{2: "output", 3: capture.Feature}[row.reportType]
				writes := u.Counts().Writes
				require.Len(t, writes, 1)
				writes[0].Time = time.Time{}
				require.Equal(t, []virtualups.Write{{Type: kind, Bytes: row.command}}, writes)
			})
		})
	}
}

func TestOnlyAReportWithoutAnIDIsACommand(t *testing.T) {
	inFramedBubble(t, func(t *testing.T, u *virtualups.UPS, c *client) {
		for _, setup := range [][8]byte{
			{0x21, 9, 0x53, 3, 0, 0, 8, 0}, // a feature report with an id
			{0x21, 9, 0x53, 2, 0, 0, 8, 0}, // an output report with an id
			{0x21, 9, 0, 1, 0, 0, 8, 0},    // an input report
			{0x21, 9, 0, 4, 0, 0, 8, 0},    // no type of report
		} {
			require.EqualValues(t, epipe, c.control(setup, askStatus...).status, "% x", setup)
		}
		require.EqualValues(t, epipe, c.control(getFeature(0, 0)).status, "a command cannot be read back")
		time.Sleep(time.Second)
		c.read(1, 8)
		require.EqualValues(t, ok, c.control(setCommand(3, 8), askVolts...).status)
		require.Equal(t, volts, c.reply().data, "nothing else was replied to")
	})
	s := serve(t)
	c := attach(t, s, s.Add(unit())) // which is no framed one
	for _, reportType := range []byte{2, 3} {
		require.EqualValues(t, epipe, c.control(setCommand(reportType, 8), askStatus...).status)
	}
}

func TestWhatIsNoCommandIsTakenAndNotRepliedTo(t *testing.T) {
	inFramedBubble(t, func(t *testing.T, u *virtualups.UPS, c *client) {
		garbage := []byte{':', 'S', 0xad, '\r', 0, 0, 0, 0} // the checksum is wrong
		require.EqualValues(t, ok, c.control(setCommand(3, 8), garbage...).status)
		time.Sleep(time.Second)
		_, reports := heard(c, 3, askVolts, 1)
		require.Equal(t, volts, reports[0].bytes)
	})
}

func TestAFramedUnitHasManners(t *testing.T) {
	const ms = time.Millisecond
	for name, row := range map[string]struct {
		manners capture.Manners
		command []byte
		want    []at
	}{
		"late": {capture.Manners{Late: 300 * ms}, askVolts,
			[]at{{310 * ms, volts}}},
		"doubled": {capture.Manners{Double: true}, askVolts,
			[]at{{10 * ms, volts}, {10 * ms, volts}}},
		"late and doubled": {capture.Manners{Late: 300 * ms, Double: true}, askVolts,
			[]at{{310 * ms, volts}, {610 * ms, volts}}},
		"an unknown letter": {capture.Manners{}, askLoad,
			[]at{{10 * ms, status}}},
		"a letter that it knows no more": {capture.Manners{Unknown: "D"}, askVolts,
			[]at{{10 * ms, status}}},
		"its own serial line is dead": {capture.Manners{Stale: 1}, askVolts,
			[]at{{10 * ms, status}}},
	} {
		t.Run(name, func(t *testing.T) {
			inFramedBubble(t, func(t *testing.T, u *virtualups.UPS, c *client) {
				heard(c, 3, askStatus, 1)
				u.Framed().SetManners(row.manners)
				set, reports := heard(c, 3, row.command, len(row.want))
				require.EqualValues(t, ok, set.status)
				require.Equal(t, row.want, reports)
			})
		})
	}
	inFramedBubble(t, func(t *testing.T, u *virtualups.UPS, c *client) {
		u.Framed().SetManners(capture.Manners{Deaf: true})
		set, _ := heard(c, 3, askStatus, 0)
		require.EqualValues(t, ok, set.status)
		time.Sleep(time.Minute)
		u.Framed().SetManners(capture.Manners{})
		_, reports := heard(c, 3, askVolts, 1)
		require.Equal(t, volts, reports[0].bytes, "a deaf unit says nothing")
	})
}

func TestFaultsOfCommands(t *testing.T) {
	for _, reportType := range []byte{2, 3} {
		inFramedBubble(t, func(t *testing.T, u *virtualups.UPS, c *client) {
			u.Fail(virtualups.Stall, 0)
			set, _ := heard(c, reportType, askStatus, 0)
			assert.EqualValues(t, epipe, set.status)

			u.Heal(0)
			u.Fail(virtualups.Late(time.Second))
			start := time.Now()
			c.read(1, 8)
			set = c.control(setCommand(reportType, 8), askVolts...)
			assert.EqualValues(t, ok, set.status)
			assert.Equal(t, time.Second, time.Since(start))
			assert.Equal(t, volts, c.reply().data, "the stalled command was not replied to")
			assert.Equal(t, time.Second+10*time.Millisecond, time.Since(start),
				"the reply comes behind the command")

			u.Fail(virtualups.Never)
			hanging := c.submitControl(setCommand(reportType, 8), askStatus...)
			time.Sleep(time.Minute)
			unlinking := c.unlink(hanging)
			r := c.reply()
			assert.Equal(t, unlinking, r.seqnum)
			assert.EqualValues(t, econnreset, r.status)

			u.Heal()
			_, reports := heard(c, reportType, askVolts, 1)
			assert.Equal(t, volts, reports[0].bytes, "nor was the one that hung")
		})
	}
}

func TestALateReplyOfAnUnpluggedUnitIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveInBubble(t)
		u := s.Add(framedUnit())
		u.Framed().SetManners(capture.Manners{Late: time.Second})
		heard(attach(t, s, u), 3, askStatus, 0)
		u.Unplug()
		time.Sleep(2 * time.Second)
		require.NoError(t, u.Plug())
		u.Framed().SetManners(capture.Manners{})
		_, reports := heard(attach(t, s, u), 3, askVolts, 1)
		require.Equal(t, volts, reports[0].bytes)
	})
}
