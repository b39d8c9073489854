package notify

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/events"
)

// received is what a server got, one text a request.
type received struct {
	mu       sync.Mutex
	requests []string
}

func (r *received) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.requests...)
}

// webServer answers each request with a status and with everything that it was sent.
func webServer(t *testing.T, status int) (host string, got *received) {
	t.Helper()
	got = &received{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := everything(r)
		got.mu.Lock()
		got.requests = append(got.requests, text)
		got.mu.Unlock()
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error": %q, "message": %[1]q, "description": %[1]q}`, text)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), got
}

func everything(r *http.Request) string {
	body := []byte{}
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	user, password, _ := r.BasicAuth()
	return fmt.Sprintf("%s %s %v %s:%s %s", r.Method, r.URL, r.Header, user, password, body)
}

func TestAMessageArrives(t *testing.T) {
	host, got := webServer(t, http.StatusOK)
	require.NoError(t, Send(t.Context(),
		Config{URL: "ntfy://me:hush@" + host + "/topic?scheme=http"}, outage))
	require.NoError(t, Send(t.Context(), Config{URL: "generic+http://" + host + "/hook"}, outage))
	require.NoError(t, Send(t.Context(),
		Config{URL: "generic+http://" + host + "/hook?template=json"}, outage))
	require.NoError(t, Send(t.Context(),
		Config{URL: "ntfy://" + host + "/topic?scheme=http&title=Alarm"}, outage))
	requests := got.all()
	require.Len(t, requests, 4)
	assert.Contains(t, requests[0], "POST /topic")
	assert.Contains(t, requests[0], "me:hush UPS rack: On battery: charge 97 %.")
	assert.Contains(t, requests[0], "Title:[UPS rack: on battery]")
	assert.Contains(t, requests[1], "UPS rack: On battery: charge 97 %.")
	assert.Contains(t, requests[2], `{"message":"UPS rack: On battery: charge 97 %.","title":"UPS rack: on battery"}`)
	assert.Contains(t, requests[3], "Title:[Alarm]", "a title of the URL's own stays")
}

func TestTheTitleIsThatOfEachMessage(t *testing.T) {
	host, got := webServer(t, http.StatusOK)
	n, err := New([]Config{{URL: "ntfy://" + host + "/topic?scheme=http"}}, "", quiet)
	require.NoError(t, err)
	defer n.Close()
	n.Event(happened(events.OnBattery))
	n.Event(happened(events.OnLine))
	require.NoError(t, n.Flush(t.Context()))
	requests := got.all()
	require.Len(t, requests, 2)
	assert.Contains(t, requests[0], "Title:[UPS rack: on battery]")
	assert.Contains(t, requests[1], "Title:[UPS rack: on line]")
}

func TestTelegram(t *testing.T) {
	c := Config{URL: "telegram://110201543:AAhushhushhushhushhushhushhushhushh@telegram?" +
		"chats=@ups,-100123:7&notification=no"}
	for name, row := range map[string]struct {
		status int
		text   string
		want   string
		again  again
	}{
		"sent":         {http.StatusOK, `{"ok":true}`, "", refused},
		"no such chat": {http.StatusBadRequest, `{"description":"Bad Request: chat not found"}`, "there is no such chat", refused},
		"wrong token":  {http.StatusUnauthorized, `{"ok":false}`, "the server answers 401 Unauthorized", refused},
		"too many":     {http.StatusTooManyRequests, `{"ok":false}`, "the server answers 429 Too Many Requests", unreached},
		"no network":   {0, "", "the server refuses the connection", unreached},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			before := http.DefaultTransport
			defer func() { http.DefaultTransport = before }()
			http.DefaultTransport = transport(func(r *http.Request) (*http.Response, error) {
				body, _ := io.ReadAll(r.Body)
				asked = append(asked, r.URL.String()+" "+string(body))
				if row.status == 0 {
					return nil, errors.New("dial tcp: connect: connection refused")
				}
				return &http.Response{StatusCode: row.status, Body: io.NopCloser(strings.NewReader(row.text))}, nil
			})
			err := Send(t.Context(), c, outage)
			const url = "https://api.telegram.org/bot110201543:AAhushhushhushhushhushhushhushhushh/sendMessage "
			require.Equal(t, []string{
				url + `{"chat_id":"@ups","text":"UPS rack: On battery: charge 97 %.","disable_notification":true}`,
				url + `{"chat_id":"-100123","message_thread_id":7,"text":"UPS rack: On battery: charge 97 %.","disable_notification":true}`,
			}, asked)
			if row.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, "telegram (url): "+row.want)
			var f *failure
			require.ErrorAs(t, err, &f)
			require.Equal(t, row.again, f.again)
		})
	}
}

