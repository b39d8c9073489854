package tripplite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite/internal/frame"
)

// framedCommand is one row of the table of commands of product 0001.
type framedCommand struct {
	name       string
	letters    string // of the commands that are sent; the last one decides
	after, off Times
	cuts       bool
	text       string
}

// framedCommands has every command of product 0001, but for those of single outlets. The sources
// are the maker's "Communication Protocol 3003" and NUT's driver; docs/commands.md names them.
var framedCommands = []framedCommand{
	{name: TestQuick, letters: "A",
		text: "Runs the load on battery for ten seconds. It drops if the battery is bad."},
	{name: LoadOff, letters: "NK", after: cutTimer, cuts: true,
		text: "Opens the main relay after the time: the load goes off until load.on."},
	{name: LoadOn, letters: "NK", after: timer,
		text: "Closes the main relay after the time: the load goes on."},
	{name: ShutdownReturn, letters: "NG", after: cutTimer, cuts: true,
		text: "Switches the load off after the time. It comes back with line power."},
	{name: ShutdownReboot, letters: "Q", cuts: true,
		text: "Switches the load off for ten seconds, on line power too."},
	{name: ShutdownStop, letters: "C", text: "Cancels a shutdown that is under way."},
	{name: Watchdog, letters: "W", cuts: true,
		after: Times{Least: 15 * time.Second, Most: 0xff * time.Second},
		text:  "Power-cycles the load unless it is given again before the time is over."},
	{name: WatchdogStop, letters: "W", text: "Stops the watchdog."},
	{name: ResetMinMax, letters: "Z", text: "Forgets the lowest and highest input voltage."},
	{name: SetUnitID, letters: "J",
		text: "Sets the number of the unit, 1 to 65534, which it keeps without power."},
}

// outletCommand returns the row of a command for one group of outlets, and its number.
func outletCommand(name string) (row framedCommand, outlet int, found bool) {
	for _, end := range []string{LoadOff, LoadOn} {
		if n, err := fmt.Sscanf(name, "outlet.%d."+end, &outlet); n == 1 && err == nil &&
			name == fmt.Sprintf("outlet.%d.%s", outlet, end) {
			row := framedCommand{name: name, letters: "NK", after: cutTimer, cuts: true,
				text: fmt.Sprintf("Switches outlet group %d off after the time.", outlet)}
			if end == LoadOn {
				row.after, row.cuts = timer, false
				row.text = fmt.Sprintf("Switches outlet group %d on after the time.", outlet)
			}
			return row, outlet, true
		}
	}
	return framedCommand{}, 0, false
}

// rows returns the commands that a unit takes.
func (f *framed) rows(r *record) []framedCommand {
	var rows []framedCommand
	outlets := int(r.state.Config.Outlets.Or(0))
	takes := func(row framedCommand) bool {
		return strings.Trim(row.letters, f.variant.controls) == "" &&
			(outlets > 0 || !strings.Contains(row.letters, "K"))
	}
	for _, row := range framedCommands {
		if takes(row) {
			rows = append(rows, row)
		}
	}
	for outlet := 1; outlet <= outlets; outlet++ {
		for _, end := range []string{LoadOff, LoadOn} {
			if row, _, _ := outletCommand(fmt.Sprintf("outlet.%d.%s", outlet, end)); takes(row) {
				rows = append(rows, row)
			}
		}
	}
	return rows
}

func (f *framed) commands(r *record) []CommandInfo {
	var list []CommandInfo
	ac, acKnown := r.state.Status.ACPresent.Get()
	restarts, restartKnown := r.settings.AutoRestart.Get()
	for _, row := range f.rows(r) {
		info := CommandInfo{
			Name: row.name, Text: row.text, After: row.after, For: row.off, CutsLoad: row.cuts}
		switch {
		case row.name == TestQuick:
			info.CutsLoad = r.state.Status.NeedReplacement.Or(false) || !ac
		case row.name != ShutdownReturn:
		case acKnown && ac:
			info.Refused = errors.New("the unit does it only on battery, and there is line power")
		case !acKnown:
			info.Refused = errors.New(
				"the unit does it only on battery, and does not say whether there is line power")
		case restartKnown && !restarts:
			info.Refused = errors.New("the unit is set not to restart: the load would stay off")
		case !restartKnown:
			info.Text += " That takes its restart flag, which this unit does not say."
		}
		list = append(list, info)
	}
	return list
}

