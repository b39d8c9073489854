package main

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/guard"
	"github.com/tripplite-go/tripplite/internal/logind/logindtest"
	"github.com/tripplite-go/tripplite/internal/program"
)

// A unit that nobody named is found all the same.
func TestWhatDoesNotFitIsInTheLogTheStatusAndThePlan(t *testing.T) {
	logindtest.Bus(t)
	(&logindtest.Fake{Can: "challenge", List: []logindtest.Inhibitor{
		{What: "shutdown", Who: "dpkg", Why: "an upgrade", Mode: "block"},
	}}).Serve(t, 600_000_000)
	dir := t.TempDir()
	file := program.Write(t, dir, "tripplited.toml",
		fmt.Sprintf("state_directory = %q\nhttp.listen = []\nnut.listen = []\n[guard]\n", dir))
	ctx, cancel := context.WithCancel(t.Context())
	log, ended := program.NewOutput(), make(chan int, 1)
	go func() {
		defer log.End()
		ended <- run(ctx, []string{"--replay=avr900u", "--config", file}, io.Discard, log)
	}()
	wants := []string{
		"logind says .{1,2}challenge", "dpkg blocks a power off now: an upgrade",
		"the computer may take 11m30s to go down",
	}
	for _, want := range wants {
		log.Await(t, `level=WARN .*guard: .*`+want)
	}
	log.Await(t, `level=WARN .*ups-avr900u: as it is now, this UPS would not cut its load: .*stay off`)
	for kept := (guard.Kept{}); len(kept.Status.Warnings) == 0; {
		require.NoError(t, t.Context().Err())
		kept, _ = guard.ReadFile(dir + "/" + guardFile) // which is there once there is something to keep
	}
	for _, want := range wants {
		require.Regexp(t, "WARNING: .*"+want, runs(t, file, "guard", "status"))
		require.Regexp(t, "WARNING: .*"+want, runs(t, file, "--replay=avr900u", "guard", "plan"))
	}
	require.Regexp(t, "WARNING: ups-avr900u: .*stay off", runs(t, file, "guard", "status"))
	cancel()
	require.Zero(t, <-ended)
}
