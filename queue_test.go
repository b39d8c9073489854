package tripplite

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadingsAndSettingsTakeTurnsHoweverManyWait(t *testing.T) {
	var q queue
	q.init()
	var order []cadence
	for range 4 {
		q.join(live)
		q.join(setting)
		_, want, read := q.next(nil)
		require.True(t, read)
		order = append(order, want)
		q.deliver(&record{}, nil)
	}
	assert.Equal(t, []cadence{setting, live, setting, live}, order)
}

func TestNothingIsReadForACallerThatLeftBefore(t *testing.T) {
	for _, want := range []cadence{live, setting} {
		var q queue
		q.init()
		assert.False(t, q.leave(q.join(want)))
		_, _, read := q.next(nil)
		assert.False(t, read)
	}
}

func TestACallerThatLeavesEndsNoReadingButItsOwn(t *testing.T) {
	var q queue
	q.init()
	ended := 0
	w := q.join(live)
	_, _, read := q.next(func() { ended++ })
	require.True(t, read)
	q.deliver(&record{}, nil)
	<-w.done

	q.idle.New = func() any { return w } // it waits again, for another caller
	require.Same(t, w, q.join(live))
	assert.False(t, q.leave(w))
	assert.Zero(t, ended, "its first reading had ended")

	q.join(live)
	_, _, read = q.next(func() { ended++ })
	require.True(t, read)
	assert.False(t, q.leave(w))
	assert.Equal(t, 1, ended)
}

func TestJobsAreDoneInTurn(t *testing.T) {
	var q queue
	q.init()
	first, second := &job{}, &job{}
	q.add(first)
	q.add(second)
	q.join(live)
	for _, want := range []*job{first, second, nil} {
		j, _, read := q.next(nil)
		assert.Same(t, want, j)
		assert.Equal(t, want == nil, read, "a reading comes after them")
	}
}
