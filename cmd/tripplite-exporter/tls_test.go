package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// webConfig asks for TLS and for the password "correct horse", hashed with bcrypt.
const webConfig = `
tls_server_config: {cert_file: cert.pem, key_file: key.pem}
basic_auth_users: {prometheus: $2a$04$nR5hw8YZr2jgk42Yz2Ys8uz5qsO1t9oPfIiXlrIDoNjnMjcBwKq9a}
`

// certify writes a certificate for 127.0.0.1 and its key, and returns a pool that trusts it.
func certify(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	write(t, dir, "cert.pem", certPEM)
	write(t, dir, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(certPEM))
	return pool
}

func write(t *testing.T, dir, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

func TestTLSAndPassword(t *testing.T) {
	dir := t.TempDir()
	pool := certify(t, dir)
	config := write(t, dir, "web.yml", []byte(webConfig))
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
