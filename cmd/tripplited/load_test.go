package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/program"
)

// launchBuilt builds the daemon, without the tests in it, and runs it with a configuration until the
// test ends. It returns the address that the log has where it says what is served.
func launchBuilt(t *testing.T, config, served string) (daemon *exec.Cmd, address string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "tripplited")
	built, err := exec.Command(program.Find(t, "go"), "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", built)
	file := program.Write(t, t.TempDir(), "tripplited.toml", config)
	daemon = exec.Command(binary, "--config", file, "--replay", "smart1500lcd")
	log := program.NewOutput()
	daemon.Stderr = log
	require.NoError(t, daemon.Start())
	t.Cleanup(func() {
		_ = daemon.Process.Signal(os.Interrupt)
		require.NoError(t, daemon.Wait())
	})
	address = log.Await(t, served)[1]
	log.Await(t, ready)
	return daemon, address
}

// TestFiveHundredConnections measures, for docs/performance.md: 250 clients ask ten times a second
// for a minute, beside 250 that are silent, never read or never end a line.
func TestFiveHundredConnections(t *testing.T) {
	if os.Getenv("LOAD") == "" {
		t.Skip("this measures for a minute: LOAD=1 go test -run FiveHundred -v ./cmd/tripplited")
	}
	daemon, address := launchBuilt(t,
		"[http]\nlisten = []\n[nut]\nlisten = [\"127.0.0.1:0\"]\n", nutServed)
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		return conn
	}
	// The hostile clients are a program of their own that gives way: others' machines would not take
	// this one's processors.
	hostile := exec.Command(program.Find(t, "nice"), "-n", "19",
		os.Args[0], "-test.run", "^TestHostileClients$")
	hostile.Env = append(os.Environ(), "HOSTILE="+address)
	connected, err := hostile.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, hostile.Start())
	defer func() {
		_ = hostile.Process.Kill()
		_ = hostile.Wait()
	}()
	_, err = bufio.NewReader(connected).ReadString('\n')
	require.NoError(t, err)
	end := time.Now().Add(time.Minute)
	var mu sync.Mutex
	var took []time.Duration
	slow, lastSlow := 0, time.Duration(0) // answers of more than 50 ms, and when the last one was
	var all sync.WaitGroup
	for i := range 250 {
		conn := dial()
		all.Go(func() {
			defer conn.Close()
			in := bufio.NewReader(conn)
			time.Sleep(time.Duration(i) * 100 * time.Millisecond / 250) // not all at once
			for time.Now().Before(end) {
				began := time.Now()
				fmt.Fprintln(conn, "GET VAR ups ups.status")
				line, err := in.ReadString('\n')
				if err != nil || line != "VAR ups ups.status \"OL\"\n" {
					t.Errorf("%q %v", line, err)
					return
				}
				mu.Lock()
				took = append(took, time.Since(began))
				if time.Since(began) > 50*time.Millisecond {
					slow++
					lastSlow = time.Minute - time.Until(end)
				}
				mu.Unlock()
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	most := 0
	for time.Now().Before(end) {
		time.Sleep(time.Second)
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", daemon.Process.Pid))
		kb := 0
		if found := regexp.MustCompile(`VmRSS:\s+(\d+)`).FindSubmatch(text); found != nil {
			_, _ = fmt.Sscan(string(found[1]), &kb)
		}
		most = max(most, kb)
	}
	all.Wait()
	slices.Sort(took)
	t.Logf("%d answers: median %v, 99 %% within %v, the longest %v; resident %.1f MB at most",
		len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1], float64(most)*1024/1e6)
	t.Logf("%d took more than 50 ms, the last of them %v after the start", slow, lastSlow)
}

// TestHostileClients is the other side of TestFiveHundredConnections: of 250 clients 100 never read,
// 75 never end a line, and 75 are silent.
func TestHostileClients(t *testing.T) {
	address := os.Getenv("HOSTILE")
	if address == "" {
		t.Skip("TestFiveHundredConnections runs this")
	}
	for i := range 250 {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		switch {
		case i < 100:
			go func() {
				for {
					if _, err := io.WriteString(conn, strings.Repeat("LIST VAR ups\n", 100)); err != nil {
						return
					}
				}
			}()
		case i < 175:
			go func() {
				for {
					if _, err := io.WriteString(conn, "G"); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			}()
		}
	}
	fmt.Println("connected")
	time.Sleep(2 * time.Minute) // until it is killed
}
