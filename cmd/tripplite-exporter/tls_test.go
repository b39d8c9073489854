package main

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/program"
)

// webConfig asks for TLS and for the password "correct horse", hashed with bcrypt.
const webConfig = `
tls_server_config: {cert_file: cert.pem, key_file: key.pem}
basic_auth_users: {prometheus: $2a$04$nR5hw8YZr2jgk42Yz2Ys8uz5qsO1t9oPfIiXlrIDoNjnMjcBwKq9a}
`

func TestTLSAndPassword(t *testing.T) {
	dir := t.TempDir()
	pool := program.Certify(t, dir)
	config := program.Write(t, dir, "web.yml", webConfig)
	exporter := start(t, "--replay=smart1500lcd", "--web.config.file="+config)
	trusting := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true,
	}}

	for _, test := range []struct {
		name, user, password string
		code                 int
	}{
		{"right", "prometheus", "correct horse", 200},
		{"wrong password", "prometheus", "battery staple", 401},
		{"wrong user", "root", "correct horse", 401},
		{"nothing", "", "", 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, page := range []string{"/metrics", "/", "/healthz"} {
				url := "https://" + exporter.address + page
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
				require.NoError(t, err)
				if test.user != "" {
					request.SetBasicAuth(test.user, test.password)
				}
				response, err := trusting.Do(request)
				require.NoError(t, err)
				response.Body.Close()
				require.Equal(t, test.code, response.StatusCode, page)
			}
		})
	}
	t.Run("without TLS", func(t *testing.T) {
		code, _ := get(t, "http://"+exporter.address+"/metrics")
		require.Equal(t, 400, code)
	})
	t.Run("by a client that does not trust it", func(t *testing.T) {
		_, err := client.Get("https://" + exporter.address + "/metrics")
		require.ErrorContains(t, err, "certificate")
	})
}
