package virtualups_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/virtualups"
)

// The descriptors of unit(), by USB 2.0 tables 9-8, 9-10, 9-12 and 9-13 and HID 1.11 section 6.2.1.
var (
	device = []byte{
		18, 1, // bLength, DEVICE
		0x10, 0x01, // bcdUSB 1.1
		0, 0, 0, 8, // class, subclass, protocol, bMaxPacketSize0
		0xae, 0x09, 0x12, 0x20, 0x02, 0x01, // idVendor, idProduct, bcdDevice
		1, 2, 0, // iManufacturer, iProduct, iSerialNumber: none
		1, // bNumConfigurations
	}
	configuration = []byte{
		// CONFIGURATION: 34 bytes, 1 interface, value 1, no name, self-powered, 0 mA
		9, 2, 34, 0, 1, 1, 0, 0xc0, 0,
		9, 4, 0, 0, 1, 3, 0, 0, 0, // INTERFACE: number 0, alternate 0, 1 endpoint, HID
		9, 0x21, 0x11, 0x01, 0, 1, 0x22, 7, 0, // HID 1.11, country 0, 1 descriptor: report, 7 bytes
		7, 5, 0x81, 3, 8, 0, 10, // ENDPOINT: 1 IN, interrupt, 8 bytes, 10 ms
	}
)

