// Package capture reads and writes the files that describe one UPS as a computer saw it: its
// strings, its report descriptors and the bytes of its reports. It plays such a unit back as a
// [Device]. The schema is in testdata/captures/README.md.
package capture

import (
	"bytes"
	"cmp"
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

	"github.com/tripplite-go/tripplite/internal/frame"
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

// UPS returns the interface that is the UPS.
func (c *Capture) UPS() *Interface { return &c.Interfaces[c.UPSInterface] }

// Interface is one HID interface of a unit; most units have one.
type Interface struct {
	Descriptor       Bytes    `json:"descriptor,omitempty"`
	DescriptorOrigin Origin   `json:"descriptor_origin,omitempty"`
	Reports          []Report `json:"reports"`
	// Exchanges are what a unit of the framed protocol was asked, and what it replied.
	Exchanges []Exchange `json:"exchanges,omitempty"`
	// Traffic is every transfer of a recorded session, in its order.
	Traffic []Report `json:"traffic,omitempty"`
}

// Exchange is one command to a unit of the framed protocol, and its reply as it came, the letter
// first.
type Exchange struct {
	Command Bytes  `json:"command"`
	Reply   Bytes  `json:"reply,omitempty"`
	Error   Error  `json:"error,omitempty"`
	Origin  Origin `json:"origin"`
	Note    string `json:"note,omitempty"`
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

// Exchange adds what a unit of the framed protocol replied to a feature report that was sent, id
// first. It does nothing where they are no command and its reply, or there is a reply already.
func (i *Interface) Exchange(sent, reply []byte) {
	if len(sent) == 0 || sent[0] != 0 {
		return
	}
	letter, data, err := frame.ParseCommand(sent[1:])
	e := ExchangeOf(frame.Command(letter, data...), slices.Clone(reply), nil)
	same := func(o Exchange) bool { return bytes.Equal(o.Command, e.Command) }
	if err == nil && e.check() == nil && !slices.ContainsFunc(i.Exchanges, same) {
		i.Exchanges = append(i.Exchanges, e)
	}
}

// Type says which of a report id's reports is meant.
type Type string

// The types of report that a UPS sends, and in traffic the feature reports that it was sent.
const (
	Feature Type = "feature"
	Input   Type = "input"
	Sent    Type = "sent"
)

// Error says how a unit failed to answer.
type Error string

// Silent is a unit that gave no reply to a command.
const Silent Error = "silent"

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
func (id ID) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%04x", id), nil }

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
		return fmt.Appendf(nil, "% x", b), nil
	}
	return fmt.Appendf(nil, "%x", b), nil
}

// Names lists the built-in captures, sorted.
func Names() []string {
	files, _ := testdata.Captures.ReadDir("captures") // which is embedded
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(file.Name(), ".json"))
	}
	slices.Sort(names)
	return names
}

// Load returns the built-in capture of that name, or else reads the file.
func Load(nameOrFile string) (*Capture, error) {
	file, err := testdata.Captures.Open("captures/" + nameOrFile + ".json")
	if err != nil {
		file, err = os.Open(nameOrFile)
	}
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

// maxBytes is what a capture may have at the most. "tripplite capture" writes 10,000 input reports
// and every feature report, which is less.
const maxBytes = 4 << 20

// Parse reads a capture as Read does.
func Parse(text []byte) (*Capture, error) { return Read(bytes.NewReader(text)) }

// Read reads a capture and checks that it can be replayed. It reads no more than one may have.
func Read(r io.Reader) (*Capture, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, err
	}
	c := &Capture{}
	if err := cmp.Or(c.decode(text), c.check()); err != nil {
		return nil, fmt.Errorf("not a capture: %w", err)
	}
	return c, nil
}

// decode reads one JSON object that has no unknown keys. Its errors name no Go types.
func (c *Capture) decode(text []byte) error {
	if len(text) > maxBytes {
		return fmt.Errorf("it has more than %d bytes", maxBytes)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	// A Decoder lets pass what is behind the end.
	err := cmp.Or(json.Unmarshal(text, &json.RawMessage{}), decoder.Decode(c))
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("%w (at byte %d)", err, syntax.Offset)
	case errors.As(err, &wrong):
		where := cmp.Or(wrong.Field, "the whole")
		return fmt.Errorf("%s has a value of the wrong kind (%s)", where, wrong.Value)
	}
	return err
}

