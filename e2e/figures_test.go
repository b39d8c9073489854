//go:build e2e && linux

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
)

// The benchmarks here measure, and print what docs/performance.md says. Run them alone, on a machine that does nothing else:
//
//	E2E_READERS=1 e2e/run -test.run '^$' -test.bench . -test.benchtime 1x

// realTransfer is about what a control transfer takes on a low speed unit.
const realTransfer = 2 * time.Millisecond

func BenchmarkGetByModel(t *testing.B) {
	for _, name := range capture.Names() {
		u := attachOne(t, name)
		b := u.openIn(t)
		start := time.Now()
		_, err := b.Get(context.Background())
		first := time.Since(start)
		if err != nil {
			require.ErrorAs(t, err, new(*tripplite.PartialError), name)
		}
		opening := u.Counts().Transfers()
		u.ResetCounts()
		took := median(func() { _, _ = b.Get(context.Background()) })
		transfers := u.Counts().Transfers() / medianOf
		u.SetLatency(realTransfer)
		slow := median(func() { _, _ = b.Get(context.Background()) })
		t.Logf("%-18s first Get %2d transfers %4d ms; later %2d transfers %3d ms, and %3d ms with %v for each transfer", name,
			opening, first.Milliseconds(), transfers, took.Milliseconds(), slow.Milliseconds(), realTransfer)
		require.NoError(t, b.Close())
		unplug(t, []*unit{u})
	}
}

// BenchmarkStart compares the tool with a minimal Python program that makes the Python project's ten reads, in turn, so that
// the machine's moods meet both.
func BenchmarkStart(t *testing.B) {
	modules, err := filepath.Glob("/usr/lib/python3/dist-packages/hid*.so")
	require.NoError(t, err)
	needReaders(t, append(modules, "/usr/bin/python3")...)
	attachOne(t, "smart1500lcd")
	var ours, theirs []time.Duration
	for range 10 {
		ours = append(ours, untilJSON(t, "tripplite"))
		theirs = append(theirs, untilJSON(t, "/usr/bin/python3", "-c", python))
	}
	var ratios []float64
	for i := range ours[1:] { // the first of each reads its files
		ratios = append(ratios, float64(theirs[i+1])/float64(ours[i+1]))
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	slices.Sort(ratios)
	t.Logf("from start to JSON, median of %d pairs: tool %v, Python %v, ratio %.1f (%.1f to %.1f)", len(ratios),
		ours[5].Round(time.Millisecond), theirs[5].Round(time.Millisecond), ratios[4], ratios[0], ratios[len(ratios)-1])
}

// BenchmarkStartBesideAnother measures the tool while another program has the unit open: the kernel makes
// only the first one wait.
func BenchmarkStartBesideAnother(t *testing.B) {
	u := attachOne(t, "smart1500lcd")
	startHolder(t, u.path)
	t.Logf("from start to JSON beside another program: median %v", median(func() { untilJSON(t, "tripplite") }))
}

// untilJSON is the time from the start of a program until the JSON that it prints is whole. Then it is waited for, and so is udev, which
// has work whenever a program takes the unit from the kernel or hands it back.
func untilJSON(t testing.TB, name string, args ...string) time.Duration {
	t.Helper()
	command := exec.Command(name, args...)
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	start := time.Now()
	require.NoError(t, command.Start())
	var object map[string]any
	require.NoError(t, json.NewDecoder(output).Decode(&object))
	took := time.Since(start)
	require.NoError(t, command.Wait())
	require.NotEmpty(t, object["health"])
	udevadm(t, "settle")
	return took
}

func BenchmarkPollEverySecond(t *testing.B) {
	u := attachOne(t, "smart1500lcd")
	b := u.open()
	requireGood(t, b)
	const reads = 300
	before := cpu(t)
	for range reads {
		_, err := b.Get(context.Background())
		require.NoError(t, err)
	}
	each := (cpu(t) - before) / reads
	t.Logf("CPU time of a Get, virtual UPS included: %v; of a poll every second for a day: %v", each.Round(time.Microsecond), (each * 86400).Round(time.Second))
	rss := residentMemory(t, "self")
	t.Logf("resident memory of this test program: %s", rss)
}

func BenchmarkMemoryOfAProgram(t *testing.B) {
	u := attachOne(t, "smart1500lcd")
	holder := exec.Command("/proc/self/exe")
	holder.Env = append(os.Environ(), holdEnv+"="+u.path)
	output, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	t.Cleanup(func() {
		assert.NoError(t, holder.Process.Kill())
		_ = holder.Wait()
	})
	line := make([]byte, 64)
	_, err = output.Read(line)
	require.NoError(t, err)
	t.Logf("resident memory of a program that holds one unit open: %s", residentMemory(t, strconv.Itoa(holder.Process.Pid)))
}

func cpu(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// residentMemory is VmRSS of proc(5).
func residentMemory(t testing.TB, process string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", process, "status"))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatal("no VmRSS")
	return ""
}
