package hidreport

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Usage is what a field or a collection is for: a usage page and an id on it.
type Usage uint32

// Page returns the usage page.
func (u Usage) Page() uint16 { return uint16(u >> 16) }

// ID returns the id on the page.
func (u Usage) ID() uint16 { return uint16(u) }

// String returns the name of the usage, "ACPresent", or its eight hex digits, page first,
// where no name is known.
func (u Usage) String() string {
	if name, ok := names()[u]; ok {
		return name
	}
	return fmt.Sprintf("%08x", uint32(u))
}

//go:embed usages.txt
var usages string

// names parses the table when a name is first asked for.
var names = sync.OnceValue(func() map[Usage]string {
	names := map[Usage]string{}
	for line := range strings.Lines(usages) {
		digits, name, _ := strings.Cut(line, " ")
		if u, err := strconv.ParseUint(digits, 16, 32); err == nil { // no comment, no empty line
			names[Usage(u)] = strings.TrimSpace(name)
		}
	}
	return names
})
