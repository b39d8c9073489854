package tripplitetest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/replay"
)

// Recorder is a [tripplite.Device] that passes everything on to another one, and notes in memory
// what that says. It is safe for as many goroutines as its device is.
type Recorder struct {
	dev tripplite.Device

	mu      sync.Mutex
	session *capture.Capture
}

// NewRecorder makes a Recorder over a device. A device does not tell what it is, nor its report
// descriptor; a [tripplite.Dump] of the unit has both. What is done with a Battery over the
// Recorder is recorded, and written by [Recorder.Save]:
//
//	recorder := tripplitetest.NewRecorder(dev, dump.Info, dump.Descriptor)
//	b := tripplite.New(recorder,
//		tripplite.WithDeviceInfo(dump.Info), tripplite.WithReportDescriptor(dump.Descriptor))
//
// [NewUPS] needs no session: "tripplite capture" writes a file of a real unit for it.
func NewRecorder(dev tripplite.Device, info tripplite.DeviceInfo, descriptor []byte) *Recorder {
	c := replay.Capture(info, slices.Clone(descriptor))
	c.Model, c.Source = info.Product, []string{"recorded by tripplitetest"}
	return &Recorder{dev: dev, session: c}
}

// Save writes a capture file with what has been recorded so far. [NewUPS] makes a unit of it, which
// gives the first answer that came for each report. [NewPlayer] repeats the whole session. The file
// has the serial string of the unit.
func (r *Recorder) Save(file string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.session.Name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	text, err := r.session.Marshal()
	if err != nil {
		return err
	}
	if _, err := capture.Parse(text); err != nil { // it is too long
		return err
	}
	return os.WriteFile(file, text, 0o666)
}

// record notes a transfer. The first answer to a feature report is the one of the unit.
func (r *Recorder) record(t capture.Type, asked, came []byte, err error) {
	if len(asked) == 0 {
		return
	}
	report := capture.ReportOf(t, asked[0], slices.Clone(came), err)
	r.mu.Lock()
	defer r.mu.Unlock()
	unit := &r.session.Interfaces[0]
	if t == capture.Input {
		for _, sent := range slices.Backward(unit.Traffic) {
			if sent.Type == capture.Sent { // an old reply may have come in between
				unit.Exchange(sent.Bytes, report.Bytes)
				break
			}
		}
	}
	unit.Traffic = append(unit.Traffic, report)
	i := slices.IndexFunc(unit.Reports, func(o capture.Report) bool { return o.ID == report.ID })
	switch {
	case t != capture.Feature:
	case i < 0:
		unit.Reports = append(unit.Reports, report)
	case unit.Reports[i].Error != "" && report.Error == "":
		unit.Reports[i] = report
	}
}

// GetFeatureReport records the answer.
func (r *Recorder) GetFeatureReport(b []byte) (int, error) {
	asked := slices.Clone(b) // the answer may have another id
	n, err := r.dev.GetFeatureReport(b)
	r.record(capture.Feature, asked, b[:max(0, min(n, len(b)))], err)
	return n, err
}

// SendFeatureReport records what was sent.
func (r *Recorder) SendFeatureReport(b []byte) (int, error) {
	n, err := r.dev.SendFeatureReport(b)
	r.record(capture.Sent, b, b, err)
	return n, err
}

// ReadTimeout records the input report that it returns, if any.
func (r *Recorder) ReadTimeout(b []byte, milliseconds int) (int, error) {
	n, err := r.dev.ReadTimeout(b, milliseconds)
	if n := min(n, len(b)); n > 0 && err == nil {
		r.record(capture.Input, b, b[:n], nil)
	}
	return n, err
}

// Close closes the device. What has been recorded stays.
func (r *Recorder) Close() error { return r.dev.Close() }

// NewPlayer makes a UPS that repeats the session of a [Recorder], from the file that
// [Recorder.Save] wrote, and holds the program under test to it: each transfer has to be one that
// was recorded, and each recorded one has to happen, those of one report in their order. An input
// report, such as a reply of a unit of product 0001, comes a moment after everything recorded
// before it has been asked for. When the test ends, it fails with the error of [UPS.Close]. A test
// that wants a unit, and not a session, calls [NewUPS] with the same file.
func NewPlayer(t testing.TB, file string) *UPS {
	t.Helper()
	u := NewUPS(t, file)
	traffic := u.capture.UPS().Traffic
	if len(traffic) == 0 {
		t.Fatalf("tripplitetest: %s has no recorded session: NewUPS makes a unit of it", file)
	}
	u.session = &session{dev: u.dev, left: traffic}
	u.session.announce()
	t.Cleanup(func() {
		if err := u.Close(); err != nil {
			t.Error(err)
		}
	})
	return u
}

// session is a recorded session that a UPS repeats. Its methods are called with the UPS locked.
type session struct {
	dev        *capture.Device
	left       []capture.Report // still to happen
	unexpected error            // the first transfer that was not recorded
}

// moment is how long an input report comes after the transfer before it: the program has dealt with
// that one first, as it had when it was recorded.
const moment = 10 * time.Millisecond

// answer takes the next recorded transfer of a feature report and returns what came of it. It fails
// unless that transfer is the one that is asked for.
func (s *session) answer(asked capture.Report) *answer {
	i := slices.IndexFunc(s.left, func(r capture.Report) bool {
		return r.Type != capture.Input && r.ID == asked.ID
	})
	if i < 0 || !sameTransfer(s.left[i], asked) {
		err := fmt.Errorf("not recorded, or not now: %s", describe(asked))
		s.unexpected = cmp.Or(s.unexpected, err)
		return &answer{err: err}
	}
	r := s.take(i)
	if r.Error == capture.Stall {
		return &answer{err: fmt.Errorf("failed when it was recorded: %s", describe(asked))}
	}
	return &answer{bytes: r.Bytes}
}

func sameTransfer(recorded, asked capture.Report) bool {
	return recorded.Type == asked.Type && (asked.Type == capture.Feature ||
		recorded.Error == capture.Stall || bytes.Equal(recorded.Bytes, asked.Bytes))
}

// heard takes the input report that was read.
func (s *session) heard(report []byte) {
	if s.announces() && bytes.HasPrefix(s.left[0].Bytes, report) {
		s.take(0)
	}
}

// take removes a transfer, which happens now. An input report that is the first one then is sent.
func (s *session) take(i int) capture.Report {
	r := s.left[i]
	s.left = slices.Delete(s.left, i, i+1)
	if i == 0 {
		s.announce()
	}
	return r
}

func (s *session) announce() {
	if s.announces() {
		s.dev.Push(s.left[0].Bytes...)
	}
}

// announces reports whether an input report is the next transfer.
func (s *session) announces() bool { return len(s.left) > 0 && s.left[0].Type == capture.Input }

// end returns how the session was not repeated.
func (s *session) end() error {
	if len(s.left) == 0 {
		return s.unexpected
	}
	return errors.Join(s.unexpected, fmt.Errorf("%d recorded transfers did not happen, first: %s",
		len(s.left), describe(s.left[0])))
}

// describe returns what was asked or sent, and not what the unit answered.
func describe(r capture.Report) string {
	switch r.Type {
	case capture.Feature:
		return fmt.Sprintf("get %02x", r.ID)
	case capture.Sent:
		return fmt.Sprintf("send % x", r.Bytes)
	}
	return fmt.Sprintf("input % x", r.Bytes)
}
