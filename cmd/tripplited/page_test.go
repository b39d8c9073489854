package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/program"
)

// A stream tells how the units do until the daemon stops, which it does not hold up. With TLS a
// browser speaks HTTP/2.
func TestAStreamEndsWithTheDaemon(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			transport := &http.Transport{}
			text, major := "[units.names]\nsmart1500lcd = [\"rack\"]\n\"9-9:1.0\" = [\"attic\"]\n", 1
			if scheme == "https" {
				dir := t.TempDir()
				transport.TLSClientConfig = &tls.Config{RootCAs: program.Certify(t, dir)}
				transport.ForceAttemptHTTP2 = true
				web := program.Write(t, dir, "web.yml",
					"tls_server_config: {cert_file: cert.pem, key_file: key.pem}")
				text += fmt.Sprintf("[http]\nweb_config_file = %q\n", web)
				major = 2
			}
			d := start(t, text, unit)
			request, err := http.NewRequestWithContext(
				t.Context(), http.MethodGet, scheme+"://"+d.pages+"/api/v1/stream", nil)
			require.NoError(t, err)
			response, err := (&http.Client{Transport: transport}).Do(request)
			require.NoError(t, err)
			defer response.Body.Close()
			defer transport.CloseIdleConnections()
			require.Equal(t, major, response.ProtoMajor)
			require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
			in := bufio.NewReader(response.Body)
			for _, has := range []string{
				`"name":"rack","path":"smart1500lcd"`,
				`"name":"attic","path":"9-9:1.0","up":false,"state":"lost"`,
			} {
				for line := ""; !strings.Contains(line, has); {
					line, err = in.ReadString('\n')
					require.NoError(t, err)
				}
			}
			require.Zero(t, d.stop())
			_, err = io.Copy(io.Discard, in)
			require.NoError(t, err)
		})
	}
}