// check returns why the capture cannot be replayed.
func (c *Capture) check() error {
	if c.UPSInterface < 0 || c.UPSInterface >= len(c.Interfaces) {
		return fmt.Errorf("it has no interface %d", c.UPSInterface)
	}
	for n, i := range c.Interfaces {
		features := map[ID]bool{}
		for at, r := range slices.Concat(i.Reports, i.Traffic) {
			if err := r.check(at >= len(i.Reports), features[r.ID]); err != nil {
				return fmt.Errorf("interface %d, %s report 0x%02x: %w", n, r.Type, r.ID, err)
			}
			features[r.ID] = features[r.ID] || r.Type == Feature
		}
		for _, e := range i.Exchanges {
			if err := e.check(); err != nil {
				return fmt.Errorf("interface %d, command % x: %w", n, []byte(e.Command), err)
			}
		}
	}
	return nil
}

// reportLines puts a report, which stands at this depth, on one line. Its id has two digits.
var reportLines = strings.NewReplacer(
	"{\n          ", "{", ",\n          ", ", ", "\n        }", "}", `"id": "00`, `"id": "`)

// Marshal writes a capture as the built-in ones are written: indented, and each report on a line of
// its own.
func (c *Capture) Marshal() ([]byte, error) {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(c)
	return []byte(reportLines.Replace(text.String())), err
}

// ReportOf returns what came of asking a unit for a report: an answer, which is kept as it is, or
// an error. What a unit was sent, or announced, is an answer too.
func ReportOf(t Type, id byte, bytes []byte, err error) Report {
	r := Report{Type: t, ID: ID(id), Bytes: bytes, Origin: Captured}
	switch {
	case err != nil:
		r.Bytes, r.Error, r.Note = nil, Stall, err.Error()
	case len(bytes) == 0:
		r.Error = Empty
	case bytes[0] != id:
		r.Error = WrongID
	}
	return r
}

// ExchangeOf returns what came of a command: the reply as it came, or an error.
func ExchangeOf(command, reply []byte, err error) Exchange {
	e := Exchange{Command: command, Reply: reply, Origin: Captured}
	if err != nil {
		e.Reply, e.Error, e.Note = nil, Silent, err.Error()
	}
	return e
}

// check returns why the exchange cannot be replayed.
func (e Exchange) check() error {
	letter, _, err := frame.ParseCommand(e.Command)
	switch {
	case err != nil:
		return err
	case e.Origin != Captured && e.Origin != Composed:
		return fmt.Errorf(`origin must be %q or %q`, Captured, Composed)
	case e.Error == Silent && len(e.Reply) == 0:
		return nil
	case e.Error != "", len(e.Reply) == 0, len(e.Reply) > frame.Size, e.Reply[0] != letter:
		return fmt.Errorf("it must have a reply of at most %d bytes that begins with its letter, "+
			"or error %q", frame.Size, Silent)
	}
	return nil
}

// check returns why the report cannot be replayed. It may be one of traffic, or follow a feature
// report with its id.
func (r Report) check(traffic, again bool) error {
	byBytes := ReportOf(r.Type, byte(r.ID), r.Bytes, nil).Error
	switch {
	case again && r.Type == Feature && !traffic:
		return errors.New("it is there twice")
	case r.Type != Feature && r.Type != Input && (r.Type != Sent || !traffic):
		return fmt.Errorf(`type must be %q or %q, or in traffic %q`, Feature, Input, Sent)
	case r.Origin != Captured && r.Origin != Composed:
		return fmt.Errorf(`origin must be %q or %q`, Captured, Composed)
	case r.ID > 0xff:
		return errors.New("a report id is one byte")
	case r.Error != byBytes && (r.Error != Stall || byBytes != Empty),
		byBytes == WrongID && r.Type != Feature:
		return fmt.Errorf("it must have bytes that begin with its id, or error %q or %q, "+
			"or as a feature report error %q and bytes of another id", Empty, Stall, WrongID)
	}
	return nil
}
