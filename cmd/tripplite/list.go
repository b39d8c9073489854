package main

import (
	"errors"
	"fmt"
	"io"
	"math"

	"golang.org/x/term"

	"github.com/tripplite-go/tripplite"
)

type listCommand struct{}

// Help says what ACCESS means.
func (listCommand) Help() string {
	return `ACCESS is "yes", "no permission", "busy" with the program that holds the unit,
"unsupported" or "gone". To find out, each unit is opened and closed again, and not read. Serial
strings are often firmware labels that several units share: tell units apart by PATH.`
}

func (listCommand) run(s *session) error {
	units, err := s.units()
	if err != nil {
		return err
	}
	return s.list(units)
}

func (s *session) list(units []unit) error {
	rows := [][]string{{"PATH", "ID", "FAMILY", "PRODUCT", "SERIAL", "ACCESS"}}
	var errs []error
	for _, u := range units {
		info := u.info
		b, err := u.open()
		if err == nil {
			info = b.Info()
			err = b.Close()
		}
		if err != nil {
			errs = append(errs, err)
		}
		rows = append(rows, []string{info.Path, idOf(info), orDash(info.Family),
			orDash(info.Product), orDash(info.Serial), access(err)})
	}
	widest := math.MaxInt // a program wants a line for each unit
	if terminal := terminalFile(s.stdout); terminal != nil {
		width, _, _ := term.GetSize(int(terminal.Fd()))
		widest = max(width, columns)
	}
	if _, err := io.WriteString(s.stdout, table(rows, widest)); err != nil {
		return err
	}
	for _, err := range errs {
		s.warn(err) // it says what to do
	}
	return nil
}

func idOf(d tripplite.DeviceInfo) string {
	return fmt.Sprintf("%04x:%04x", d.VendorID, d.ProductID)
}

// access says in few words whether a unit can be opened.
func access(err error) string {
	var e *tripplite.Error
	switch {
	case err == nil:
		return "yes"
	case errors.Is(err, tripplite.ErrPermission):
		return "no permission"
	case errors.Is(err, tripplite.ErrUnsupported):
		return "unsupported"
	case errors.Is(err, tripplite.ErrDisconnected), errors.Is(err, tripplite.ErrNotFound):
		return "gone"
	case !errors.Is(err, tripplite.ErrBusy):
		return "no"
	case errors.As(err, &e) && e.Holder != "":
		return "busy (" + e.Holder + ")"
	}
	return "busy"
}