func TestControlRequests(t *testing.T) {
	type setup = [8]byte
	reportDescriptor := unit().Interfaces[0].Descriptor
	for name, test := range map[string]struct {
		setup  [8]byte
		data   []byte
		want   []byte
		status int32
	}{
		"device descriptor":     {setup{0x80, 6, 0, 1, 0, 0, 64, 0}, nil, device, ok},
		"its first eight bytes": {setup{0x80, 6, 0, 1, 0, 0, 8, 0}, nil, device[:8], ok},
		"the configuration":     {setup{0x80, 6, 0, 2, 0, 0, 0xff, 0}, nil, configuration, ok},
		"its first nine bytes":  {setup{0x80, 6, 0, 2, 0, 0, 9, 0}, nil, configuration[:9], ok},
		"languages": {setup{0x80, 6, 0, 3, 0, 0, 0xff, 0}, nil,
			[]byte{4, 3, 0x09, 0x04}, ok},
		"manufacturer":           {setup{0x80, 6, 1, 3, 9, 4, 0xff, 0}, nil, text("Tripp Lite"), ok},
		"product":                {setup{0x80, 6, 2, 3, 9, 4, 0xff, 0}, nil, text("UPS"), ok},
		"serial number, absent":  {setup{0x80, 6, 3, 3, 9, 4, 0xff, 0}, nil, nil, epipe},
		"a further string":       {setup{0x80, 6, 4, 3, 9, 4, 0xff, 0}, nil, text("PbAc"), ok},
		"a string, absent":       {setup{0x80, 6, 9, 3, 9, 4, 0xff, 0}, nil, nil, epipe},
		"device qualifier":       {setup{0x80, 6, 0, 6, 0, 0, 10, 0}, nil, nil, epipe},
		"binary object store":    {setup{0x80, 6, 0, 15, 0, 0, 5, 0}, nil, nil, epipe},
		"HID descriptor":         {setup{0x81, 6, 0, 0x21, 0, 0, 9, 0}, nil, configuration[18:27], ok},
		"report descriptor":      {setup{0x81, 6, 0, 0x22, 0, 0, 0, 1}, nil, reportDescriptor, ok},
		"physical descriptor":    {setup{0x81, 6, 0, 0x23, 0, 0, 0, 1}, nil, nil, epipe},
		"no such interface":      {setup{0x81, 6, 0, 0x22, 1, 0, 0, 1}, nil, nil, epipe},
		"status of the device":   {setup{0x80, 0, 0, 0, 0, 0, 2, 0}, nil, []byte{1, 0}, ok},
		"of the interface":       {setup{0x81, 0, 0, 0, 0, 0, 2, 0}, nil, []byte{0, 0}, ok},
		"status of interface 1":  {setup{0x81, 0, 0, 0, 1, 0, 2, 0}, nil, nil, epipe},
		"status of the endpoint": {setup{0x82, 0, 0, 0, 0x81, 0, 2, 0}, nil, []byte{0, 0}, ok},
		"clearing a halt":        {setup{0x02, 1, 0, 0, 0x81, 0, 0, 0}, nil, nil, ok},
		"clearing what is not":   {setup{0x02, 1, 7, 0, 0x81, 0, 0, 0}, nil, nil, epipe},
		"remote wakeup":          {setup{0x00, 3, 1, 0, 0, 0, 0, 0}, nil, nil, epipe},
		"address":                {setup{0x00, 5, 7, 0, 0, 0, 0, 0}, nil, nil, ok},
		"configuration, not set": {setup{0x80, 8, 0, 0, 0, 0, 1, 0}, nil, []byte{0}, ok},
		"setting it":             {setup{0x00, 9, 1, 0, 0, 0, 0, 0}, nil, nil, ok},
		"setting another":        {setup{0x00, 9, 2, 0, 0, 0, 0, 0}, nil, nil, epipe},
		"alternate setting":      {setup{0x81, 10, 0, 0, 0, 0, 1, 0}, nil, []byte{0}, ok},
		"setting the alternate":  {setup{0x01, 11, 0, 0, 0, 0, 0, 0}, nil, nil, ok},
		"another alternate":      {setup{0x01, 11, 1, 0, 0, 0, 0, 0}, nil, nil, epipe},
		"idle rate":              {setup{0xa1, 2, 0, 0, 0, 0, 1, 0}, nil, []byte{0}, ok},
		"setting the idle rate":  {setup{0x21, 10, 0, 0, 0, 0, 0, 0}, nil, nil, ok},
		"protocol":               {setup{0xa1, 3, 0, 0, 0, 0, 1, 0}, nil, []byte{1}, ok},
		"setting the protocol":   {setup{0x21, 11, 1, 0, 0, 0, 0, 0}, nil, nil, ok},
		"a third protocol":       {setup{0x21, 11, 2, 0, 0, 0, 0, 0}, nil, nil, epipe},
		"feature report":         {getFeature(0x18, 0), nil, []byte{0x18, 0x94, 0x04}, ok},
		"feature report, cut":    {setup{0xa1, 1, 0x18, 3, 0, 0, 2, 0}, nil, []byte{0x18, 0x94}, ok},
		"no bytes of a report":   {setup{0xa1, 1, 0x18, 3, 0, 0, 0, 0}, nil, nil, ok},
		"feature report, empty":  {getFeature(0x66, 0), nil, nil, ok},
		"a report, stalled":      {getFeature(0x67, 0), nil, nil, epipe},
		"a report, absent":       {getFeature(0x99, 0), nil, nil, epipe},
		"report of no interface": {getFeature(0x18, 1), nil, nil, epipe},
		"input report, absent":   {setup{0xa1, 1, 0x18, 1, 0, 0, 8, 0}, nil, nil, epipe},
		"output report":          {setup{0xa1, 1, 0x18, 2, 0, 0, 8, 0}, nil, nil, epipe},
		"writing a report":       {setup{0x21, 9, 0x18, 3, 0, 0, 3, 0}, []byte{0x18, 1, 2}, nil, ok},
		"writing one, absent":    {setup{0x21, 9, 0x99, 3, 0, 0, 2, 0}, []byte{0x99, 1}, nil, epipe},
		"writing an output":      {setup{0x21, 9, 0x18, 2, 0, 0, 3, 0}, []byte{0x18, 1, 2}, nil, epipe},
		"a vendor's request":     {setup{0xc0, 1, 0, 0, 0, 0, 8, 0}, nil, nil, epipe},
		"an unknown request":     {setup{0xa1, 0x42, 0, 0, 0, 0, 8, 0}, nil, nil, epipe},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			r := attach(t, s, s.Add(unit())).control(test.setup, test.data...)
			require.EqualValues(t, 3, r.command)
			require.Equal(t, test.status, r.status)
			require.Equal(t, test.want, r.data)
			require.Equal(t, uint32(0xffffffff), r.packets)
			if test.status == ok {
				require.EqualValues(t, len(test.want)+len(test.data), r.length)
			} else {
				require.Zero(t, r.length)
			}
		})
	}
}

// text is a string descriptor of ASCII characters (USB 2.0 section 9.6.7).
func text(s string) []byte {
	b := []byte{byte(2 + 2*len(s)), 3}
	for _, c := range []byte(s) {
		b = append(b, c, 0)
	}
	return b
}

