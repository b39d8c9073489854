package nut

import (
	"crypto/rand"
	"fmt"
	"time"
)

// tracking remembers what became of commands whose clients want to know.
type tracking struct {
	results map[string]tracked
	order   []string // the oldest first
}

type tracked struct {
	text string // as GET TRACKING answers
	at   time.Time
}

// How long and how many results are kept.
const (
	trackedFor = time.Hour
	maxTracked = 1000
)

// begin makes an id.
func (t *tracking) begin(now time.Time) string {
	if t.results == nil {
		t.results = map[string]tracked{}
	}
	for len(t.order) > 0 {
		if len(t.order) < maxTracked && now.Sub(t.results[t.order[0]].at) <= trackedFor {
			break
		}
		delete(t.results, t.order[0])
		t.order = t.order[1:]
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // which does not fail
	id := fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	t.results[id] = tracked{"PENDING", now}
	t.order = append(t.order, id)
	return id
}

func (t *tracking) end(id, text string) {
	if r, ok := t.results[id]; ok {
		r.text = text
		t.results[id] = r
	}
}

func (t *tracking) result(id string, now time.Time) string {
	r, ok := t.results[id]
	if !ok || now.Sub(r.at) > trackedFor {
		return "ERR UNKNOWN"
	}
	return r.text
}
