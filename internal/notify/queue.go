package notify

import (
	"slices"
	"time"

	"github.com/tripplite-go/tripplite/internal/events"
)

// maxQueue is how many events wait for a target. A day of power that comes and goes every half an
// hour fits in.
const maxQueue = 100

// item is an event that waits to be sent.
type item struct {
	id     uint64
	event  events.Event
	queued time.Time
	tries  int
	// refused is how often it was tried in vain although the service was there
	refused int
}

// queue holds what waits, the oldest first.
type queue struct {
	items []item
	next  uint64
}

// put adds an event. If there is no room it returns the one that had to go: the oldest that a later
// one has taken back, or else the oldest. The one that is being sent, by its id, stays.
func (q *queue) put(it item, sending uint64) (gone *item) {
	q.next++
	it.id = q.next
	q.items = append(q.items, it)
	if len(q.items) <= maxQueue {
		return nil
	}
	at := slices.IndexFunc(q.items, func(it item) bool { return it.id != sending && q.outdated(it) })
	if at < 0 {
		at = slices.IndexFunc(q.items, func(it item) bool { return it.id != sending })
	}
	gone = &q.items[at]
	copied := *gone
	q.items = slices.Delete(q.items, at, at+1)
	return &copied
}

// outdated reports whether a later event of the same unit is about the same.
func (q *queue) outdated(it item) bool {
	return slices.ContainsFunc(q.items, func(later item) bool {
		return later.id > it.id && subject(later.event) == subject(it.event)
	})
}

// about is what events follow each other on.
type about struct{ path, name, what string }

func subject(e events.Event) about { return about{e.Path, e.Name, words[e.Kind].about} }

func (q *queue) find(id uint64) *item {
	if at := slices.IndexFunc(q.items, func(it item) bool { return it.id == id }); at >= 0 {
		return &q.items[at]
	}
	return nil
}

func (q *queue) remove(id uint64) {
	q.items = slices.DeleteFunc(q.items, func(it item) bool { return it.id == id })
}

// untried returns the oldest event that has not been tried.
func (q *queue) untried() *item {
	if at := slices.IndexFunc(q.items, func(it item) bool { return it.tries == 0 }); at >= 0 {
		return &q.items[at]
	}
	return nil
}
