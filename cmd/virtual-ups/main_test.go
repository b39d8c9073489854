package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServesUntilItIsStopped(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	r, w := io.Pipe()
	var stderr bytes.Buffer
	status := make(chan int)
	go func() {
		status <- run(ctx, []string{"--listen", "127.0.0.1:0", "smart1500lcd", "pro1500rt2u"}, w, &stderr)
	}()

	line := func() string {
		b := make([]byte, 200)
		n, err := r.Read(b)
		require.NoError(t, err)
		return string(b[:n])
	}
	require.Regexp(t, `^smart1500lcd: usbip --tcp-port \d+ attach -r 127\.0\.0\.1 -b 1-1\n$`, line())
	second := line()
	require.Regexp(t, `^pro1500rt2u: usbip --tcp-port \d+ attach -r 127\.0\.0\.1 -b 1-2\n$`, second)

	c, err := net.Dial("tcp", "127.0.0.1:"+strings.Fields(second)[3])
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Write([]byte{0x01, 0x11, 0x80, 0x05, 0, 0, 0, 0}) // OP_REQ_DEVLIST
	require.NoError(t, err)
	list, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, []byte{0, 0, 0, 2}, list[8:12])

	stop()
	require.Zero(t, <-status)
	require.Empty(t, stderr.String())
}

func TestAttachCommand(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:3240": "usbip attach -r 127.0.0.1 -b 1-1",
		"127.0.0.1:4000": "usbip --tcp-port 4000 attach -r 127.0.0.1 -b 1-1",
		"[::1]:3240":     "usbip attach -r ::1 -b 1-1",
		"[::]:3240":      "usbip attach -r <this host> -b 1-1",
		"0.0.0.0:3240":   "usbip attach -r <this host> -b 1-1",
	} {
		tcp, err := net.ResolveTCPAddr("tcp", address)
		require.NoError(t, err)
		require.Equal(t, want, attachCommand(tcp, "1-1"))
	}
}

func TestErrorsAreOneLineAndAnExitStatus(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	broken := filepath.Join(t.TempDir(), "broken.json")
	require.NoError(t, os.WriteFile(broken, []byte("{"), 0o600))
	for name, test := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"no unit":        {nil, 2, `expected "<unit> ..."`},
		"unknown option": {[]string{"--fast", "smart1500lcd"}, 2, "unknown flag --fast"},
		"unknown unit": {[]string{"smart1500lcd", "dumb1500"}, 1,
			`"dumb1500" is neither a capture file nor`},
		"broken capture": {[]string{broken}, 1, "broken.json: not a capture"},
		"address in use": {[]string{"--listen", taken.Addr().String(), "smart1500lcd"}, 1,
			"listen tcp"},
		"address nonsense": {[]string{"--listen", "nowhere", "smart1500lcd"}, 1, "missing port"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			require.Equal(t, test.status, run(context.Background(), test.args, &stdout, &stderr))
			require.Empty(t, stdout.String())
			require.Contains(t, stderr.String(), test.want)
			require.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
			require.True(t, strings.HasPrefix(stderr.String(), "virtual-ups: "), stderr.String())
		})
	}
}

func TestHelpNamesTheCaptures(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Zero(t, run(context.Background(), []string{"--help"}, &stdout, &stderr))
	require.Contains(t, stdout.String(), "smart1500lcd")
	require.Contains(t, stdout.String(), "127.0.0.1:3240")
	require.Empty(t, stderr.String())
}
