package notify

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tripplite-go/tripplite/internal/events"
	"github.com/tripplite-go/tripplite/internal/wholefile"
)

// spool keeps in a file what a target has not sent, so that it survives a restart. Commands have
// none: what a script does is for its time.
type spool struct {
	file string
	log  *slog.Logger
	wake chan struct{} // has an element when there is something to write
	done chan struct{} // closed with the last change
}

// spooled is what a file holds.
type spooled struct {
	Version int       `json:"version"`
	Waiting []waiting `json:"waiting"`
}

// waiting is an item without its State, which no service is sent.
type waiting struct {
	Time   time.Time   `json:"time"`
	Path   string      `json:"path,omitempty"`
	Name   string      `json:"name,omitempty"`
	Kind   events.Kind `json:"kind"`
	Text   string      `json:"text"`
	Queued time.Time   `json:"queued"`
	Tries  int         `json:"tries,omitempty"`
}

const (
	spoolVersion = 1
	maxSpool     = 1 << 20 // bytes
)

// attach gives each target that tries again its file, and the events that wait in it.
func attach(targets []*target, dir string) {
	names := map[string]int{}
	for _, t := range targets {
		if !t.retry {
			continue
		}
		// By what it sends to, so that a table which is moved keeps its events. The digest is too short
		// to tell a URL.
		digest := sha256.Sum256([]byte(t.config.URLFile + "\n" + t.config.URL))
		name := fmt.Sprintf("notify-%x", digest[:4])
		names[name]++
		if n := names[name]; n > 1 {
			name = fmt.Sprintf("%s-%d", name, n)
		}
		t.spool = &spool{
			file: filepath.Join(dir, name+".json"), log: t.log,
			wake: make(chan struct{}, 1), done: make(chan struct{}),
		}
		for _, it := range t.spool.load() {
			t.queue.put(it, 0)
		}
	}
}

// load reads the file. One that is broken is put aside.
func (s *spool) load() []item {
	items, err := read(s.file)
	switch {
	case err == nil:
		return items
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	aside := s.file + ".broken"
	if moved := os.Rename(s.file, aside); moved != nil {
		err = errors.Join(err, moved)
	}
	s.log.Error("events that wait to be sent cannot be read", "file", aside, "error", err)
	return nil
}

func read(file string) ([]item, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSpool+1))
	if err != nil {
		return nil, err
	}
	return parse(text)
}

// parse reads what encode writes, and nothing else.
func parse(text []byte) ([]item, error) {
	if len(text) > maxSpool {
		return nil, errors.New("too long")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var held spooled
	if err := decoder.Decode(&held); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("something follows")
	}
	if held.Version != spoolVersion {
		return nil, fmt.Errorf("version %d", held.Version)
	}
	if len(held.Waiting) > maxQueue {
		return nil, fmt.Errorf("%d events", len(held.Waiting))
	}
	items := make([]item, 0, len(held.Waiting))
	for _, w := range held.Waiting {
		if !slices.Contains(events.Kinds(), w.Kind) || w.Time.IsZero() || w.Queued.IsZero() ||
			w.Tries < 0 {
			return nil, fmt.Errorf("no event: %q at %v", w.Kind, w.Time)
		}
		items = append(items, item{
			event:  events.Event{Time: w.Time, Path: w.Path, Name: w.Name, Kind: w.Kind, Text: w.Text},
			queued: w.Queued, tries: w.Tries,
		})
	}
	return items, nil
}

func encode(items []item) ([]byte, error) {
	held := spooled{Version: spoolVersion, Waiting: []waiting{}}
	for _, it := range items {
		e := it.event
		held.Waiting = append(held.Waiting,
			waiting{e.Time, e.Path, e.Name, e.Kind, e.Text, it.queued, it.tries})
	}
	return json.Marshal(held)
}

func (s *spool) changed() { wake(s.wake) }
func (s *spool) end()     { close(s.done) }

// run writes what waits whenever that has changed, beside the worker: a send may take long, and the
// computer may lose its power meanwhile.
func (s *spool) run(t *target) {
	var failed string
	for end := false; !end; {
		select {
		case <-s.wake:
		case <-s.done:
			end = true
		}
		err := s.save(t.waiting())
		if err != nil && err.Error() != failed {
			s.log.Error("events that wait to be sent cannot be kept", "error", err)
		}
		failed = ""
		if err != nil {
			failed = err.Error()
		}
	}
}

// save writes the file, or removes it if nothing waits. The file is always whole.
func (s *spool) save(items []item) error {
	if len(items) == 0 {
		if err := os.Remove(s.file); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := encode(items)
	if err != nil {
		return err
	}
	return wholefile.Write(s.file, text)
}