// refusing returns an address at which nobody listens.
func refusing(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// mailServer is a mail server, which refuses every login with what it was sent, and receivers by
// the status that refuse has for them.
func mailServer(t *testing.T, refuse map[string]int) (host string, got *received) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	got = &received{}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				serveMail(textproto.NewConn(conn), refuse, got)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return l.Addr().String(), got
}

func serveMail(c *textproto.Conn, refuse map[string]int, got *received) {
	_ = c.PrintfLine("220 mail")
	for {
		line, err := c.ReadLine()
		if err != nil {
			return
		}
		words := append(strings.Fields(line), "", "", "")
		switch words[0] {
		case "AUTH":
			login, _ := base64.StdEncoding.DecodeString(words[2])
			login = bytes.ReplaceAll(login, []byte{0}, []byte{' '})
			_ = c.PrintfLine("535 5.7.8 wrong: %s %s", words[2], login)
		case "EHLO":
			_ = c.PrintfLine("250-mail\r\n250 AUTH PLAIN")
		case "DATA":
			_ = c.PrintfLine("354 go on")
			mail, _ := c.ReadDotBytes()
			got.mu.Lock()
			got.requests = append(got.requests, string(mail))
			got.mu.Unlock()
			_ = c.PrintfLine("250 taken")
		case "RCPT":
			to := strings.Trim(strings.TrimPrefix(words[1], "TO:"), "<>")
			if status := refuse[to]; status != 0 {
				_ = c.PrintfLine("%d not %s", status, to)
				continue
			}
			_ = c.PrintfLine("250 known")
		case "QUIT":
			_ = c.PrintfLine("221 bye")
			return
		default:
			_ = c.PrintfLine("250 good")
		}
	}
}

func TestMail(t *testing.T) {
	refuse := map[string]int{"later@example.com": 450, "nobody@example.com": 550}
	host, got := mailServer(t, refuse)
	for to, want := range map[string]struct {
		mails int
		err   error
	}{
		"me@example.com":                   {1, nil},
		"me@example.com,you@example.com":   {2, nil},
		"later@example.com":                {0, &failure{"the mail server answers 450", unreached}},
		"me@example.com,later@example.com": {1, &failure{"the mail server answers 450", refused}},
		"nobody@example.com":               {0, &failure{"the mail server answers 550", refused}},
	} {
		before := len(got.all())
		s, err := newService("smtp://" + host + "/?from=ups@example.com&starttls=no&to=" + to)
		require.NoError(t, err)
		err = s.send(t.Context(), outage, false)
		require.Equal(t, want.err, err, to)
		mails := got.all()[before:]
		require.Len(t, mails, want.mails, to)
		for _, mail := range mails {
			require.Contains(t, mail, "Subject: UPS rack: on battery\n")
			require.Contains(t, mail, "\n\nUPS rack: On battery: charge 97 %.")
		}
	}
}

