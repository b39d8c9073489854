package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/program"
)

// TestTwoHundredPages measures, for docs/performance.md, what 200 open pages cost in memory. That
// they cost the unit no transfer is a test of internal/serve.
func TestTwoHundredPages(t *testing.T) {
	if os.Getenv("LOAD") == "" {
		t.Skip("this measures for a minute: LOAD=1 go test -run HundredPages -v ./cmd/tripplited")
	}
	binary := filepath.Join(t.TempDir(), "tripplited")
	built, err := exec.Command(program.Find(t, "go"), "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", built)
	config := program.Write(t, t.TempDir(), "tripplited.toml",
		"[http]\nlisten = [\"127.0.0.1:0\"]\n[nut]\nlisten = []\n")
	daemon := exec.Command(binary, "--config", config, "--replay", "smart1500lcd")
	log := program.NewOutput()
	daemon.Stderr = log
	require.NoError(t, daemon.Start())
	defer func() {
		_ = daemon.Process.Signal(os.Interrupt)
		require.NoError(t, daemon.Wait())
	}()
	address := log.Await(t, pagesServed)[1]
	log.Await(t, ready)
	resident := func() float64 {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", daemon.Process.Pid))
		require.NoError(t, err)
		kb := 0
		found := regexp.MustCompile(`VmRSS:\s+(\d+)`).FindSubmatch(text)
		require.NotNil(t, found)
		_, err = fmt.Sscan(string(found[1]), &kb)
		require.NoError(t, err)
		return float64(kb) * 1024 / 1e6
	}
	time.Sleep(10 * time.Second)
	before := resident()
	var mu sync.Mutex
	events := 0
	for range 200 {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		_, err = fmt.Fprintf(conn, "GET /api/v1/stream HTTP/1.1\r\nHost: %s\r\n\r\n", address)
		require.NoError(t, err)
		go func() {
			in := bufio.NewScanner(conn)
			for in.Scan() {
				if strings.HasPrefix(in.Text(), "event: unit") {
					mu.Lock()
					events++
					mu.Unlock()
				}
			}
		}()
	}
	most := 0.0
	for range 50 {
		time.Sleep(time.Second)
		most = max(most, resident())
	}
	mu.Lock()
	defer mu.Unlock()
	t.Logf("resident %.1f MB without a page and at most %.1f MB with 200; %d events",
		before, most, events)
	require.Greater(t, events, 200*20, "all are told what is new")
	require.Less(t, most-before, 40.0)
}
