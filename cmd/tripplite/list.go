package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tripplite-go/tripplite"
)

type listCommand struct{}

// Help says what ACCESS means.
func (listCommand) Help() string {
	return `ACCESS is "yes", "no permission", "busy" with the program that holds the unit, or "unsupported". To find out, each unit is opened and closed again without reading it; one that another program holds cannot be opened, and is not disturbed. Serial strings are often firmware labels that several units share: tell units apart by PATH.`
}

func (listCommand) run(s *session) int {
	units, err := s.listed()
	if err != nil {
		s.complain(err)
		return exitFailure
	}
	rows := [][]string{{"PATH", "ID", "FAMILY", "PRODUCT", "SERIAL", "ACCESS"}}
	var errs []error
	for _, u := range units {
		access, err := accessTo(u)
		errs = append(errs, err)
		id := fmt.Sprintf("%04x:%04x", u.info.VendorID, u.info.ProductID)
		rows = append(rows, []string{u.info.Path, id, orDash(u.info.Family), orDash(u.info.Product), orDash(u.info.Serial), access})
	}
	if _, err := fmt.Fprint(s.stdout, table(rows)); err != nil {
		s.complain(err)
		return exitFailure
	}
	if err := errors.Join(errs...); err != nil {
		s.complain(err) // it says what to do
	}
	return exitOK
}

// listed returns the units that the flags name, with what the system knows of them.
func (s *session) listed() ([]unit, error) {
	if s.Path == "" || s.Replay != nil {
		return s.chosen()
	}
	all := *s
	all.Path = ""
	units, err := all.chosen()
	if err != nil {
		return nil, err
	}
	for _, u := range units {
		if u.info.Path == s.Path {
			return []unit{u}, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", s.Path, tripplite.ErrNotFound)
}

// accesses are the errors that Open tells apart.
var accesses = []struct {
	err  error
	text string
}{
	{tripplite.ErrPermission, "no permission"},
	{tripplite.ErrBusy, "busy"},
	{tripplite.ErrUnsupported, "unsupported"},
	{tripplite.ErrDisconnected, "gone"},
	{tripplite.ErrNotFound, "gone"},
}

// accessTo opens a unit to see whether that is possible. The error, if any, says what to do.
func accessTo(u unit) (string, error) {
	b, err := u.open()
	if err == nil {
		return "yes", b.Close()
	}
	for _, a := range accesses {
		if errors.Is(err, a.err) {
			_, who, _ := strings.Cut(err.Error(), tripplite.ErrBusy.Error()) // such as " (usbhid-ups, process 312)"
			return a.text + who, err
		}
	}
	return "no", err
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return printable(text)
}

// table aligns columns.
func table(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var text strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += pad(cell, widths[i]+2)
		}
		text.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return text.String()
}
