package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/program"
)

// numatsMemory is what numat's exporter has resident with one unit.
const numatsMemory = 23.7e6

// The program with eight units stays below numat's with one, and a thousand scrapes take no more
// than a hundred.
func TestMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("resident memory is measured in another way here")
	}
	binary := filepath.Join(t.TempDir(), "tripplite-exporter")
	built, err := exec.Command(program.Find(t, "go"), "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", built)
	args := slices.Repeat([]string{"--replay=smart1500lcd"}, 8)
	exporter := exec.Command(binary, append(args, "--web.listen-address=127.0.0.1:0")...)
	log := launch(t, exporter)
	url := "http://" + log.Await(t, listening)[1] + "/metrics"
	resident := map[int]float64{}
	for scrape := range 1000 {
		_, text := get(t, url)
		require.Len(t, having("tripplite_up", text), 8)
		samples := having("process_resident_memory_bytes", text)
		require.Len(t, samples, 1)
		var bytes float64
		_, err := fmt.Sscanf(samples[0], "process_resident_memory_bytes %g", &bytes)
		require.NoError(t, err)
		resident[scrape+1] = bytes
	}
	t.Logf("resident after 1, 100 and 1000 scrapes: %.1f, %.1f, %.1f MB",
		resident[1]/1e6, resident[100]/1e6, resident[1000]/1e6)
	require.Less(t, resident[1000], numatsMemory)
	require.Less(t, resident[1000], resident[100]*1.05, "it must not grow with the scrapes")
}
