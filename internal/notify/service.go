package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/format"
	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/matrix"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/telegram"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/email/smtp"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/ntfy"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"github.com/tripplite-go/tripplite/internal/events"
)

// service sends by shoutrrr. That takes no context: a send that hangs is left behind. Each has an
// instance of shoutrrr's service of its own, since they are not safe for two sends at once, and
// that of ntfy sends the first title for ever.
type service struct {
	scheme string
	open   func() (*instance, error)

	mu   sync.Mutex
	left []chan struct{} // sends that were left behind, each closed at its end
}

// instance is a service of shoutrrr's.
type instance struct {
	shoutrrr interface {
		Send(message string, params *types.Params) error
	}
	title bool     // it has a title that its URL leaves open
	seen  *watched // what its server answered, where that can be seen
}

// watched remembers what a server answered. The errors of some services do not tell.
type watched struct {
	http.RoundTripper
	status int
	err    error
}

func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.RoundTripper.RoundTrip(r)
	w.status, w.err = 0, err
	if err == nil {
		w.status = response.StatusCode
	}
	return response, err
}

// maxLeft bounds what a server that never answers can keep.
const maxLeft = 3

// silent keeps what shoutrrr logs, URLs included, out of any log.
var silent = log.New(io.Discard, "", 0)

// newService checks a URL. No error has any of it.
func newService(rawURL string) (*service, error) {
	scheme, err := schemeOf(rawURL)
	if err != nil {
		return nil, err
	}
	s := &service{scheme: scheme, open: func() (*instance, error) { return locate(rawURL) }}
	if err := s.check(rawURL); err != nil {
		return nil, fmt.Errorf("this is no URL that the service %s takes", scheme)
	}
	return s, nil
}

// schemeOf returns the name of the service.
func schemeOf(rawURL string) (string, error) {
	services := slices.DeleteFunc((&router.ServiceRouter{}).ListServices(),
		func(name string) bool { return name == "logger" }) // which sends nothing
	slices.Sort(services)
	u, err := url.Parse(rawURL)
	if err == nil {
		scheme, _, _ := strings.Cut(u.Scheme, "+")
		if slices.Contains(services, scheme) {
			return scheme, nil
		}
	}
	return "", fmt.Errorf("this is no URL of a service: it begins with one of %s, and \"://\"",
		strings.Join(services, ", "))
}

func (s *service) check(rawURL string) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	if s.scheme == matrix.Scheme { // which logs in when it is made
		u, err := url.Parse(rawURL)
		if err != nil {
			return err
		}
		return new(matrix.Config).SetURL(u)
	}
	_, err = s.open()
	return err
}

// locate makes an instance.
func locate(rawURL string) (*instance, error) {
	r, err := router.New(silent)
	if err != nil {
		return nil, err
	}
	made, err := r.Locate(rawURL)
	if err != nil {
		return nil, err
	}
	made.SetLogger(silent)
	use := &instance{shoutrrr: made, title: titled(made)}
	// Their own transports would keep connections open for as long as the server does.
	switch m := made.(type) {
	case *ntfy.Service:
		use.seen = &watched{RoundTripper: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true,
			TLSClientConfig: &tls.Config{
				MinVersion: tls.VersionTLS12, InsecureSkipVerify: m.Config.DisableTLSVerification,
			},
		}}
		m.SetHTTPClient(&http.Client{Timeout: ntfy.HTTPTimeout * time.Second, Transport: use.seen})
	case interface{ GetHTTPClient() *http.Client }:
		client := m.GetHTTPClient()
		if client == nil {
			break
		}
		if transport, ok := client.Transport.(*http.Transport); ok {
			transport.DisableKeepAlives = true
			use.seen = &watched{RoundTripper: transport}
			client.Transport = use.seen
		}
	}
	return use, nil
}

// titled reports whether a service has a title that its URL leaves open.
func titled(made types.Service) bool {
	resolver := format.NewPropKeyResolver(format.GetServiceConfig(made))
	if !slices.Contains(resolver.QueryFields(), types.TitleKey) {
		return false
	}
	title, err := resolver.Get(types.TitleKey)
	return err == nil && (title == "" || strings.HasPrefix(strings.ToLower(title), "shoutrrr "))
}

func (s *service) send(ctx context.Context, e events.Event, late bool) error {
	s.mu.Lock()
	s.left = slices.DeleteFunc(s.left, ended)
	if len(s.left) >= maxLeft {
		s.mu.Unlock()
		return errHangs
	}
	s.mu.Unlock()

	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = s.deliver(ctx, titleOf(e), textOf(e, late, time.Now()))
	}()
	select {
	case <-done:
		return err
	case <-ctx.Done():
	}
	if ended(done) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = append(s.left, done)
	return errTimeout
}

func ended(done chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// deliver sends with an instance of its own.
func (s *service) deliver(ctx context.Context, title, text string) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	use, err := s.open()
	if err != nil {
		return why(err)
	}
	if chat, ok := use.shoutrrr.(*telegram.Service); ok {
		err = sendTelegram(ctx, chat.Config, text)
	} else {
		params := types.Params{}
		if use.title {
			params.SetTitle(title)
		}
		err = use.shoutrrr.Send(text, &params)
	}
	if err != nil {
		return classify(use, err)
	}
	return nil
}

// classify puts an error into words. A mail that some receivers have is not sent to them again and
// again.
func classify(use *instance, err error) error {
	if use.seen != nil && use.seen.err != nil {
		return why(use.seen.err)
	}
	if use.seen != nil && use.seen.status >= 400 {
		return statusFailure(use.seen.status)
	}
	f := *why(err)
	mail, ok := use.shoutrrr.(*smtp.Service)
	if ok && strings.Contains(err.Error(), "failed to send to some recipients") {
		var reply *textproto.Error
		f.again = refused
		if len(mail.Config.ToAddresses) == 1 && errors.As(err, &reply) && reply.Code < 500 {
			f.again = unreached
		}
	}
	return &f
}

// close waits for the sends that were left behind.
func (s *service) close(ctx context.Context) {
	s.mu.Lock()
	left := s.left
	s.mu.Unlock()
	for _, done := range left {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
	http.DefaultClient.CloseIdleConnections() // most services use it
}