func TestSettingsAreKeptUntilTheUnitIsUnplugged(t *testing.T) {
	type setup = [8]byte
	for name, test := range map[string]struct {
		set, get setup
		initial  byte
		want     byte
	}{
		"configuration": {setup{0x00, 9, 1, 0, 0, 0, 0, 0}, setup{0x80, 8, 0, 0, 0, 0, 1, 0}, 0, 1},
		"idle rate":     {setup{0x21, 10, 0, 125, 0, 0, 0, 0}, setup{0xa1, 2, 0, 0, 0, 0, 1, 0}, 0, 125},
		"protocol":      {setup{0x21, 11, 0, 0, 0, 0, 0, 0}, setup{0xa1, 3, 0, 0, 0, 0, 1, 0}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			u := s.Add(unit())
			c := attach(t, s, u)
			require.EqualValues(t, ok, c.control(test.set).status)
			require.Equal(t, []byte{test.want}, c.control(test.get).data)

			u.Unplug()
			require.NoError(t, u.Plug())
			require.Equal(t, []byte{test.initial}, attach(t, s, u).control(test.get).data)
		})
	}
}

func TestLongStringIsCut(t *testing.T) {
	c := unit()
	for range 20 {
		c.Product += "0123456789"
	}
	c.Serial = "FW-2263 E"
	s := serve(t)
	host := attach(t, s, s.Add(c))
	require.Equal(t, text(c.Product[:126]), host.control([8]byte{0x80, 6, 2, 3, 9, 4, 0xff, 0}).data)
	device := host.control([8]byte{0x80, 6, 0, 1, 0, 0, 18, 0}).data
	require.EqualValues(t, 3, device[16], "iSerialNumber")
}

func TestReportDescriptorCanBeReplacedOrMissing(t *testing.T) {
	ask := [8]byte{0x81, 6, 0, 0x22, 0, 0, 0, 4}
	askHID := [8]byte{0x81, 6, 0, 0x21, 0, 0, 9, 0}
	s := serve(t)
	u := s.Add(unit())
	c := attach(t, s, u)

	u.SetDescriptor([]byte{0xff, 0x00, 0xff})
	require.Equal(t, []byte{0xff, 0x00, 0xff}, c.control(ask).data)
	require.Equal(t, []byte{9, 0x21, 0x11, 1, 0, 1, 0x22, 3, 0}, c.control(askHID).data)

	u.SetDescriptor(nil)
	require.EqualValues(t, epipe, c.control(ask).status)
	require.NotZero(t, c.control(askHID).data[7], "it is declared all the same")

	without := unit()
	without.Interfaces[0].Descriptor = nil
	require.EqualValues(t, epipe, attach(t, s, s.Add(without)).control(ask).status)
}

func TestEveryReportOfEveryCapture(t *testing.T) {
	statuses := map[capture.Error]int32{"": ok, capture.Empty: ok, capture.Stall: epipe}
	kinds := map[capture.Type]byte{capture.Input: 1, capture.Feature: 3}
	for _, name := range capture.Names() {
		t.Run(name, func(t *testing.T) {
			c, err := capture.Load(name)
			require.NoError(t, err)
			s := serve(t)
			u := s.Add(c)
			require.Same(t, c, u.Capture())
			host := attach(t, s, u)
			for n, iface := range c.Interfaces {
				r := host.control([8]byte{0x81, 6, 0, 0x22, byte(n), 0, 0, 0x10})
				require.Equal(t, []byte(iface.Descriptor), r.data)
				for i, report := range iface.Reports {
					same := func(r capture.Report) bool { return r.Type == report.Type && r.ID == report.ID }
					if slices.ContainsFunc(iface.Reports[i+1:], same) {
						continue // an announcement that is not the last of its report
					}
					id, kind := byte(report.ID), kinds[report.Type]
					r := host.control([8]byte{0xa1, 1, id, kind, byte(n), 0, 64, 0})
					want := []byte(report.Bytes)
					if report.ID == 0 && len(want) > 0 {
						want = want[1:]
					}
					require.Equal(t, want, r.data, "%s report %02x", report.Type, id)
					require.Equal(t, statuses[report.Error], r.status, "%s report %02x", report.Type, id)
				}
			}
		})
	}
}

func TestOfSeveralAnnouncementsTheLastIsAskedFor(t *testing.T) {
	c := unit()
	for _, status := range []byte{0x08, 0x06} {
		c.Interfaces[0].Reports = append(c.Interfaces[0].Reports,
			capture.Report{Type: capture.Input, ID: 0x32, Bytes: []byte{0x32, status}})
	}
	s := serve(t)
	host := attach(t, s, s.Add(c))
	require.Equal(t, []byte{0x32, 0x06}, host.control([8]byte{0xa1, 1, 0x32, 1, 0, 0, 8, 0}).data)
}

