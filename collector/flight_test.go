package collector

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
)

func TestAReadThatLandsAtTheLastMomentIsShown(t *testing.T) {
	landed := make(chan struct{})
	close(landed)
	s := shared{flight: &flight{landed: landed, units: []tripplite.Reading{{}}}}
	ctx, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	for range 100 { // a choice between the two would be made at random
		units, err := s.get(ctx)
		require.NoError(t, err)
		require.Len(t, units, 1)
	}
}