// secrets are URLs of every kind of service, each with what nobody may read in them. HOST is a
// server on this computer.
var secrets = []struct {
	url    string
	hidden []string
}{
	{"ntfy://hushuser:hushpass@HOST/hushtopic?scheme=http", []string{"hushuser", "hushpass", "hushtopic"}},
	{"ntfy://:tk_hushtoken@HOST/topic?scheme=http&click=hushclick", []string{"tk_hushtoken", "hushclick"}},
	{"gotify://HOST/Ahush.hush.hush?disabletls=yes", []string{"Ahush.hush.hush"}},
	{"mattermost://hushuser@HOST/hushtoken/hushchannel?disabletls=yes", []string{"hushuser", "hushtoken", "hushchannel"}},
	{"generic+http://hushuser:hushpass@HOST/hushhook?hushkey=hushvalue&@Authorization=Bearer+hushbearer",
		[]string{"hushuser", "hushpass", "hushhook", "hushkey", "hushvalue", "hushbearer"}},
	{"generic://HOST/hushhook?disabletls=yes&$data=hushdata&template=json", []string{"hushhook", "hushdata"}},
	{"smtp://hushuser:hushpass@HOST/?fromaddress=hushfrom@example.com&toaddresses=hushto@example.com&starttls=no&auth=plain",
		[]string{"hushuser", "hushpass", "hushfrom", "hushto"}},
	{"bark://:hushdevice@HOST?scheme=http", []string{"hushdevice"}},
	{"rocketchat://HOST/hushtokenA/hushtokenB/channel", []string{"hushtokenA", "hushtokenB"}},
	{"matrix://hushuser:hushpass@HOST/?rooms=!hushroom:example.com&disabletls=yes", []string{"hushuser", "hushpass", "hushroom"}},
	{"matrix://:hushtoken@HOST/?rooms=!hushroom:example.com&disabletls=yes", []string{"hushtoken", "hushroom"}},
	{"signal://hushuser:hushpass@HOST/+15551230001/+15551230002?disabletls=yes",
		[]string{"hushuser", "hushpass", "15551230001", "15551230002"}},
	{"opsgenie://HOST/hushkey-2ba2-4ba2", []string{"hushkey"}},
	{"telegram://110201543:AAhushhushhushhushhushhushhushhushh@telegram?chats=@hushchat,12345678901",
		[]string{"110201543", "AAhush", "hushchat", "12345678901"}},
	{"slack://hook:HUSHHUSHA-HUSHHUSHB-hushhushhushhushhushhush@webhook", []string{"HUSHHUSHA", "HUSHHUSHB", "hushhush"}},
	{"slack://xoxb:123456789012-1234567890123-hushhushhushhushhushhush@C0HUSHCHAN", []string{"123456789012", "hushhush", "C0HUSHCHAN"}},
	{"discord://hushtoken@693853386302554172", []string{"hushtoken", "693853386302554172"}},
	{"pushover://:hushapptoken@hushuserkey/?devices=hushdevice", []string{"hushapptoken", "hushuserkey", "hushdevice"}},
	{"pushbullet://o.hushhushhushhushhushhushhushhush/hushdevice", []string{"o.hush", "hushdevice"}},
	{"googlechat://chat.googleapis.com/v1/spaces/HUSHSPACE/messages?key=hushkey&token=hushtoken",
		[]string{"HUSHSPACE", "hushkey", "hushtoken"}},
	{"ifttt://hushkey/?events=hushevent", []string{"hushkey", "hushevent"}},
	{"join://shoutrrr:hushapikey@join/?devices=hushdevice", []string{"hushapikey", "hushdevice"}},
	{"lark://open.larksuite.com/hushtoken?secret=hushsecret", []string{"hushtoken", "hushsecret"}},
	{"notifiarr://hushapikey?channel=123456789012345678", []string{"hushapikey", "123456789012345678"}},
	{"pagerduty://events.pagerduty.com/0123456789abcdef0123456789abcdef", []string{"0123456789abcdef"}},
	{"teams://11111111-4444-4444-8444-cccccccccccc@22222222-4444-4444-8444-cccccccccccc/33333333012222222222333333333344/44444444-4444-4444-8444-cccccccccccc/V2ESyij_gAljSoUQHvZoZYzlpAoAXExyOl26dlf1xHEx05?host=contoso.webhook.office.com",
		[]string{"11111111-4444", "22222222-4444", "33333333012222", "44444444-4444", "V2ESyij"}},
	{"wecom://hushkey1-7aoc-4bc4-97a0-0ec2hushhush", []string{"hushkey1", "hushhush"}},
	{"zulip://hushbot%40zulipchat.com:hushpass@HOST?stream=hushstream", []string{"hushbot", "hushpass", "hushstream"}},
}

