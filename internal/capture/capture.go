// Package capture reads the files that describe one UPS as a computer saw it: its strings, its
// report descriptors and the bytes of its reports. It plays such a unit back as a [Device]. The
// schema is in testdata/captures/README.md.
package capture

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/tripplite-go/tripplite/testdata"
)

// Capture is one unit.
type Capture struct {
	Name         string   `json:"name"`
	Model        string   `json:"model"`
	Source       []string `json:"source"`
	Notes        []string `json:"notes,omitempty"`
	VendorID     ID       `json:"vendor_id"`
	ProductID    ID       `json:"product_id"`
	Release      ID       `json:"release"`
	Manufacturer string   `json:"manufacturer,omitempty"`
	Product      string   `json:"product,omitempty"`
	Serial       string   `json:"serial,omitempty"`
	// Strings are further string descriptors, by index; 1 to 3 are the three above.
	Strings map[int]string `json:"strings,omitempty"`
	// UPSInterface is the index in Interfaces of the one that is the UPS.
	UPSInterface int         `json:"ups_interface,omitempty"`
	Interfaces   []Interface `json:"interfaces"`
	// Expect is what the tool prints for the unit, written by hand from the source.
	Expect json.RawMessage `json:"expect,omitempty"`
}

// Interface is one HID interface of a unit; most units have one.
type Interface struct {
	Descriptor       Bytes    `json:"descriptor,omitempty"`
	DescriptorOrigin Origin   `json:"descriptor_origin,omitempty"`
	Reports          []Report `json:"reports"`
	// Traffic is every transfer of a recorded session, in its order.
	Traffic []Report `json:"traffic,omitempty"`
}

// Report is what came back for one report: its bytes, report id first, or how it failed.
type Report struct {
	Type   Type   `json:"type"`
	ID     ID     `json:"id"`
	Bytes  Bytes  `json:"bytes,omitempty"`
	Error  Error  `json:"error,omitempty"`
	Origin Origin `json:"origin"`
	Note   string `json:"note,omitempty"`
}

// UnmarshalJSON reads a report. Its errors show the report.
func (r *Report) UnmarshalJSON(text []byte) error {
	type report Report // has no UnmarshalJSON
	if err := decode(text, (*report)(r)); err != nil {
		return fmt.Errorf("the report %.200s: %w", text, err)
	}
	return nil
}

// Type says which of a report id's two reports is meant.
type Type string

// The types of report that a UPS sends, and in traffic the feature reports that it was sent.
const (
	Feature Type = "feature"
	Input   Type = "input"
	Sent    Type = "sent"
)

// Error says how a unit failed to answer.
type Error string

// An Empty answer is one of no bytes, which units give for a report that they declare and do not
// provide. A Stall is an answer that the unit refused. A WrongID is an answer whose bytes, which
// are kept, begin with the id of another report.
const (
	Empty   Error = "empty"
	Stall   Error = "stall"
	WrongID Error = "wrong id"
)

// Origin says how bytes came into a capture.
type Origin string

// Captured bytes were printed by a program that read them from a unit. Composed ones were written
// by hand from values that the source gives in another form.
const (
	Captured Origin = "captured"
	Composed Origin = "composed"
)

// ID is a number in the hexadecimal digits in which USB ids are written, such as "09ae".
type ID uint16

// UnmarshalText reads hexadecimal digits, with or without 0x.
func (id *ID) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(strings.TrimPrefix(string(text), "0x"), 16, 16)
	if err != nil {
		return fmt.Errorf("%q is not a hexadecimal number of at most four digits", text)
	}
	*id = ID(n)
	return nil
}

// MarshalText writes four digits.
func (id ID) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%04x", uint16(id)), nil }

// Bytes are written as hexadecimal digits, spaces allowed between bytes.
type Bytes []byte

// UnmarshalText reads pairs of hexadecimal digits.
func (b *Bytes) UnmarshalText(text []byte) error {
	decoded, err := hex.DecodeString(strings.ReplaceAll(string(text), " ", ""))
	if err != nil {
		return fmt.Errorf("%.200q is not bytes of two hexadecimal digits each", text)
	}
	*b = decoded
	return nil
}

// MarshalText puts a space between bytes where there are few, as a debug log shows a report.
func (b Bytes) MarshalText() ([]byte, error) {
	if len(b) <= 64 {
		return fmt.Appendf(nil, "% x", []byte(b)), nil
	}
	return fmt.Appendf(nil, "%x", []byte(b)), nil
}

// Names lists the built-in captures, sorted.
func Names() []string {
	files, err := fs.Glob(testdata.Captures, "captures/*.json")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(file, "captures/"), ".json")
	}
	slices.Sort(files)
	return files
}