func TestReportsChange(t *testing.T) {
	s := serve(t)
	u := s.Add(unit())
	c := attach(t, s, u)

	u.SetReport(capture.Feature, 0x18, 0, 0)
	require.Equal(t, []byte{0x18, 0, 0}, c.control(getFeature(0x18, 0)).data)
	u.SetReport(capture.Feature, 0x99, 1, 2, 3)
	require.Equal(t, []byte{0x99, 1, 2, 3}, c.control(getFeature(0x99, 0)).data)
	u.SetReport(capture.Input, 0x18, 7)
	require.Equal(t, []byte{0x18, 7}, c.control([8]byte{0xa1, 1, 0x18, 1, 0, 0, 8, 0}).data)
	require.Equal(t, []byte{0x18, 0, 0}, c.control(getFeature(0x18, 0)).data, "which is another")

	require.EqualValues(t, ok, c.control([8]byte{0x21, 9, 0x18, 3, 0, 0, 3, 0}, 0x18, 1, 2).status)
	require.Equal(t, []byte{0x18, 1, 2}, c.control(getFeature(0x18, 0)).data, "as it was written")
}

func TestReportWithoutIDs(t *testing.T) {
	c := unit()
	c.Interfaces[0].Reports = []capture.Report{
		{Type: capture.Feature, ID: 0, Bytes: capture.Bytes{0, 'D', '1', '2'}}}
	s := serve(t)
	host := attach(t, s, s.Add(c))
	require.Equal(t, []byte("D12"), host.control(getFeature(0, 0)).data)
	require.EqualValues(t, ok, host.control([8]byte{0x21, 9, 0, 3, 0, 0, 2, 0}, 'S', '0').status)
	require.Equal(t, []byte("S0"), host.control(getFeature(0, 0)).data)
}

func TestInterfacesOfACompositeUnit(t *testing.T) {
	s := serve(t)
	u := s.Add(composite())
	c := attach(t, s, u)

	second := []byte{
		9, 4, 1, 0, 1, 3, 0, 0, 0,
		9, 0x21, 0x11, 0x01, 0, 1, 0x22, 64, 0, // its capture has no descriptor, so some length
		7, 5, 0x82, 3, 8, 0, 10,
	}
	want := append([]byte{9, 2, 59, 0, 2, 1, 0, 0xc0, 0}, configuration[9:]...)
	require.Equal(t, append(want, second...), c.control([8]byte{0x80, 6, 0, 2, 0, 0, 0xff, 0}).data)

	require.Equal(t, []byte{0x32, 0x62}, c.control(getFeature(0x32, 0)).data)
	require.Equal(t, []byte{0x32, 0, 0, 9}, c.control(getFeature(0x32, 1)).data)
	require.EqualValues(t, epipe, c.control(getFeature(0x18, 1)).status)
	require.EqualValues(t, epipe, c.control(getFeature(0x32, 2)).status)

	u.Interfaces[1].SetReport(capture.Feature, 0x32, 1, 2, 3)
	u.Interfaces[1].Fail(virtualups.Stall, 0x18)
	require.Equal(t, []byte{0x32, 1, 2, 3}, c.control(getFeature(0x32, 1)).data)
	require.Equal(t, []byte{0x32, 0x62}, c.control(getFeature(0x32, 0)).data)
	require.EqualValues(t, ok, c.control(getFeature(0x18, 0)).status)

	first, other := c.read(1, 8), c.read(2, 8)
	u.Interfaces[1].Push(0x32, 2)
	r := c.reply()
	require.Equal(t, other, r.seqnum)
	require.Equal(t, []byte{0x32, 2}, r.data)
	u.Push(0x32, 1)
	r = c.reply()
	require.Equal(t, first, r.seqnum)
	require.Equal(t, []byte{0x32, 1}, r.data)
}

func TestEndpointThatIsNotThere(t *testing.T) {
	s := serve(t)
	c := attach(t, s, s.Add(unit()))
	for name, submit := range map[string]func(){
		"interrupt IN of a second interface": func() { c.read(2, 8) },
		"an endpoint that none can have":     func() { c.read(0xffffffff, 8) },
		"interrupt OUT":                      func() { c.submit(out, 1, 2, [8]byte{}, 1, 2) },
	} {
		submit()
		require.EqualValues(t, epipe, c.reply().status, name)
	}
}

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveInBubble(t)
		u := s.Add(unit())
		c := attach(t, s, u)
		u.SetLatency(time.Minute)

		start := time.Now()
		require.Equal(t, []byte{0x18, 0x94, 0x04}, c.control(getFeature(0x18, 0)).data)
		require.Equal(t, time.Minute, time.Since(start))

		start = time.Now()
		c.read(1, 8)
		u.Push(0x32, 1)
		require.Equal(t, []byte{0x32, 1}, c.reply().data)
		require.Equal(t, time.Minute, time.Since(start))
	})
}

