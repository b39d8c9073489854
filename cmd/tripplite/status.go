package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite"
)

type statusCommand struct{}

// Help says how the table is to be read.
func (statusCommand) Help() string {
	return `What needs attention comes first, in capitals behind a "!". A value that a unit does not
report is left out or "-". Exits with 1 if a unit could not be read.`
}

func (statusCommand) run(s *session) error {
	units, err := s.bank()
	if err != nil {
		return err
	}
	defer units.Close()
	return s.status(units)
}

func (s *session) status(units source) (failure error) {
	readings, err := s.readings(units, readTimeout)
	if err != nil {
		return err
	}
	var blocks []string
	for _, r := range readings {
		if s.warnPartial(r.Err) != nil {
			failure = exit(exitFailure)
		}
		blocks = append(blocks, strings.Join(paletteOf(s.stdout).block(r), "\n")+"\n")
	}
	if _, err := io.WriteString(s.stdout, strings.Join(blocks, "\n")); err != nil {
		return err
	}
	return failure
}

// readings reads every unit. That there is none is an error.
func (s *session) readings(units source, timeout time.Duration) ([]tripplite.Reading, error) {
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	readings, err := units.Get(ctx)
	if err == nil && len(readings) == 0 {
		err = tripplite.ErrNotFound
	}
	return readings, err
}

// block returns one unit as a table: a heading, what needs attention, the readings in two columns.
func (p palette) block(r tripplite.Reading) []string {
	path, id := printable(r.Info.Path), ""
	if r.Info.VendorID != 0 {
		id = idOf(r.Info)
	}
	rest := clip(printable(joined("  ", r.Info.Product, id, r.Info.Family)), columns-2-width(path))
	lines := []string{joined("  ", p.paint(bold, path), rest), ""}
	if !tripplite.HasState(r.Err) {
		for i, line := range wrap(printable("NO READING: "+reason(r.Err)), columns-4) {
			mark := "! "
			if i > 0 {
				mark = "  "
			}
			lines = append(lines, "  "+p.paint(colours[unknown], mark+line))
		}
		return lines
	}
	state := r.State
	alerts := state.Alerts()
	for _, a := range alerts {
		lines = append(lines, "  "+p.paint(colours[severityOf(a)], "! "+strings.ToUpper(a.Text)))
	}
	texts := condition(state)
	if onBattery, _ := state.OnBattery(); onBattery {
		texts = texts[1:] // said above
	}
	for i, line := range wrap(strings.Join(texts, ", "), columns-2) {
		if i == 0 && alerts == nil {
			line = p.paint(colours[okay], line)
		}
		lines = append(lines, "  "+line)
	}
	lines = append(lines, "")
	said := map[string]string{}
	for f, d := range state.All() {
		said[f.Key] = printable(joined(" ", d.String(), f.Unit))
	}
	runtime := ""
	if left, known := state.RunTimeToEmpty.Get(); known {
		runtime = span(left)
	}
	for _, row := range [][2][2]string{
		{{"Charge", said["health"]},
			{"Input", joined(", ", said["input.voltage"], said["input.frequency"])}},
		{{"Runtime", runtime},
			{"Output", joined(", ", said["output.voltage"], said["output.frequency"],
				said["output.current"])}},
		{{"Load", joined(", ", said["output.load"], said["output.power"])},
			{"Battery", joined(", ", said["battery.voltage"], said["battery.temperature"])}},
	} {
		left, right := pad(row[0][0], 10)+orDash(row[0][1]), pad(row[1][0], 10)+orDash(row[1][1])
		lines = append(lines, "  "+pad(left, 30)+right)
	}
	battery := said["config.battery voltage"]
	if battery != "" {
		battery = "battery " + battery
	}
	nominal := joined(", ",
		said["config.voltage"], said["config.frequency"], said["config.power"], battery)
	if nominal != "" {
		lines = append(lines, "  "+pad("Nominal", 10)+nominal)
	}
	return lines
}

// clock writes a time for people.
func clock(t time.Time) string { return t.Local().Format(time.TimeOnly) }
