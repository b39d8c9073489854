package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tripplite-go/tripplite/internal/wholefile"
)

// clock tells the time by which outages are kept: one that a restart of the program does not stop.
type clock interface {
	// now returns which boot of the computer this is and the time since then. Without a boot nothing
	// is gone on with.
	now() (boot string, since time.Duration)
}

type systemClock struct{}

// record is what a Guard keeps in its file.
type record struct {
	Boot    string        `json:"boot"`
	Clock   time.Duration `json:"clock"` // since the boot, when it was written
	Written time.Time     `json:"written"`
	Status  Status        `json:"status"`
	Outages []keptOutage  `json:"outages,omitempty"`
	Warned  time.Duration `json:"warned,omitempty"` // since when there is a Warning
	// Last is what was done the last time that the computer went down.
	Last *Status `json:"last,omitempty"`
}

// keptOutage is an Outage by the time since the boot.
type keptOutage struct {
	Path  string        `json:"path"`
	Since time.Duration `json:"since"`
	Seen  time.Duration `json:"seen"`
}

// oldest is how old what was kept may be to be gone on with. After a longer time without the
// program line power may have come and gone.
const oldest = 15 * time.Minute

// Kept is what the file of a Guard says.
type Kept struct {
	Written time.Time // zero if it was never written
	Status  Status
	Last    *Status // of the last time that the computer went down
}

// ReadFile reads the file of a Guard, be it of another program's.
func ReadFile(file string) (Kept, error) {
	r, err := readRecord(file)
	return Kept{r.Written, r.Status, r.Last}, err
}

func readRecord(file string) (r record, err error) {
	text, err := os.ReadFile(file)
	if err == nil {
		if err = json.Unmarshal(text, &r); err != nil {
			return record{}, fmt.Errorf("%s: %w", file, err)
		}
	}
	return r, err
}

// resume goes on with what an earlier run of the program has kept in this boot.
func (g *Guard) resume(now time.Time) {
	if g.config.File == "" {
		return
	}
	left, _ := filepath.Glob(g.config.File + ".*") // by a program that was killed as it wrote
	for _, file := range left {
		os.Remove(file)
	}
	r, err := readRecord(g.config.File)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			g.log.Error("what was kept cannot be read: the time without line power begins anew", "err", err)
		}
		return
	}
	g.file.Last = r.Last
	boot, since := g.clock.now()
	if boot == "" || boot != r.Boot || since < r.Clock || since-r.Clock > oldest {
		g.last(r.Status)
		return
	}
	at := func(t time.Duration) time.Time { return now.Add(t - since) }
	for _, o := range r.Outages {
		g.log.Warn("going on with a power failure",
			"path", o.Path, "since", at(o.Since).Round(time.Second))
		g.config.Policy.Resume(Outage{Path: o.Path, Since: at(o.Since), Seen: at(o.Seen)})
	}
	if r.Warned > 0 && r.Warned <= since && r.Status.Armed == g.config.Armed {
		g.warned = at(r.Warned)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.Status.Phase == Acting && r.Status.Armed && g.config.Armed &&
		sameSteps(r.Status.Steps, g.status.Steps) {
		r.Status.Warnings = g.status.Warnings
		g.status = r.Status
		g.status.Cuts = g.status.Cuts || g.mayCut(g.status.Steps)
		g.status.Decision.Act = false // nobody has looked yet
		for i := range g.status.Decision.Units {
			g.status.Decision.Units[i].Known = false
		}
		g.log.Warn("going on with taking the computer down", "why", r.Status.Why)
		return
	}
	g.last(r.Status) // somebody kept the computer up: a limit that is still reached begins anew
}

// last notes what an earlier run did, if it took the computer down.
func (g *Guard) last(s Status) {
	if s.Armed && (s.Phase == Acting || s.Phase == Done) {
		g.file.Last = &s
	}
}

// mayCut reports whether a step that cuts the load was interrupted: a UPS may have been told.
func (g *Guard) mayCut(steps []StepStatus) bool {
	for i, s := range steps {
		if g.config.Steps[i].cuts && s.Began != nil && s.Ended == nil {
			return true
		}
	}
	return false
}

// sameSteps reports whether the steps are still those that were begun.
func sameSteps(was, is []StepStatus) bool {
	if len(was) != len(is) {
		return false
	}
	for i := range was {
		if was[i].Name != is[i].Name {
			return false
		}
	}
	return true
}

// upcoming returns the number of the step with which to go on: the first that was not begun. The
// last one is done again if it was interrupted, since nothing comes after it.
func upcoming(steps []StepStatus) int {
	n := 0
	for n < len(steps) && steps[n].Began != nil {
		n++
	}
	if n > 0 && n == len(steps) && steps[n-1].Ended == nil {
		return n - 1
	}
	return n
}

// keep writes what has to outlive this program. A disk that fails stops nothing.
func (g *Guard) keep(now time.Time) {
	if g.config.File == "" {
		return
	}
	g.written = now
	g.mu.Lock()
	g.unkept = false
	g.mu.Unlock()
	r := record{Written: now, Status: g.Status(), Last: g.file.Last}
	r.Boot, r.Clock = g.clock.now()
	at := func(t time.Time) time.Duration { return r.Clock - now.Sub(t) }
	for _, o := range g.config.Policy.Outages() {
		r.Outages = append(r.Outages, keptOutage{o.Path, at(o.Since), at(o.Seen)})
	}
	if !g.warned.IsZero() {
		r.Warned = at(g.warned)
	}
	err := g.write(r)
	if text := fmt.Sprint(err); err != nil && text != g.failed {
		g.log.Error("what is known cannot be kept: a restart would begin anew", "err", err)
	}
	g.failed = fmt.Sprint(err)
}

// saveTimeout is how long a write of the file is waited for.
const saveTimeout = 2 * time.Second

var errHangs = errors.New("the disk hangs")

// write writes the file, and leaves a write that hangs behind.
func (g *Guard) write(r record) error {
	if g.saving != nil {
		select {
		case <-g.saving:
			g.saving = nil
		default:
			return errHangs
		}
	}
	saved := make(chan error, 1)
	go func() { saved <- g.save(g.config.File, r) }()
	select {
	case err := <-saved:
		return err
	case <-time.After(saveTimeout):
		g.saving = saved
		return errHangs
	}
}

// writeFile writes a value as JSON.
func writeFile(file string, v any) error {
	text, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return err
	}
	return wholefile.Write(file, append(text, '\n'))
}