func TestInterruptReadsAreAnsweredInOrder(t *testing.T) {
	s := serve(t)
	u := s.Add(unit())
	c := attach(t, s, u)
	u.Push(0x32, 1)
	reads := []uint32{c.read(1, 8), c.read(1, 8), c.read(1, 8)}
	u.Push(0x32, 2)
	u.Push(0x32, 3)
	for n, read := range reads {
		r := c.reply()
		require.Equal(t, read, r.seqnum)
		require.Equal(t, []byte{0x32, byte(n + 1)}, r.data)
	}
}

func TestLongInputReport(t *testing.T) {
	report := []byte{0x40, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}
	type read struct {
		length uint32
		want   []byte
		status int32
	}
	for name, reads := range map[string][]read{
		"fits": {{64, report, ok}},
		"packet by packet": {
			{8, report[:8], ok}, {8, report[8:16], ok}, {8, report[16:], ok}},
		"overflows in its first":       {{3, report[:3], eoverflow}, {64, report[8:], ok}},
		"overflows in its last packet": {{17, report[:17], eoverflow}},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			u := s.Add(unit())
			c := attach(t, s, u)
			u.Push(report...)
			u.Push(0x32, 1)
			for _, read := range append(reads, struct {
				length uint32
				want   []byte
				status int32
			}{8, []byte{0x32, 1}, ok}) {
				c.read(1, read.length)
				r := c.reply()
				require.Equal(t, read.status, r.status)
				require.Equal(t, read.want, r.data)
			}
		})
	}
}

func TestInputReportsOfTheCaptureWaitInTheEndpoint(t *testing.T) {
	c := unit()
	c.Interfaces[0].Reports = append(c.Interfaces[0].Reports,
		capture.Report{Type: capture.Input, ID: 0x35, Bytes: capture.Bytes{0x35, 0x45, 0x08}})
	s := serve(t)
	u := s.Add(c)
	for plugged := range 2 {
		host := attach(t, s, u)
		host.read(1, 8)
		require.Equal(t, []byte{0x35, 0x45, 0x08}, host.reply().data, "%d times before", plugged)
		u.Push(0x32, 1) // nobody reads it
		u.Unplug()
		u.Push(0x32, 2)
		require.NoError(t, u.Plug())
	}
}

func TestUnlink(t *testing.T) {
	requireUnlinked := func(t *testing.T, c *client, target uint32, status int32) {
		t.Helper()
		seqnum := c.unlink(target)
		r := c.reply()
		require.EqualValues(t, 4, r.command)
		require.Equal(t, seqnum, r.seqnum)
		require.Equal(t, status, r.status)
	}
	s := serve(t)
	u := s.Add(unit())
	c := attach(t, s, u)

	t.Run("of an interrupt read", func(t *testing.T) {
		c.t = t
		first, second := c.read(1, 8), c.read(1, 8)
		requireUnlinked(t, c, first, econnreset)
		u.Push(0x32, 5)
		r := c.reply()
		require.Equal(t, second, r.seqnum, "the report is the next read's")
		require.Equal(t, []byte{0x32, 5}, r.data)
	})
	t.Run("of a transfer that is done", func(t *testing.T) {
		c.t = t
		seqnum := c.submitControl(getFeature(0x18, 0))
		require.Equal(t, seqnum, c.reply().seqnum)
		requireUnlinked(t, c, seqnum, ok)
	})
	t.Run("of a transfer that never was", func(t *testing.T) {
		c.t = t
		requireUnlinked(t, c, 0xdeadbeef, ok)
	})
	t.Run("of a control transfer that hangs", func(t *testing.T) {
		c.t = t
		u.Fail(virtualups.Never, 0x18)
		hangs := c.submitControl(getFeature(0x18, 0))
		behind, third := c.submitControl(getFeature(0x32, 0)), c.submitControl(getFeature(0x66, 0))
		c.read(1, 8)
		u.Push(0x32, 6)
		require.Equal(t, []byte{0x32, 6}, c.reply().data, "the interrupt endpoint does not wait for it")

		requireUnlinked(t, c, behind, econnreset)
		requireUnlinked(t, c, hangs, econnreset)
		require.Equal(t, third, c.reply().seqnum, "the control endpoint goes on")
	})
	t.Run("of a control transfer that is late", func(t *testing.T) {
		c.t = t
		u.Fail(virtualups.Late(time.Hour), 0x18)
		requireUnlinked(t, c, c.submitControl(getFeature(0x18, 0)), econnreset)
		require.Equal(t, []byte{0x32, 0x62}, c.control(getFeature(0x32, 0)).data)
	})
	t.Run("of a transfer that waits for its latency", func(t *testing.T) {
		c.t = t
		u.SetLatency(time.Hour)
		control, read := c.submitControl(getFeature(0x32, 0)), c.read(1, 8)
		u.Push(0x32, 7)
		requireUnlinked(t, c, control, econnreset)
		requireUnlinked(t, c, read, econnreset)
		u.SetLatency(0)
		c.read(1, 8)
		require.Equal(t, []byte{0x32, 7}, c.reply().data, "no report is lost")
	})
}

