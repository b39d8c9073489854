package tripplite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"syscall"
	"time"

	"github.com/tripplite-go/tripplite/internal/frame"
	"github.com/tripplite-go/tripplite/internal/usb"
)

// framed reads a unit of product 0001, by asking one letter after the other. Commands go out as
// feature reports, replies come as input reports.
//
// A unit repeats its previous reply to a letter that it does not know, and when its own serial line
// timed out. So a reply counts only for its own letter, and only if the reply before it had another
// one: an old reply would look like a new one. Nor is a letter asked twice in a row.
type framed struct {
	dev  Device
	path string
	log  *slog.Logger

	variant *variant // nil until the unit has said which
	guessed bool     // the variant is that of a reply which several have
	asking  []asking // by question of the variant
	config  Config   // the nominal readings, which are asked for once
	reads   int
	last    int       // the letter that was asked last, or -1
	heard   int       // the letter of the latest reply, which the unit may repeat, or -1
	asked   time.Time // when a letter was asked last
	unheard int       // how often between had to take another question
	unsent  int       // how many commands in a row could not be sent, and no stall was why
	command [1 + frame.Size]byte
	reply   []byte // the latest, in buffer
	buffer  [maxInput]byte
}

// asking is what became of asking a question since the unit was opened.
type asking struct {
	answer   answer
	refusals int
}

func newFramed(dev Device, path string, log *slog.Logger) *framed {
	return &framed{dev: dev, path: path, log: log, last: -1, heard: -1}
}

// How long a unit may take. The first bytes of a reply come after 80 to 90 ms at best, and after
// 250 ms without them the command has probably been lost (NUT). Replies have been late, too.
const (
	readBudget  = 4 * time.Second // of a whole read
	replyWait   = 600 * time.Millisecond
	replySlice  = 50 * time.Millisecond // after which a wait looks whether it is to end
	maxRefusals = 3                     // reads in which a question that is never answered is named
)

const (
	errSilent answerError = "no reply came"
	errNoTime answerError = "there was no time left to ask"
	errRepeat answerError = "the unit repeats an old reply"
)

// read asks all that is due: the constants when the unit has just been opened, then the status,
// then what changes.
func (f *framed) read(ctx context.Context, want cadence, r *record) error {
	*r = record{state: State{Path: f.path, Config: f.config}}
	f.reads++
	until := time.Now().Add(readBudget)
	if err := f.identify(ctx, until); err != nil {
		return err
	}
	r.state.Config = f.config
	var failed []*ReportError
	for i := range f.variant.questions {
		q, a := &f.variant.questions[i], &f.asking[i]
		if !f.due(q, a, want, r) {
			continue
		}
		data, err := f.ask(ctx, q, until, sendingsOf(q))
		switch {
		case err == nil:
			a.answer = given
			q.decode(data, r)
			f.config = r.state.Config // whatever becomes of the rest: constants are asked for once
			if q.status {
				r.state.Time = f.asked
			}
		case !malformed(err):
			return err
		case q.status:
			return f.failure(q, err)
		case err == errNoTime || !a.refused():
			failed = append(failed, f.failure(q, err))
		}
	}
	judge(r)
	if failed != nil {
		return &PartialError{Reports: failed}
	}
	return nil
}

// due reports whether a question has to be asked. The settings are a part of the status.
func (f *framed) due(q *question, a *asking, want cadence, r *record) bool {
	switch {
	case want == setting:
		return q.status || q.settings
	case q.needs != "":
		if n, _ := fieldOf(q.needs).at(r).number(); n == 0 {
			return false
		}
	case q.when == nominal && a.answer == given:
		return false
	}
	return a.answer != withheld || f.reads%askAgain == 0
}

// refused counts one more refusal of a question that was never answered. It reports whether that is
// no failure of the read.
func (a *asking) refused() bool {
	if a.answer == unasked {
		if a.refusals++; a.refusals == maxRefusals {
			a.answer = withheld
			return false // it is named for the last time
		}
	}
	return a.answer == withheld
}

func (f *framed) failure(q *question, err error) *ReportError {
	return &ReportError{Path: f.path, ID: q.letter, Name: "command " + q.title(), Err: err}
}

