package usb

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karalabe/hid"
	"github.com/stretchr/testify/require"
)

// errHidapi is all that hidapi says of a transfer that failed.
var errHidapi = errors.New("hidapi: hid_error is not implemented yet")

// fakeHid stands in for hidapi's device. It fails the test when two calls use it at once, and when
// one uses it after Close.
type fakeHid struct {
	t        *testing.T
	feature  func(b []byte) (int, error)
	reports  chan []byte // nil: reading fails
	polls    int
	busy     atomic.Bool
	released bool
}

func (f *fakeHid) use() (done func()) {
	require.False(f.t, f.busy.Swap(true), "two calls use the C handle")
	require.False(f.t, f.released, "a call uses the C handle after it was freed")
	return func() { f.busy.Store(false) }
}

func (f *fakeHid) ReadTimeout(b []byte, timeout int) (int, error) {
	defer f.use()()
	require.Zero(f.t, timeout, "hidapi must not wait")
	f.polls++
	if f.reports == nil {
		return 0, errHidapi
	}
	select {
	case report := <-f.reports:
		return copy(b, report), nil
	default:
		return 0, nil
	}
}

func (f *fakeHid) GetFeatureReport(b []byte) (int, error) {
	defer f.use()()
	return f.feature(b)
}

func (f *fakeHid) SendFeatureReport(b []byte) (int, error) {
	defer f.use()()
	return f.feature(b)
}

func (f *fakeHid) Close() error {
	defer f.use()()
	f.released = true
	return nil
}

func (f *fakeHid) Read([]byte) (int, error)  { panic("not used") }
func (f *fakeHid) Write([]byte) (int, error) { panic("not used") }

// inBubble runs a test of a device on a clock of its own.
func inBubble(t *testing.T, test func(t *testing.T, f *fakeHid, d Device)) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeHid{t: t, reports: make(chan []byte, 8)}
		test(t, f, newHidapi(f, []byte{5, 0x84}, usbNode{}))
	})
}

func TestHidapiReads(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeHid, d Device) {
		start := time.Now()
		time.AfterFunc(25*time.Millisecond, func() { f.reports <- []byte{0x32, 9} })

		b := make([]byte, 8)
		n, err := d.ReadTimeout(b, -1)
		require.NoError(t, err)
		require.Equal(t, []byte{0x32, 9}, b[:n])
		require.Less(t, time.Since(start)-25*time.Millisecond, 10*time.Millisecond)
	})
}

func TestHidapiReadTimesOut(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeHid, d Device) {
		for _, milliseconds := range []int{1, 15, 100} {
			start := time.Now()
			n, err := d.ReadTimeout(make([]byte, 8), milliseconds)
			require.NoError(t, err)
			require.Zero(t, n)
			require.Equal(t, time.Duration(milliseconds)*time.Millisecond, time.Since(start))
		}
	})
}

func TestHidapiPolls(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeHid, d Device) {
		start := time.Now()
		b := make([]byte, 8)
		n, err := d.ReadTimeout(b, 0)
		require.NoError(t, err)
		require.Zero(t, n)

		f.reports <- []byte{0x32, 9}
		n, err = d.ReadTimeout(b, 0)
		require.NoError(t, err)
		require.Equal(t, []byte{0x32, 9}, b[:n])
		require.Zero(t, time.Since(start))
		require.Equal(t, 2, f.polls)
	})
}

func TestHidapiReadFailsWhenTheDeviceIsGone(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeHid, d Device) {
		f.reports = nil
		_, err := d.ReadTimeout(make([]byte, 8), -1)
		require.ErrorIs(t, err, errHidapi)
		require.True(t, Gone(err))
	})
}

