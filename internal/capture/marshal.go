package capture

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Marshal writes a capture as the built-in ones are written: indented, and each report on a line of
// its own.
func (c *Capture) Marshal() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(c); err != nil {
		return nil, err
	}
	var out strings.Builder
	inReport := false
	for line := range strings.Lines(text.String()) {
		trimmed := strings.TrimSpace(line)
		switch {
		case line == reportIndent+"{\n":
			inReport = true
			out.WriteString(reportIndent + trimmed)
		case inReport && strings.HasPrefix(trimmed, "}"):
			inReport = false
			out.WriteString(trimmed + "\n")
		case inReport:
			// A report id has two digits.
			out.WriteString(strings.Replace(trimmed, `"id": "00`, `"id": "`, 1))
			if strings.HasSuffix(trimmed, ",") {
				out.WriteString(" ")
			}
		default:
			out.WriteString(line)
		}
	}
	return []byte(out.String()), nil
}

// reportIndent stands before a report that is an element of a list, and before no other object.
const reportIndent = "        "
