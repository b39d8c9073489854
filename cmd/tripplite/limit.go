package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite"
)

// limit is a threshold for one reading: a range as the Monitoring Plugins Development Guidelines
// write it.
type limit struct {
	field       tripplite.Field
	text        string // the range as it was given
	least, most float64
	inside      bool // alerts inside of the range instead of outside
}

// limitable reports whether a field can have a threshold: it is a number that changes.
func limitable(f tripplite.Field) bool { return f.Unit != "" && !f.Setting() }

func limitWords() (words []string) {
	for _, f := range tripplite.Fields() {
		if limitable(f) && f.Word != "" {
			words = append(words, f.Word)
		}
	}
	return words
}

// UnmarshalText reads "charge=20:".
func (l *limit) UnmarshalText(text []byte) error {
	name, given, ok := strings.Cut(string(text), "=")
	field, known := fieldOf(name)
	if !ok || !known || !limitable(field) {
		return fmt.Errorf("%q is not NAME=RANGE, where NAME is %s, or the key of another number",
			text, strings.Join(limitWords(), ", "))
	}
	*l = limit{field: field, text: given, most: math.Inf(1)}
	bounds, inside := strings.CutPrefix(given, "@")
	l.inside = inside
	least, most, isRange := strings.Cut(bounds, ":")
	if !isRange {
		least, most = "0", bounds
	}
	var err error
	switch least {
	case "":
	case "~":
		l.least = math.Inf(-1)
	default:
		l.least, err = parseBound(least)
	}
	if err == nil && (most != "" || !isRange) {
		l.most, err = parseBound(most)
	}
	if err != nil || l.least > l.most || bounds == ":" || bounds == "~:" {
		return fmt.Errorf("%q is not a range: write 10, 10:, ~:10, 10:20 or @10:20", given)
	}
	return nil
}

func parseBound(text string) (float64, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err == nil && (math.IsNaN(n) || math.IsInf(n, 0)) {
		err = strconv.ErrRange
	}
	return n, err
}

func (l limit) alerts(value float64) bool {
	return (value >= l.least && value <= l.most) == l.inside
}

// rangeOf returns the threshold of a field, which performance data repeat, or "".
func rangeOf(limits []limit, f tripplite.Field) string {
	for _, l := range limits {
		if l.field == f {
			return l.text
		}
	}
	return ""
}

// seconds is a time on the command line.
type seconds time.Duration

// UnmarshalText reads a number of seconds, or a time with its unit.
func (s *seconds) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if n, numberErr := strconv.ParseUint(string(text), 10, 31); numberErr == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is neither a number of seconds nor a time such as 10s", text)
	}
	*s = seconds(d)
	return nil
}