// title names a question for people, as in "S, status".
func (q *question) title() string {
	if q.letter == 0 {
		return "00, " + q.name
	}
	return fmt.Sprintf("%c, %s", q.letter, q.name)
}

// sendingsOf returns how often a question is sent while no good reply comes. Constants that fail
// are asked for in the next read, so that they never take the time of the status.
func sendingsOf(q *question) int {
	switch {
	case q.status, q.letter == protocolQuestion.letter:
		return 3
	case q.when == nominal && q.letter != nominalASCII.letter:
		return 1
	}
	return 2
}

// judge settles what no single reply says.
func judge(r *record) {
	s := &r.state
	// In a self-test the inverter runs, so only the input tells whether there is line power. A part
	// of the nominal voltage may be induced.
	_, known := s.Status.ACPresent.Get()
	nominal, _ := s.Config.Voltage.Get()
	if volts, ok := s.Input.Voltage.Get(); ok && !known && s.Status.Discharging.Or(false) &&
		nominal > 0 && volts >= nominal/2 {
		s.Status.ACPresent = ValueOf(true)
	}
	// A 3017 said 0 % through an hour on battery, with its battery ok (NUT #2258).
	if s.RemainingCapacity.Or(1) == 0 && !s.Status.BelowRemainingCapacityLimit.Or(false) {
		s.RemainingCapacity = Value[float64]{}
	}
	for group := s.Config.Outlets.Or(0) + 1; group <= maxOutlets; group++ {
		fieldOf(fmt.Sprintf("outlets.%d", group)).at(r).set(0, false)
	}
}

// identify finds out which variant a unit is, if that is not known yet. A guess is made again now
// and then.
func (f *framed) identify(ctx context.Context, until time.Time) error {
	if f.variant != nil && (!f.guessed || f.reads%askAgain != 0) {
		return nil
	}
	number := BCD(0)
	data, err := f.ask(ctx, &protocolQuestion, until, sendingsOf(&protocolQuestion))
	var r record
	switch {
	case err == nil:
		protocolQuestion.decode(data, &r)
		number = r.state.Config.ProtocolVersion.Or(0)
	case !malformed(err), f.variant != nil:
		return ignoreMalformed(err)
	}
	found := variantOf(number, nil)
	f.guessed = found == nil
	if found == nil {
		// Every variant answers V.
		nominal, nominalErr := f.ask(ctx, &nominalASCII, until, sendingsOf(&nominalASCII))
		switch {
		case nominalErr != nil && !malformed(nominalErr):
			return nominalErr
		case nominalErr != nil && err != nil:
			return f.failure(&protocolQuestion, err)
		}
		found = variantOf(number, nominal)
	}
	if found == nil {
		return &Error{Op: "read", Path: f.path, Err: ErrUnsupported,
			Cause: fmt.Errorf("protocol %s is not known", number)}
	}
	f.log.Debug("identified", "path", f.path, "protocol", number, "read as", found.number)
	if found != f.variant {
		f.variant, f.asking, f.config = found, make([]asking, len(found.questions)), Config{}
	}
	if number != 0 {
		f.config.ProtocolVersion = ValueOf(number)
	}
	return nil
}

func ignoreMalformed(err error) error {
	if malformed(err) {
		return nil
	}
	return err
}

// ask returns the data of a good reply to a question. They are valid until the next call. An
// answerError says that the unit gave none; every other error ends the read.
func (f *framed) ask(
	ctx context.Context, q *question, until time.Time, sendings int,
) (data []byte, err error) {
	for range sendings {
		if f.last == int(q.letter) || f.heard == int(q.letter) {
			_, err := f.exchange(ctx, f.between(q), until)
			switch {
			case err == nil:
			case malformed(err):
				f.unheard++
			default:
				return nil, err
			}
		}
		data, err = f.exchange(ctx, q, until)
		if err == nil || !malformed(err) || err == errNoTime {
			break
		}
	}
	return data, err
}

