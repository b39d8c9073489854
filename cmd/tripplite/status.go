package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite"
)

type statusCommand struct{}

// Help says how the table is to be read.
func (statusCommand) Help() string {
	return `What has to be seen to stands first, in capitals behind a "!". A value that a unit does not report is left out or "-". Exits with 1 if a unit could not be read.`
}

func (statusCommand) run(s *session) int {
	units, err := s.bank()
	if err != nil {
		s.complain(err)
		return exitFailure
	}
	defer units.Close()
	return s.status(units)
}

func (s *session) status(units source) int {
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	readings, err := readings(ctx, units)
	if err != nil {
		s.complain(err)
		return exitFailure
	}
	var blocks []string
	status := exitOK
	for _, r := range readings {
		if s.tell(r.Err) != nil {
			status = exitFailure
		}
		blocks = append(blocks, strings.Join(paletteOf(s.stdout).block(r), "\n")+"\n")
	}
	if _, err := fmt.Fprint(s.stdout, strings.Join(blocks, "\n")); err != nil {
		s.complain(err)
		return exitFailure
	}
	return status
}

// block is one unit as a table: a heading, what has to be seen to, and the readings in two columns.
func (p palette) block(r tripplite.Reading) []string {
	id := ""
	if r.Info.VendorID != 0 {
		id = fmt.Sprintf("%04x:%04x", r.Info.VendorID, r.Info.ProductID)
	}
	rest := clip(known("  ", r.Info.Product, id, r.Info.Family), columns-2-len([]rune(r.Info.Path)))
	lines := []string{p.paint(bold, r.Info.Path) + labelled(" ", rest), ""}
	if !hasState(r) {
		for i, line := range wrap("NO READING: "+why(r), columns-4) {
			mark := "! "
			if i > 0 {
				mark = "  "
			}
			lines = append(lines, "  "+p.paint(colours[unknown], mark+line))
		}
		return lines
	}
	state := r.State
	for _, a := range needed(state) {
		lines = append(lines, "  "+p.paint(colours[a.severity], "! "+strings.ToUpper(a.text)))
	}
	texts := condition(state)
	if onBattery(state) {
		texts = texts[1:] // said above
	}
	for i, line := range wrap(strings.Join(texts, ", "), columns-2) {
		if i == 0 && len(needed(state)) == 0 {
			line = p.paint(colours[okay], line)
		}
		lines = append(lines, "  "+line)
	}
	lines = append(lines, "")
	left := [][2]string{
		{"Charge", orDash(measure(state.RemainingCapacity, "%"))},
		{"Runtime", orDash(span(state.RunTimeToEmpty))},
		{"Load", orDash(known(", ", measure(state.Output.PercentLoad, "%"), measure(state.Output.ActivePower, "W")))},
	}
	right := [][2]string{
		{"Input", orDash(known(", ", measure(state.Input.Voltage, "V"), measure(state.Input.Frequency, "Hz")))},
		{"Output", orDash(known(", ", measure(state.Output.Voltage, "V"), measure(state.Output.Frequency, "Hz"), measure(state.Output.Current, "A")))},
		{"Battery", orDash(known(", ", measure(state.Battery.Voltage, "V"), measure(state.Battery.Temperature, "°C")))},
	}
	for i := range left {
		line := "  " + pad(pad(left[i][0], 10)+left[i][1], 30) + pad(right[i][0], 10) + right[i][1]
		lines = append(lines, line)
	}
	nominal := known(", ", measure(state.Config.Voltage, "V"), measure(state.Config.Frequency, "Hz"),
		measure(state.Config.ApparentPower, "VA"), labelled("battery", measure(state.Config.BatteryVoltage, "V")))
	if nominal != "" {
		lines = append(lines, "  "+pad("Nominal", 10)+nominal)
	}
	return lines
}

// clock is how a time is shown to people.
func clock(t time.Time) string { return t.Local().Format(time.TimeOnly) }
