package virtualups_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/virtualups"
)

func TestFaults(t *testing.T) {
	both := func(a virtualups.Answer) virtualups.Answer {
		return virtualups.WrongID(virtualups.Short(a))
	}
	long := []byte{0x18, 0x94, 0x04, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5}
	for name, test := range map[string]struct {
		fault  virtualups.Fault
		id     byte
		length byte
		want   []byte
		status int32
		takes  time.Duration
	}{
		"stall": {fault: virtualups.Stall, id: 0x18, length: 64, status: epipe},
		"short": {fault: virtualups.Short, id: 0x18, length: 64,
			want: []byte{0x18, 0x94}},
		"short of an empty one": {fault: virtualups.Short, id: 0x66, length: 64},
		"long":                  {fault: virtualups.Long, id: 0x18, length: 64, want: long},
		"long, cut by the host": {fault: virtualups.Long, id: 0x18, length: 3,
			want: []byte{0x18, 0x94, 0x04}},
		"long of an empty one":  {fault: virtualups.Long, id: 0x66, length: 64},
		"long of an absent one": {fault: virtualups.Long, id: 0x99, length: 64, status: epipe},
		"empty":                 {fault: virtualups.Empty, id: 0x18, length: 64},
		"empty, though absent":  {fault: virtualups.Empty, id: 0x99, length: 64},
		"wrong id": {fault: virtualups.WrongID, id: 0x18, length: 64,
			want: []byte{0x98, 0x94, 0x04}},
		"wrong id of no bytes": {fault: virtualups.WrongID, id: 0x66, length: 64},
		"late": {fault: virtualups.Late(time.Minute), id: 0x18, length: 64,
			want: []byte{0x18, 0x94, 0x04}, takes: time.Minute},
		"a test's own": {fault: both, id: 0x18, length: 64, want: []byte{0x98, 0x94}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serveInBubble(t)
				u := s.Add(unit())
				c := attach(t, s, u)
				setup := getFeature(test.id, 0)
				setup[6] = test.length
				healthy := c.control(setup)

				u.Fail(test.fault, test.id)
				start := time.Now()
				r := c.control(setup)
				require.Equal(t, test.takes, time.Since(start))
				require.Equal(t, test.status, r.status)
				require.Equal(t, test.want, r.data)
				other := c.control(getFeature(0x32, 0))
				require.Equal(t, []byte{0x32, 0x62}, other.data, "another report is as before")

				u.Heal(test.id)
				again := c.control(setup)
				require.Equal(t, healthy.data, again.data, "and this one too when it is healed")
				require.Equal(t, healthy.status, again.status)
			})
		})
	}
}

func TestFaultOfEveryReport(t *testing.T) {
	s := serve(t)
	u := s.Add(unit())
	c := attach(t, s, u)
	statuses := func() (got []int32) {
		for _, id := range []byte{0x18, 0x32, 0x66} {
			got = append(got, c.control(getFeature(id, 0)).status)
		}
		return got
	}
	u.Fail(virtualups.Stall)
	require.Equal(t, []int32{epipe, epipe, epipe}, statuses())
	u.Fail(virtualups.Short, 0x18, 0x66)
	require.Equal(t, []int32{ok, epipe, ok}, statuses(), "its own fault goes first")
	u.Heal(0x18)
	require.Equal(t, []int32{epipe, epipe, ok}, statuses())
	u.Heal()
	require.Equal(t, []int32{ok, ok, ok}, statuses())
}

func TestFaultsOfWrites(t *testing.T) {
	write := [8]byte{0x21, 9, 0x18, 3, 0, 0, 3, 0}
	s := serve(t)
	u := s.Add(unit())
	c := attach(t, s, u)

	u.Fail(virtualups.Stall, 0x18)
	require.EqualValues(t, epipe, c.control(write, 0x18, 1, 2).status)
	u.Heal()
	stored := c.control(getFeature(0x18, 0)).data
	require.Equal(t, []byte{0x18, 0x94, 0x04}, stored, "what was refused is not stored")

	u.Fail(virtualups.Long, 0x18)
	r := c.control(write, 0x18, 1, 2)
	require.EqualValues(t, ok, r.status)
	require.EqualValues(t, 3, r.length)
	u.Heal()
	require.Equal(t, []byte{0x18, 1, 2}, c.control(getFeature(0x18, 0)).data)
	require.Len(t, u.Counts().Writes, 2)
}

func TestFaultMayHealItself(t *testing.T) {
	s := serve(t)
	u := s.Add(unit())
	c := attach(t, s, u)
	failures := 2
	u.Fail(func(a virtualups.Answer) virtualups.Answer {
		if failures--; failures < 0 {
			return a
		}
		return virtualups.Stall(a)
	}, 0x18)
	for _, want := range []int32{epipe, epipe, ok} {
		require.Equal(t, want, c.control(getFeature(0x18, 0)).status)
	}
}