// between returns a question that is neither q nor the one that was asked or replied to last. Every
// variant answers these three; a unit that leaves one unanswered is asked the next one after that.
func (f *framed) between(q *question) *question {
	others := [...]*question{&nominalASCII, &protocolQuestion, &firmware}
	for {
		other := others[f.unheard%len(others)]
		if l := int(other.letter); l != int(q.letter) && l != f.last && l != f.heard {
			return other
		}
		f.unheard++
	}
}

// exchange asks a question once.
func (f *framed) exchange(ctx context.Context, q *question, until time.Time) ([]byte, error) {
	if !time.Now().Before(until) {
		return nil, errNoTime
	}
	if err := f.drain(); err != nil {
		return nil, err
	}
	if f.heard == int(q.letter) {
		return nil, errRepeat
	}
	if err := f.send(frame.Command(q.letter)); err != nil {
		return nil, err
	}
	if wait := f.asked.Add(replyWait); wait.Before(until) {
		until = wait
	}
	err := error(errSilent)
	for {
		switch received := f.receive(ctx, until); {
		case received == errSilent:
			return nil, err // what was wrong with the last reply, if there was one
		case received != nil:
			return nil, received
		}
		letter, data, parseErr := q.parse(f.reply)
		f.heard = int(letter)
		switch {
		case letter != q.letter: // it is old, or somebody else's
		case parseErr != nil:
			err = answerError(parseErr.Error())
		default:
			if err = q.nonsense(data); err == nil {
				return data, nil
			}
		}
	}
}

// drain empties the queue of input reports.
func (f *framed) drain() error {
	for range maxQueued {
		n, err := f.dev.ReadTimeout(f.buffer[:], 0)
		if err != nil {
			return &lostError{fmt.Errorf("input reports: %w", err)}
		}
		if n <= 0 {
			break
		}
		f.heard = int(f.buffer[0])
	}
	return nil
}

// send sends a command.
func (f *framed) send(command []byte) error {
	clear(f.command[:])
	copy(f.command[1:], command)
	f.last, f.asked = int(command[1]), time.Now()
	_, err := f.dev.SendFeatureReport(f.command[:])
	switch {
	case err == nil:
		f.unsent = 0
		return nil
	case answered(err): // stalled: the unit is there
	case usb.Gone(err), errors.Is(err, syscall.ETIMEDOUT), f.unsent == witnesses:
		return &lostError{fmt.Errorf("sending a command: %w", err)}
	default:
		f.unsent++
	}
	return answerError(fmt.Sprintf("the command could not be sent: %v", err))
}

// receive waits for the next input report. It fails with errSilent when none comes in time.
func (f *framed) receive(ctx context.Context, until time.Time) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		left := min(time.Until(until), replySlice)
		if left <= 0 {
			return errSilent
		}
		n, err := f.dev.ReadTimeout(f.buffer[:], max(1, int(left.Milliseconds())))
		if err != nil {
			return &lostError{fmt.Errorf("input reports: %w", err)}
		}
		if n > 0 {
			f.reply = f.buffer[:min(n, len(f.buffer))]
			if f.log.Enabled(ctx, slog.LevelDebug) {
				f.log.Debug("reply", "path", f.path, "to", fmt.Sprintf("%q", byte(f.last)),
					"after", time.Since(f.asked), "bytes", fmt.Sprintf("% x", f.reply))
			}
			return nil
		}
	}
}

// letters are all that a unit can be asked without being told to do something.
const letters = "\x00VPFUSDBLTMR0123456"

// dump asks each letter once.
func (f *framed) dump(ctx context.Context, d *Dump) error {
	for _, letter := range []byte(letters) {
		any := question{letter: letter, bytes: -1}
		if letter == 0 {
			any.bytes = protocolQuestion.bytes // eight zeros would do otherwise
		}
		_, err := f.ask(ctx, &any, time.Now().Add(2*replyWait), 1)
		if err != nil && !malformed(err) {
			return err
		}
		e := RawExchange{Command: frame.Command(letter), Err: err}
		if err == nil {
			e.Reply = slices.Clone(f.reply)
		}
		d.Exchanges = append(d.Exchanges, e)
	}
	return nil
}