func TestHidapiInterrupt(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeHid, d Device) {
		start := time.Now()
		ended := make(chan error)
		go func() {
			_, err := d.ReadTimeout(make([]byte, 8), -1)
			ended <- err
		}()
		synctest.Wait() // the read waits
		d.Interrupt()
		require.Equal(t, errInterrupted, <-ended)

		f.reports <- []byte{0x32, 9}
		for _, milliseconds := range []int{-1, 0, 100} {
			_, err := d.ReadTimeout(make([]byte, 8), milliseconds)
			require.Equal(t, errInterrupted, err, "a read that begins later")
		}
		d.Interrupt() // again
		require.Zero(t, time.Since(start))

		f.feature = func([]byte) (int, error) { return 2, nil }
		n, err := d.GetFeatureReport([]byte{0x32, 0})
		require.NoError(t, err, "only reading is interrupted")
		require.Equal(t, 2, n)
	})
}

// hang makes a feature transfer take a second, and returns when one is under way.
func (f *fakeHid) hang(d Device) (ended <-chan error) {
	f.feature = func([]byte) (int, error) {
		time.Sleep(time.Second)
		return 0, errHidapi
	}
	ch := make(chan error, 1)
	go func() {
		_, err := d.GetFeatureReport([]byte{0x32, 0})
		ch <- err
	}()
	synctest.Wait()
	return ch
}

func TestHidapiInterruptDoesNotWaitForAFeatureTransfer(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeHid, d Device) {
		start := time.Now()
		transfer := f.hang(d)
		ended := make(chan error)
		go func() {
			_, err := d.ReadTimeout(make([]byte, 8), -1)
			ended <- err
		}()
		synctest.Wait()
		d.Interrupt()
		require.Equal(t, errInterrupted, <-ended)
		require.Zero(t, time.Since(start))
		require.Equal(t, errHidapi, <-transfer)
	})
}

func TestHidapiReadTimesOutBesideAFeatureTransfer(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeHid, d Device) {
		transfer := f.hang(d)
		for milliseconds, most := range map[int]time.Duration{
			0: 10 * time.Millisecond, 25: 25 * time.Millisecond, 100: 100 * time.Millisecond,
		} {
			start := time.Now()
			n, err := d.ReadTimeout(make([]byte, 8), milliseconds)
			require.NoError(t, err)
			require.Zero(t, n)
			require.Equal(t, most, time.Since(start))
		}
		require.Zero(t, f.polls)

		f.reports <- []byte{0x32, 9}
		n, err := d.ReadTimeout(make([]byte, 8), -1)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Equal(t, errHidapi, <-transfer)
	})
}

func TestHidapiReadsBetweenFeatureTransfers(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeHid, d Device) {
		f.feature = func([]byte) (int, error) {
			time.Sleep(20 * time.Millisecond)
			return 2, nil
		}
		scanned := make(chan time.Time, 1)
		go func() {
			for range 50 {
				d.GetFeatureReport([]byte{0x32, 0})
			}
			scanned <- time.Now()
		}()
		synctest.Wait()
		f.reports <- []byte{0x32, 9}
		start := time.Now()
		_, err := d.ReadTimeout(make([]byte, 8), -1)
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(start), 20*time.Millisecond, "its turn is the next")
		<-scanned
	})
}

func TestHidapiCloseWaitsForAFeatureTransfer(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeHid, d Device) {
		start := time.Now()
		ended := make(chan error, 1)
		go func() {
			_, err := d.ReadTimeout(make([]byte, 8), -1)
			ended <- err
		}()
		transfer := f.hang(d)
		closed := make(chan error)
		go func() { closed <- d.Close() }()
		require.Equal(t, os.ErrClosed, <-ended)
		_, err := d.SendFeatureReport([]byte{0x32, 0})
		require.Equal(t, os.ErrClosed, err, "a transfer that begins later")
		require.Zero(t, time.Since(start))

		require.NoError(t, <-closed)
		require.Equal(t, time.Second, time.Since(start))
		require.Equal(t, errHidapi, <-transfer)
		require.True(t, f.released)
	})
}

func TestHidapiAfterClose(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeHid, d Device) {
		require.NoError(t, d.Close())
		requireClosed(t, d)
	})
}

