package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/program"
)

// startTLS goes on encrypted, and returns what the handshake comes to.
func (c *client) startTLS(pool *x509.CertPool) error {
	c.t.Helper()
	require.Equal(c.t, "OK STARTTLS", c.ask("STARTTLS"))
	conn := tls.Client(c.conn, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"})
	c.conn, c.in = conn, bufio.NewReader(conn)
	return conn.HandshakeContext(c.t.Context())
}

func TestARenewedCertificateIsServedWithoutARestart(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	first := program.Certify(t, dir)
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	d := start(t, fmt.Sprintf("certificate = %q\nkey = %q\n", cert, key)+
		fmt.Sprintf(admin, password(t)), unit)

	old := connect(t, d.nut, "", "")
	require.NoError(t, old.startTLS(first))
	old.until(beeper, enabled)
	require.Equal(t, "ERR ALREADY-SSL-MODE", old.ask("STARTTLS"))

	second := program.Certify(t, other)
	move(t, filepath.Join(other, "key.pem"), key)
	move(t, filepath.Join(other, "cert.pem"), cert)
	err := connect(t, d.nut, "", "").startTLS(first)
	require.ErrorAs(t, err, new(*tls.CertificateVerificationError))
	renewed := connect(t, d.nut, "", "")
	require.NoError(t, renewed.startTLS(second))
	require.Equal(t, "OK", renewed.ask("USERNAME admin"))
	require.Equal(t, "OK", renewed.ask("PASSWORD secret"))
	require.Equal(t, "OK", renewed.ask("INSTCMD ups beeper.disable"))
	renewed.until(beeper, disabled)
	require.Equal(t, disabled, old.ask(beeper), "the connections from before go on")
	require.Zero(t, d.stop(), "they do not keep the daemon")
}

// The pages have the TLS and the passwords of the Prometheus exporter toolkit.
func TestThePagesHaveAFileOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	program.Certify(t, dir)
	web := program.Write(t, dir, "web.yml",
		"tls_server_config: {cert_file: cert.pem, key_file: key.pem}")
	d := start(t, fmt.Sprintf("[http]\nweb_config_file = %q\n", web), unit)
	code, _ := get(t, "http://"+d.pages+"/metrics")
	require.Equal(t, 400, code, "a client without TLS")
}