func TestCounts(t *testing.T) {
	s := serve(t)
	u := s.Add(composite())
	c := attach(t, s, u)
	c.control(getFeature(0x18, 0))
	c.control(getFeature(0x32, 0))
	c.control(getFeature(0x32, 1))
	c.control(getFeature(0x99, 0))
	c.control([8]byte{0x21, 9, 0x18, 3, 0, 0, 3, 0}, 0x18, 1, 2)
	c.control([8]byte{0x21, 9, 0x99, 1, 1, 0, 2, 0}, 0x99, 7)
	c.control([8]byte{0x80, 6, 0, 1, 0, 0, 8, 0})
	c.control([8]byte{0x80, 6, 0, 1, 0, 0, 18, 0})
	c.read(2, 8)
	u.Interfaces[1].Push(0x32, 1)
	c.reply()
	read := c.read(1, 8)
	c.read(1, 8)
	c.unlink(read)
	c.reply()

	got := u.Counts()
	for i := range got.Writes {
		require.WithinDuration(t, time.Now(), got.Writes[i].Time, time.Minute)
		got.Writes[i].Time = time.Time{}
	}
	require.Equal(t, virtualups.Counts{
		Control: map[virtualups.Request]int{
			{Type: 0xa1, Code: 1, Value: 0x0318}:           1,
			{Type: 0xa1, Code: 1, Value: 0x0332}:           1,
			{Type: 0xa1, Code: 1, Value: 0x0332, Index: 1}: 1,
			{Type: 0xa1, Code: 1, Value: 0x0399}:           1,
			{Type: 0x21, Code: 9, Value: 0x0318}:           1,
			{Type: 0x21, Code: 9, Value: 0x0199, Index: 1}: 1,
			{Type: 0x80, Code: 6, Value: 0x0100}:           2,
		},
		Interrupts: 3,
		Waiting:    1,
		Unlinked:   1,
		Imports:    1,
		Writes: []virtualups.Write{
			{Interface: 0, Type: capture.Feature, ID: 0x18, Bytes: []byte{0x18, 1, 2}},
			{Interface: 1, Type: capture.Input, ID: 0x99, Bytes: []byte{0x99, 7}},
		},
	}, got)
	require.Equal(t, 8, got.Transfers())
	require.Equal(t, 2, got.Reads(0x32))
	require.Zero(t, got.Reads(0x35))

	u.ResetCounts()
	require.Equal(t, virtualups.Counts{Control: map[virtualups.Request]int{}, Waiting: 1}, u.Counts())
	c.control(getFeature(0x18, 0))
	require.Equal(t, 1, u.Counts().Transfers())
	require.Equal(t, 8, got.Transfers(), "what was returned stays as it was")
	u.Unplug()
	c.awaitDropped()
	require.NoError(t, u.Plug())
	attach(t, s, u) // when the server is through with the client before
	require.Zero(t, u.Counts().Waiting)
}

func ExampleUPS() {
	server, err := virtualups.Listen("127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	c, err := capture.Load("smart1500lcd")
	if err != nil {
		fmt.Println(err)
		return
	}
	u := server.Add(c)

	u.SetReport(capture.Feature, 0x18, 0, 0) // line power has failed
	u.Push(0x32, 0x08)                       // and the unit says so
	u.Fail(virtualups.Late(time.Second), 0x35)
	u.Unplug()
	fmt.Println(u.BusID(), u.Counts().Transfers())
	// Output: 1-1 0
}
