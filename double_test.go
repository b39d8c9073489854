package tripplite

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/usb"
)

// fakeUPS is a captured unit that counts what it is asked for and fails as it is told. It is the
// one double of a device for the tests of this package.
type fakeUPS struct {
	*capture.Device
	descriptor []byte

	mu      sync.Mutex
	asked   map[byte]int
	answers map[byte]func(b []byte) (int, error) // in place of the captured report
	latency time.Duration                        // of a transfer, by the bubble's clock
	gone    bool
	deaf    bool // input reports cannot be read
	closed  int

	listens   int  // calls of ReadTimeout until now
	listening int  // under way
	cutOff    bool // it was closed while one was under way
}

func newFakeUPS(t testing.TB, name string) (ups *fakeUPS, descriptor []byte) {
	t.Helper()
	c, err := capture.Load(name)
	require.NoError(t, err)
	ups = &fakeUPS{
		Device:     c.Device(c.UPSInterface),
		descriptor: c.Interfaces[c.UPSInterface].Descriptor,
		asked:      map[byte]int{},
		answers:    map[byte]func([]byte) (int, error){},
	}
	return ups, ups.descriptor
}

func (u *fakeUPS) GetFeatureReport(b []byte) (int, error) {
	id := b[0]
	u.mu.Lock()
	u.asked[id]++
	answer, gone, latency := u.answers[id], u.gone, u.latency
	u.mu.Unlock()
	switch {
	case gone:
		return 0, errTransfer
	case answer != nil:
		return answer(b)
	}
	n, err := u.Device.GetFeatureReport(b) // sampled when it is asked, not when the answer is there
	if latency > 0 {
		time.Sleep(latency)
	}
	return n, err
}

func (u *fakeUPS) ReadTimeout(b []byte, milliseconds int) (int, error) {
	u.mu.Lock()
	deaf := u.deaf
	u.listens++
	u.listening++
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		u.listening--
		u.mu.Unlock()
	}()
	if deaf && milliseconds != 0 {
		return 0, errTransfer
	}
	return u.Device.ReadTimeout(b, milliseconds)
}

func (u *fakeUPS) Close() error {
	u.mu.Lock()
	u.closed++
	u.cutOff = u.cutOff || u.listening > 0
	u.mu.Unlock()
	return u.Device.Close()
}

// Interrupt, Descriptor, StringDescriptor and Transport make it a device of a host.
func (u *fakeUPS) Interrupt()                            { u.Device.Close() }
func (u *fakeUPS) Descriptor() []byte                    { return u.descriptor }
func (u *fakeUPS) Transport() usb.Transport              { return usb.Hidraw }
func (u *fakeUPS) StringDescriptor(byte) (string, error) { return "", errTransfer }

func (u *fakeUPS) fail(id byte, answer func(b []byte) (int, error)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answers[id] = answer
}

func (u *fakeUPS) setGone(gone bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.gone = gone
}

func (u *fakeUPS) setLatency(d time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.latency = d
}

func (u *fakeUPS) closes() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.closed
}

// listened returns how often input reports were asked for, and whether the device was closed while
// somebody waited for one.
func (u *fakeUPS) listened() (times int, cutOff bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.listens, u.cutOff
}

func (u *fakeUPS) setDeaf(deaf bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.deaf = deaf
}

// transfers returns how many there were since it was last called.
func (u *fakeUPS) transfers() (total int, byID map[byte]int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, n := range u.asked {
		total += n
	}
	byID, u.asked = u.asked, map[byte]int{}
	return total, byID
}

// mainsFail makes the unit say by feature and input report that line power failed: ShutdownImminent
// 0, ACPresent 0, Charging 0, Discharging 1 in the one-byte layout of a 2012.
func (u *fakeUPS) mainsFail() {
	u.Set(0x18, 0x00, 0x00)
	u.Set(0x32, 0x08)
	u.Push(0x32, 0x08)
}

// errTransfer is all that hidapi says on Linux, whatever the cause.
var errTransfer = errors.New("hidapi: hid_error is not implemented yet")

func stall([]byte) (int, error) { return 0, errTransfer }
func empty([]byte) (int, error) { return 0, nil }

// says returns an answer with just these bytes.
func says(bytes ...byte) func([]byte) (int, error) {
	return func(b []byte) (int, error) { return copy(b, bytes), nil }
}