func TestHidapiFeatureReports(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeHid, d Device) {
		f.feature = func(b []byte) (int, error) { return copy(b[1:], "\x64\x00") + 1, nil }
		b := []byte{0x34, 0, 0}
		n, err := d.GetFeatureReport(b)
		require.NoError(t, err)
		require.Equal(t, []byte{0x34, 0x64, 0}, b[:n])
		n, err = d.SendFeatureReport(b)
		require.NoError(t, err)
		require.Equal(t, 3, n)

		f.feature = func(b []byte) (int, error) { return 0, errHidapi }
		_, err = d.GetFeatureReport(b)
		require.Equal(t, errHidapi, err)
		require.False(t, Gone(err), "hidapi does not tell a stall from a device that is gone")
	})
}

func TestHidapiWithoutABuffer(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeHid, d Device) {
		_, err := d.GetFeatureReport(nil)
		require.Equal(t, syscall.EINVAL, err)
		_, err = d.SendFeatureReport([]byte{})
		require.Equal(t, syscall.EINVAL, err)
		_, err = d.ReadTimeout(nil, -1)
		require.Equal(t, syscall.EINVAL, err)
	})
}

func TestHidapiDescribesItself(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakeHid, d Device) {
		require.Equal(t, Hidapi, d.Transport())
		require.Equal(t, []byte{5, 0x84}, d.Descriptor())
	})
}

func TestHidapiLists(t *testing.T) {
	attached := []hid.DeviceInfo{
		{
			Path: "a", VendorID: 0x09ae, ProductID: 0x2012, Release: 0x110, UsagePage: 0x84,
			Serial: "S", Manufacturer: "Tripp Lite", Product: "UPS", Interface: 1,
		},
		{Path: "b", VendorID: 0x09ae, ProductID: 0x0001},
		{Path: "b", VendorID: 0x09ae, ProductID: 0x0001, UsagePage: 1}, // a second collection
		{Path: "c", VendorID: 0x09ae, ProductID: 0x3016},
		{Path: "d", VendorID: 0x03f0, ProductID: 0x1fe3},
		{Path: "e", VendorID: 0x046d, ProductID: 0xc52b},
	}
	var asked []ID
	h := &Host{enumerate: func(vendor, product uint16) (found []hid.DeviceInfo, err error) {
		asked = append(asked, ID{vendor, product})
		for _, info := range attached {
			if info.VendorID == vendor && (product == 0 || info.ProductID == product) {
				found = append(found, info)
			}
		}
		return found, nil
	}}
	ids := []ID{{0x09ae, 0}, {0x09ae, 0x0001}, {0x03f0, 0x1fe3}}

	found, err := h.listHidapi(ids, func(port string) bool { return port != "c" })
	require.NoError(t, err)
	require.Equal(t, []Interface{
		{
			Path: "a", VendorID: 0x09ae, ProductID: 0x2012, Release: 0x110, UsagePage: 0x84,
			Serial: "S", Manufacturer: "Tripp Lite", Product: "UPS", Number: 1,
		},
		{Path: "b", VendorID: 0x09ae, ProductID: 0x0001},
		{Path: "b", VendorID: 0x09ae, ProductID: 0x0001, UsagePage: 1},
		{Path: "d", VendorID: 0x03f0, ProductID: 0x1fe3},
	}, found)
	require.Equal(t, ids, asked, "no other vendor's devices are touched")

	h.enumerate = func(uint16, uint16) ([]hid.DeviceInfo, error) { return nil, errHidapi }
	_, err = h.listHidapi(ids, func(string) bool { return true })
	require.ErrorIs(t, err, errHidapi)
	require.EqualError(t, err, "hidapi: hid_error is not implemented yet")

	h = &Host{transport: Hidapi}
	_, err = h.listHidapi(ids, func(string) bool { return true })
	require.ErrorIs(t, err, errors.ErrUnsupported)
}
