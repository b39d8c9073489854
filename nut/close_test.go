package nut

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/tripplitetest"
)

// certificate makes a certificate for a test, and what trusts it.
func certificate(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"ups.example"},
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:  time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: pool, ServerName: "ups.example"}
}

// encrypt has a client go on encrypted.
func (c *client) encrypt(config *tls.Config) {
	c.t.Helper()
	require.Equal(c.t, "OK STARTTLS", c.ask("STARTTLS"))
	secure := tls.Client(c.conn, config)
	require.NoError(c.t, secure.Handshake())
	*c = *clientOf(c.t, secure)
}

// What a client is at when the server is closed, each of which has to end at once.
func TestCloseEndsEveryClient(t *testing.T) {
	server, trusting := certificate(t)
	for name, be := range map[string]func(*client){
		"silent":             func(*client) {},
		"half a line":        func(c *client) { c.send("LIST V") },
		"does not read":      func(c *client) { c.send("LIST VAR ups\n") },
		"logged in":          func(c *client) { c.replay(login) },
		"a wrong password":   func(c *client) { c.send("USERNAME mon\nPASSWORD x\nLOGIN ups\n") },
		"begins a handshake": func(c *client) { c.ask("STARTTLS") },
		"encrypted":          func(c *client) { c.encrypt(trusting) },
	} {
		t.Run(name, func(t *testing.T) {
			config := Config{Users: users, TLS: server}
			bubble(t, "smart1500lcd", config, func(t *testing.T, s *serving, _ *tripplitetest.UPS) {
				c := s.dial()
				be(c)
				time.Sleep(time.Millisecond)
				before := time.Now()
				require.NoError(t, s.Close())
				require.Zero(t, time.Since(before))
				require.NoError(t, s.Close(), "again")
			})
		})
	}
}

const login = `
> USERNAME mon
OK
> PASSWORD monpw
OK
> LOGIN ups
OK
`

// With the race detector this finds what Close shares with sessions that change.
func TestCloseWhileClientsComeAndGoOnEncrypted(t *testing.T) {
	server, trusting := certificate(t)
	for range 10 {
		s := NewServer(readings(nil), Config{TLS: server})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		var all sync.WaitGroup
		all.Go(func() { _ = s.Serve(l) })
		encrypted := make(chan bool, 16)
		for range 8 {
			all.Go(func() {
				defer func() { encrypted <- true }()
				conn, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					return
				}
				defer conn.Close()
				_, _ = conn.Write([]byte("STARTTLS\n"))
				_, _ = conn.Read(make([]byte, len("OK STARTTLS\n")))
				secure := tls.Client(conn, trusting)
				if secure.Handshake() == nil {
					encrypted <- true
					_, _ = secure.Read(make([]byte, 1))
				}
			})
		}
		<-encrypted
		require.NoError(t, s.Close())
		all.Wait()
	}
}

// A connection that was taken just before Close, and is begun after it.
func TestNoSessionBeginsAfterClose(t *testing.T) {
	s := NewServer(readings(nil), Config{})
	require.NoError(t, s.Close())
	near, far := net.Pipe()
	defer near.Close()
	s.begin(far)
	_, err := near.Read(make([]byte, 1))
	require.Error(t, err)
	require.Empty(t, s.sessions)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.ErrorIs(t, s.Serve(l), net.ErrClosed)
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed, "Serve closes its listener")
}
