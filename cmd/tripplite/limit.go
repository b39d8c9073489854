package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// limit is a threshold for one value: a range as the Monitoring Plugins Development Guidelines write it.
type limit struct {
	name        string
	text        string // the range as it was given
	least, most float64
	inside      bool // alerts inside of the range instead of outside
}

// UnmarshalText reads "charge=20:".
func (l *limit) UnmarshalText(text []byte) error {
	name, given, ok := strings.Cut(string(text), "=")
	name = strings.ReplaceAll(name, "-", "_")
	if !ok || !slices.Contains(measureNames(), name) {
		return fmt.Errorf("%q is not NAME=RANGE, where NAME is one of %s", text, strings.Join(measureNames(), ", "))
	}
	*l = limit{name: name, text: given, most: math.Inf(1)}
	bounds, inside := strings.CutPrefix(given, "@")
	l.inside = inside
	least, most, isRange := strings.Cut(bounds, ":")
	if !isRange {
		least, most = "0", bounds
	}
	err := parseBound(&l.least, least, isRange)
	if err == nil {
		err = parseBound(&l.most, most, isRange)
	}
	if err != nil || l.least > l.most || bounds == "" || bounds == ":" {
		return fmt.Errorf("%q is not a range: write 10, 10:, ~:10, 10:20 or @10:20", given)
	}
	return nil
}

// parseBound reads a bound; an empty one leaves what it is by default, and ~ is no lower bound.
func parseBound(bound *float64, text string, mayBeEmpty bool) error {
	switch {
	case text == "~":
		*bound = math.Inf(-1)
		return nil
	case text == "" && mayBeEmpty:
		return nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return fmt.Errorf("%q is not a number", text)
	}
	*bound = n
	return nil
}

func (l limit) alerts(value float64) bool {
	return (value >= l.least && value <= l.most) == l.inside
}

// rangeFor is a threshold as performance data repeat it, or nothing.
func rangeFor(limits []limit, name string) string {
	for _, l := range limits {
		if l.name == name {
			return l.text
		}
	}
	return ""
}