// sequence returns an answer that is each of some in turn, and then the last.
func sequence(answers ...func([]byte) (int, error)) func([]byte) (int, error) {
	return func(b []byte) (int, error) {
		answer := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		return answer(b)
	}
}

// hang returns an answer that comes when it is let go, as a transfer that hangs in the kernel.
func hang() (answer func([]byte) (int, error), hanging chan struct{}, letGo func()) {
	hanging, free := make(chan struct{}, 100), make(chan struct{})
	return func([]byte) (int, error) {
		hanging <- struct{}{}
		<-free
		return 0, errTransfer
	}, hanging, sync.OnceFunc(func() { close(free) })
}

// open makes a Battery of New over a captured unit.
func open(t testing.TB, name string, opts ...Option) (*Battery, *fakeUPS) {
	t.Helper()
	ups, descriptor := newFakeUPS(t, name)
	c, err := capture.Load(name)
	require.NoError(t, err)
	info := DeviceInfo{
		Path: "1-1:1.0", VendorID: uint16(c.VendorID), ProductID: uint16(c.ProductID)}
	own := []Option{WithReportDescriptor(descriptor), WithDeviceInfo(info)}
	b := New(ups, append(own, opts...)...)
	t.Cleanup(func() { assert.NoError(t, b.Close()) })
	return b, ups
}

// fakeHost is a computer with fake units, by path.
type fakeHost struct {
	mu      sync.Mutex
	units   map[string]*fakeUPS
	numbers map[string]string
	refuses error // why units that are there cannot be opened
	lists   error // why they cannot be listed
	opens   int
	silent  bool // DeviceNumber is not known
}

func newFakeHost(units map[string]*fakeUPS) *fakeHost {
	h := &fakeHost{units: map[string]*fakeUPS{}, numbers: map[string]string{}}
	for path, u := range units {
		h.plug(path, u)
	}
	return h
}

// plug puts a unit at a path, in the place of whatever was there.
func (h *fakeHost) plug(path string, u *fakeUPS) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.units[path] = u
	h.numbers[path] += "i"
}

// plugAgain puts a unit in the place of another as if it had never been away.
func (h *fakeHost) plugAgain(path string, u *fakeUPS) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.units[path] = u
}

// unplug takes the unit off the bus: every transfer fails, and so does a read that waits.
func (h *fakeHost) unplug(path string) {
	h.mu.Lock()
	u := h.units[path]
	delete(h.units, path)
	h.mu.Unlock()
	u.setGone(true)
	u.Device.Close()
}

func (h *fakeHost) refuse(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuses = err
}

func (h *fakeHost) opened() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.opens
}

func (h *fakeHost) Supported() error { return nil }

func (h *fakeHost) List(_ []usb.ID, wanted func(port string) bool) ([]usb.Interface, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []usb.Interface
	for _, path := range slices.Sorted(maps.Keys(h.units)) {
		if wanted(usb.Port(path)) {
			list = append(list, usb.Interface{Path: path, VendorID: 0x09ae, ProductID: 0x2012})
		}
	}
	return list, h.lists
}

func (h *fakeHost) Descriptor(path string) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.units[path].descriptor
}

func (h *fakeHost) Open(path string) (usb.Device, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.opens++
	if h.refuses != nil {
		return nil, h.refuses
	}
	return h.units[path], nil
}

func (h *fakeHost) DeviceNumber(path string) (number string, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.units[path] == nil || h.silent {
		return "", !h.silent
	}
	return h.numbers[path], true
}

// expected is what the file of a capture says that its unit reads as.
func expected(t testing.TB, name string) string {
	t.Helper()
	c, err := capture.Load(name)
	require.NoError(t, err)
	require.NotEmpty(t, c.Expect, "testdata/captures/%s.json has no expect", name)
	return string(c.Expect)
}

// readWhole reads a unit as the captures write it, without what differs in each read.
func readWhole(t testing.TB, b *Battery) string {
	t.Helper()
	state, err := b.Get(t.Context())
	require.True(t, HasState(err), "%v", err)
	settings, err := b.Settings(t.Context())
	require.True(t, HasState(err), "%v", err)
	return asCaptured(t, state, settings)
}

func asCaptured(t testing.TB, state State, settings Settings) string {
	t.Helper()
	state.Path, state.Time = "", time.Time{}
	text, err := json.Marshal(struct {
		State
		Settings Settings `json:"controls,omitzero"`
	}{state, settings})
	require.NoError(t, err)
	return string(text)
}

func must(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}
