package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTwoHundredPages measures, for docs/performance.md, what 200 open pages cost in memory. That
// they cost the unit no transfer is a test of internal/serve.
func TestTwoHundredPages(t *testing.T) {
	if os.Getenv("LOAD") == "" {
		t.Skip("this measures for a minute: LOAD=1 go test -run HundredPages -v ./cmd/tripplited")
	}
	daemon, address := launchBuilt(t,
		"[http]\nlisten = [\"127.0.0.1:0\"]\n[nut]\nlisten = []\n", pagesServed)
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