func (f *framed) lacks(command string) (err, cause error) {
	named := func(row framedCommand) bool { return row.name == command }
	_, _, outlet := outletCommand(command)
	if !outlet && !slices.ContainsFunc(framedCommands, named) {
		return ErrRefused, fmt.Errorf("no unit of product 0001 has a command %q", command)
	}
	if outlet || command == LoadOff || command == LoadOn {
		return ErrUnsupported, fmt.Errorf(
			"the unit, of protocol %s, has no such outlets to switch", f.variant.number)
	}
	i := slices.IndexFunc(framedCommands, named)
	return ErrUnsupported, fmt.Errorf("units of protocol %s are not known to take the command %c",
		f.variant.number, framedCommands[i].letters[len(framedCommands[i].letters)-1])
}

// noReply is longer than the unit needs to accept a command.
const noReply = time.Second

// preDelay is the pause behind the command N, as NUT makes it.
const preDelay = 2 * time.Second

func (f *framed) prepare(c Command, r *record) ([]step, error) {
	row, outlet, found := outletCommand(c.Name)
	if !found {
		row = framedCommands[slices.IndexFunc(framedCommands,
			func(row framedCommand) bool { return row.name == c.Name })]
	}
	seconds := uint16(c.After / time.Second)
	add := func(steps []step, letter byte, name string, data ...byte) []step {
		return append(steps, step{Write: Write{letter, name, frame.Command(letter, data...)}})
	}
	var steps []step
	switch row.letters {
	case "NK":
		on := byte(0)
		if strings.HasSuffix(c.Name, LoadOn) {
			on = 1
		}
		steps = add(steps, 'N', "delay", byte(seconds>>8), byte(seconds))
		if f.variant.binary {
			steps = add(steps, 'K', "relay", byte(outlet), on)
		} else {
			steps = add(steps, 'K', "relay", '0'+byte(outlet), '0'+on)
		}
	case "NG":
		steps = add(steps, 'N', "delay", byte(seconds>>8), byte(seconds))
		steps = add(steps, 'G', "shutdown")
		steps[1].space = preDelay
	case "W":
		steps = add(steps, 'W', "watchdog", byte(seconds))
	case "J":
		if c.Value != float64(uint16(c.Value)) || c.Value < 1 || c.Value > 0xfffe {
			return nil, &Error{Op: "do " + c.Name, Path: f.path, Err: ErrRefused,
				Cause: fmt.Errorf("it is a number of 1 to 65534, and not %v", c.Value)}
		}
		id := uint16(c.Value)
		steps = add(steps, 'J', "unit id", byte(id>>8), byte(id))
		steps[0].shows = f.shows(&unitID, func(r *record) bool {
			return r.state.Config.UnitID.Or(0) == id
		})
	case "A":
		steps = add(steps, 'A', "self-test")
		i := slices.IndexFunc(f.variant.questions, func(q question) bool { return q.status })
		before := r.settings.Test
		steps[0].shows = f.shows(&f.variant.questions[i], func(r *record) bool {
			return r.settings.Test == ValueOf(TestInProgress) || r.settings.Test != before
		})
	default:
		steps = add(steps, row.letters[0], c.Name)
	}
	return steps, nil
}

// shows returns a check that asks a question and looks at what the reply says.
func (f *framed) shows(q *question, acts func(*record) bool) func() (bool, error) {
	return func() (bool, error) {
		data, err := f.ask(context.Background(), q, time.Now().Add(readBudget), sendingsOf(q))
		if err != nil {
			return false, err
		}
		var r record
		q.decode(data, &r)
		if q.when == nominal {
			f.config.UnitID = r.state.Config.UnitID
		}
		return acts(&r), nil
	}
}

// write sends a control. It is never sent again: without a reply it may have been carried out.
func (f *framed) write(s step) error {
	if err := f.drain(); err != nil {
		return err
	}
	switch err := f.send(s.Bytes); {
	case err != nil && f.unsent > 0:
		return errors.New(err.Error()) // it may have been sent all the same
	case err != nil:
		return err
	}
	length := len(s.Bytes) - len(frame.Command(s.ID))
	if s.ID != 'W' { // which has its byte in the reply
		length = 0
	}
	until := f.asked.Add(noReply)
	for {
		switch err := f.receive(context.Background(), until); {
		case err == errSilent:
			return errors.New("no reply came")
		case err != nil:
			return err
		}
		letter, _, err := frame.ParseReply(f.reply, length)
		f.heard = int(letter)
		if err == nil && letter == s.ID {
			return nil
		}
	}
}
