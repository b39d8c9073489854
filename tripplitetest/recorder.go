package tripplitetest

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/replay"
)

// Recorder is a [tripplite.Device] that passes everything on to another one, and notes what that
// says. It records in memory, for as long as it is used. It is safe for as many goroutines as its
// device is.
type Recorder struct {
	dev        tripplite.Device
	info       tripplite.DeviceInfo
	descriptor []byte

	mu      sync.Mutex
	traffic []capture.Report
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
	return &Recorder{dev: dev, info: info, descriptor: slices.Clone(descriptor)}
}

// Save writes a capture file with what has been recorded so far. [NewUPS] makes a unit of it, which
// gives the first answer that came for each report. [NewPlayer] repeats the whole session. The file
// has the serial string of the unit.
func (r *Recorder) Save(file string) error {
	r.mu.Lock()
	traffic := slices.Clone(r.traffic)
	r.mu.Unlock()
	c := replay.Capture(r.info, r.descriptor)
	c.Name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	c.Model = r.info.Product
	c.Source = []string{"recorded by tripplitetest"}
	c.Interfaces[0].Reports, c.Interfaces[0].Traffic = answers(traffic), traffic
	text, err := c.Marshal()
	if err == nil {
		_, err = capture.Parse(text) // a session that is too long could not be read again
	}
	if err == nil {
		err = os.WriteFile(file, text, 0o666)
	}
	if err != nil {
		return fmt.Errorf("tripplitetest: %w", err)
	}
	return nil
}

// answers returns the first answer to each feature report, or else how it failed, by id.
func answers(traffic []capture.Report) []capture.Report {
	first := map[capture.ID]capture.Report{}
	for _, r := range traffic {
		known, asked := first[r.ID]
		if r.Type == capture.Feature && (!asked || known.Error != "" && r.Error == "") {
			first[r.ID] = r
		}
	}
	reports := make([]capture.Report, 0, len(first))
	for _, r := range first {
		reports = append(reports, r)
	}
	slices.SortFunc(reports, func(a, b capture.Report) int { return cmp.Compare(a.ID, b.ID) })
	return reports
}

func (r *Recorder) record(t capture.Type, id byte, bytes []byte, err error) {
	report := capture.ReportOf(t, id, slices.Clone(bytes), err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.traffic = append(r.traffic, report)
}

// GetFeatureReport records the answer.
func (r *Recorder) GetFeatureReport(b []byte) (int, error) {
	if len(b) == 0 {
		return r.dev.GetFeatureReport(b)
	}
	id := b[0] // the answer may have another
	n, err := r.dev.GetFeatureReport(b)
	r.record(capture.Feature, id, b[:max(0, min(n, len(b)))], err)
	return n, err
}

// SendFeatureReport records what was sent.
func (r *Recorder) SendFeatureReport(b []byte) (int, error) {
	n, err := r.dev.SendFeatureReport(b)
	if len(b) > 0 {
		r.record(capture.Sent, b[0], b, err)
	}
	return n, err
}

// ReadTimeout records the input report that it returns, if any.
func (r *Recorder) ReadTimeout(b []byte, milliseconds int) (int, error) {
	n, err := r.dev.ReadTimeout(b, milliseconds)
	if n := min(n, len(b)); n > 0 && err == nil {
		r.record(capture.Input, b[0], b[:n], nil)
	}
	return n, err
}

// Close closes the device. What has been recorded stays.
func (r *Recorder) Close() error { return r.dev.Close() }