// transport stands in for the network of those services that use http.DefaultTransport.
type transport func(r *http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answering(status int) transport {
	return func(r *http.Request) (*http.Response, error) {
		text := everything(r)
		return &http.Response{
			StatusCode: status, Status: fmt.Sprintf("%d %s %s", status, http.StatusText(status), r.URL),
			Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
			Body: io.NopCloser(strings.NewReader(fmt.Sprintf(
				`{"ok": false, "error": %q, "description": %[1]q, "message": %[1]q, "errmsg": %[1]q, "errcode": 7}`, text))),
		}, nil
	}
}

func refusingLogins(t *testing.T) string {
	host, _ := mailServer(t, nil)
	return host
}

func TestNoSecretIsInAnErrorOrALog(t *testing.T) {
	for name, failing := range map[string]struct {
		host, mail func(t *testing.T) string
		others     transport
	}{
		"refused by the server": {
			func(t *testing.T) string { host, _ := webServer(t, http.StatusUnauthorized); return host },
			refusingLogins, answering(http.StatusUnauthorized),
		},
		"an error without a meaning": {
			func(t *testing.T) string { host, _ := webServer(t, 599); return host },
			refusingLogins, answering(599),
		},
		"no connection": {refusing, refusing, func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("%s: %w", everything(r), &net.OpError{
				Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)})
		}},
		"a server that is ill": {
			func(t *testing.T) string { host, _ := webServer(t, http.StatusServiceUnavailable); return host },
			refusingLogins, answering(http.StatusServiceUnavailable),
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := http.DefaultTransport
			http.DefaultTransport = failing.others
			defer func() { http.DefaultTransport = before }()
			host, mail := failing.host(t), failing.mail(t)
			reasons := map[string]bool{}
			for _, row := range secrets {
				if strings.HasPrefix(row.url, "discord:") && name != "refused by the server" {
					continue // it tries again by itself, and sleeps meanwhile
				}
				at := host
				if strings.HasPrefix(row.url, "smtp:") {
					at = mail
				}
				c := Config{URL: strings.ReplaceAll(row.url, "HOST", at)}
				var log bytes.Buffer
				text := func() string {
					n, err := New([]Config{c}, t.TempDir(), slog.New(
						slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
					require.NoError(t, err, row.url)
					n.Event(happened(events.OnBattery))
					require.NoError(t, n.Flush(t.Context()))
					n.Close()
					err = Send(t.Context(), c, outage)
					require.Error(t, err, row.url)
					var f *failure
					require.ErrorAs(t, err, &f)
					if name == "no connection" || name == "a server that is ill" {
						kept := f.again != refused || at == mail && name == "a server that is ill" // a wrong login
						assert.True(t, kept, "%v: %s", err, row.url)
					}
					reasons[err.Error()] = true
					return fmt.Sprintf("%v %v %+v %#v", err, c, c, c) + log.String()
				}()
				require.Contains(t, log.String(), "an event is not sent yet", row.url)
				for _, hidden := range append(row.hidden, at) {
					require.NotContains(t, strings.ToLower(text), strings.ToLower(hidden), row.url)
				}
			}
			assert.Greater(t, len(reasons), 10, "each names its service")
		})
	}
}