// Load returns the built-in capture of that name, or else reads the file.
func Load(nameOrFile string) (*Capture, error) {
	if slices.Contains(Names(), nameOrFile) {
		text, err := testdata.Captures.ReadFile("captures/" + nameOrFile + ".json")
		if err != nil {
			return nil, err
		}
		return Parse(text)
	}
	file, err := os.Open(nameOrFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf(
			"%q is neither a capture file nor one of the built-in captures: %s: %w",
			nameOrFile, strings.Join(Names(), ", "), fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	c, err := Read(file)
	if err != nil && !errors.As(err, new(*fs.PathError)) { // which names the file
		err = fmt.Errorf("%s: %w", nameOrFile, err)
	}
	return c, err
}

// What a capture may have at the most. "tripplite capture" writes 10,000 input reports and every
// feature report.
const (
	maxBytes   = 4 << 20
	maxReports = 20_000
)

// Read reads a capture as Parse does. It reads no more than a capture may have.
func Read(r io.Reader) (*Capture, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, err
	}
	return Parse(text)
}

// Parse reads a capture and checks that it can be replayed.
func Parse(text []byte) (*Capture, error) {
	if len(text) > maxBytes {
		return nil, fmt.Errorf("not a capture: it has more than %d bytes", maxBytes)
	}
	var c Capture
	err := decode(text, &c)
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return nil, fmt.Errorf("not a capture: %w", err)
	}
	return &c, nil
}

// decode reads one JSON value that has no unknown keys. Its errors name no Go types.
func decode(text []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(v)
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case err == io.EOF:
		return errors.New("it is empty")
	case err == io.ErrUnexpectedEOF:
		return errors.New("its end is missing")
	case errors.As(err, &syntax):
		return fmt.Errorf("%w (at byte %d)", err, syntax.Offset)
	case errors.As(err, &wrong) && wrong.Field == "":
		return fmt.Errorf("it is no JSON object (%s)", wrong.Value)
	case errors.As(err, &wrong):
		return fmt.Errorf("%q has a value of the wrong kind (%s)", wrong.Field, wrong.Value)
	case err != nil:
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("there is more behind its end")
	}
	return nil
}

// check returns why the capture cannot be replayed.
func (c *Capture) check() error {
	if len(c.Interfaces) == 0 {
		return errors.New("it has no interface")
	}
	if c.UPSInterface < 0 || c.UPSInterface >= len(c.Interfaces) {
		return fmt.Errorf("it has no interface %d", c.UPSInterface)
	}
	reports := 0
	for _, i := range c.Interfaces {
		reports += len(i.Reports) + len(i.Traffic)
	}
	if reports > maxReports {
		return fmt.Errorf("it has %d reports, which is more than %d", reports, maxReports)
	}
	for n, i := range c.Interfaces {
		features := map[ID]bool{}
		for at, r := range slices.Concat(i.Reports, i.Traffic) {
			traffic := at >= len(i.Reports)
			err := r.check(traffic)
			if !traffic && r.Type == Feature {
				if features[r.ID] {
					err = errors.New("it is there twice")
				}
				features[r.ID] = true
			}
			if err != nil {
				id := uint16(r.ID)
				return fmt.Errorf("interface %d, %s report 0x%02x: %w", n, r.Type, id, err)
			}
		}
	}
	return nil
}

// ReportOf returns what came of asking a unit for a report: an answer, which is kept as it is, or
// an error. What a unit was sent, or announced, is an answer too.
func ReportOf(t Type, id byte, bytes []byte, err error) Report {
	r := Report{Type: t, ID: ID(id), Origin: Captured}
	switch {
	case err != nil:
		r.Error, r.Note = Stall, err.Error()
		return r
	case len(bytes) == 0:
		r.Error = Empty
	case bytes[0] != id:
		r.Error = WrongID
	}
	r.Bytes = bytes
	return r
}

func (r Report) check(traffic bool) error {
	switch {
	case r.Type != Feature && r.Type != Input && (r.Type != Sent || !traffic):
		return fmt.Errorf(`type must be %q or %q, or in traffic %q`, Feature, Input, Sent)
	case r.Origin != Captured && r.Origin != Composed:
		return fmt.Errorf(`origin must be %q or %q`, Captured, Composed)
	case r.ID > 0xff:
		return errors.New("a report id is one byte")
	case r.Error == WrongID:
		if r.Type != Feature || len(r.Bytes) == 0 || r.Bytes[0] == byte(r.ID) {
			return fmt.Errorf("with error %q it must be a feature report "+
				"with bytes that begin with another id", WrongID)
		}
	case len(r.Bytes) > 0 && r.Bytes[0] != byte(r.ID):
		return errors.New("its bytes must begin with its id")
	case (len(r.Bytes) == 0) == (r.Error == ""):
		return errors.New("it must have either bytes or an error")
	case r.Error != "" && r.Error != Empty && r.Error != Stall:
		return fmt.Errorf(`error must be %q or %q, or %q with bytes`, Empty, Stall, WrongID)
	}
	return nil
}