func TestNoSecretIsInTheErrorOfAWrongURL(t *testing.T) {
	for _, url := range []string{
		"hush", "hush://hush:hush@hush/hush", "ntfy//hush", "ntfy://hush:hush@%zz/hush", "ntfy://hush:hush@a b/hush",
		"://hush", "logger://hush", "slack://hush", "slack://hook:hush@webhook", "telegram://hush@telegram?chats=hush",
		"discord://hush@", "ntfy://hush.sh/hush?hush=hush", "smtp://hush:hush@hush/?hush=hush", "smtp://hush:hush@hush",
		"matrix://hush:hush@hush/?hush=hush", "slack+hush://hush",
		"110201543:AAhush", "pushover://hush", "teams://hush", "zulip://hush", "opsgenie://hush", "lark://hush/hush",
		"mattermost://hush", "rocketchat://hush", "signal://hush", "ifttt://hush", "\x7fhush",
	} {
		_, err := New([]Config{{URL: url}}, "", quiet)
		if assert.Error(t, err, url) {
			assert.NotContains(t, err.Error(), "hush")
			assert.Contains(t, err.Error(), "notify 1: url: this is no URL ")
		}
	}
}

func TestWhyAServiceFailed(t *testing.T) {
	for text, want := range map[string]failure{
		"got unexpected HTTP status: 401 Unauthorized": {"the server answers 401 Unauthorized", refused},
		"status code: 404":      {"the server answers 404 Not Found", refused},
		"HTTP status 503":       {"the server answers 503 Service Unavailable", unreached},
		"429 Too Many Requests": {"the server answers 429 Too Many Requests", unreached},
		"dial tcp 10.0.0.1:404 Of: connect: connection refused": {"the server refuses the connection", unreached},
		"lookup ntfy.sh: no such host":                          {"the name of the server is not found", unreached},
		"Post: read: i/o timeout":                               {"the server does not answer in time", unreached},
		"x509: certificate has expired":                         {"the certificate of the server is not accepted", unreached},
		"Post: EOF":                                             {"the connection was broken", unreached},
		"slack: channel_not_found":                              {"there is no such channel", refused},
		"hush":                                                  {"the service did not take it", doubtful},
	} {
		assert.Equal(t, want, *why(errors.New(text)), text)
	}
	assert.Equal(t, failure{"the mail server answers 450", unreached}, *why(fmt.Errorf("a: %w", &textproto.Error{Code: 450, Msg: "hush"})))
	assert.Equal(t, failure{"the mail server answers 535", refused}, *why(&textproto.Error{Code: 535, Msg: "hush"}))
	assert.Equal(t, *errTimeout, *why(context.DeadlineExceeded))
}

// hanging is a service of shoutrrr's that does not return until it is let.
type hanging chan error

func (h hanging) Send(string, *types.Params) error { return <-h }

func TestASendThatHangsIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(hanging)
		var opened atomic.Int64
		s := &service{open: func() (*instance, error) {
			opened.Add(1)
			return &instance{shoutrrr: let}, nil
		}}
		try := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			return s.send(ctx, outage, false)
		}
		for range maxLeft {
			require.Equal(t, errTimeout, try())
		}
		require.Equal(t, maxLeft, int(opened.Load()), "none is used by two at once")
		require.Equal(t, errHangs, try(), "and there are not more and more")
		require.Equal(t, maxLeft, int(opened.Load()))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s.close(ctx)
		require.Error(t, ctx.Err(), "it waits for them")
		let <- nil
		synctest.Wait()
		require.Equal(t, errTimeout, try(), "there is room again")
		for range maxLeft {
			let <- errors.New("hush")
		}
		s.close(t.Context())
	})
}

// explosive is a service that panics.
type explosive struct{}

func (explosive) Send(string, *types.Params) error { panic("hush") }

func TestAServiceThatPanicsIsAnError(t *testing.T) {
	s := &service{open: func() (*instance, error) { return &instance{shoutrrr: explosive{}}, nil }}
	require.Equal(t, *errPanic, *s.send(t.Context(), outage, false).(*failure))
}
