package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
)

// failure says why a message was not sent, in words of this package alone: an error of a service
// may hold its URL, a token, or what the server makes of them.
type failure struct {
	text string
	again
}

// again says how long it is worth to try again.
type again int

const (
	refused   again = iota // a few times: some of several receivers may have got it
	doubtful               // for long, but not often: the service does not tell
	unreached              // for long: the message has gone nowhere
)

func (f *failure) Error() string { return f.text }

// known are the parts of errors that tell a reason, in lower case, and what is said instead.
var known = []struct {
	part string
	failure
}{
	{"no such host", failure{"the name of the server is not found", unreached}},
	{"server misbehaving", failure{"the name of the server is not found", unreached}},
	{"connection refused", failure{"the server refuses the connection", unreached}},
	{"actively refused", failure{"the server refuses the connection", unreached}},
	{"network is unreachable", failure{"the network is not reached", unreached}},
	{"unreachable network", failure{"the network is not reached", unreached}},
	{"no route to host", failure{"the server is not reached", unreached}},
	{"host is down", failure{"the server is not reached", unreached}},
	{"certificate", failure{"the certificate of the server is not accepted", unreached}},
	{"x509", failure{"the certificate of the server is not accepted", unreached}},
	{"server gave http response to https client", failure{"the server has no TLS", refused}},
	{"tls: ", failure{"TLS with the server fails", unreached}},
	{"does not support starttls", failure{"the server has no STARTTLS", refused}},
	{"i/o timeout", failure{"the server does not answer in time", unreached}},
	{"deadline exceeded", failure{"the server does not answer in time", unreached}},
	{"client.timeout", failure{"the server does not answer in time", unreached}},
	{"timed out", failure{"the server does not answer in time", unreached}},
	{"connection reset", failure{"the connection was broken", unreached}},
	{"broken pipe", failure{"the connection was broken", unreached}},
	{"unexpected eof", failure{"the connection was broken", unreached}},
	{"invalid_auth", failure{"the service does not know the token", refused}},
	{"not_authed", failure{"the service does not know the token", refused}},
	{"invalid token", failure{"the service does not know the token", refused}},
	{"token_revoked", failure{"the service does not know the token", refused}},
	{"unauthorized", failure{"the service does not know the token", refused}},
	{"channel_not_found", failure{"there is no such channel", refused}},
	{"not_in_channel", failure{"the service is no member of the channel", refused}},
	{"chat not found", failure{"there is no such chat", refused}},
	{"eof", failure{"the connection was broken", unreached}},
}

var (
	errTimeout = &failure{"the server does not answer in time", unreached}
	errHangs   = &failure{"earlier tries still hang", unreached}
	errPanic   = &failure{"the service failed inside", doubtful}
	errOther   = &failure{"the service did not take it", doubtful}
)

// why puts an error of a service into words without a secret.
func why(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return errTimeout
	}
	var reply *textproto.Error
	if errors.As(err, &reply) {
		f := &failure{fmt.Sprintf("the mail server answers %d", reply.Code), refused}
		if reply.Code < 500 {
			f.again = unreached
		}
		return f
	}
	text := err.Error()
	if code := statusIn(text); code != 0 {
		return statusFailure(code)
	}
	text = strings.ToLower(text)
	for i := range known {
		if strings.Contains(text, known[i].part) {
			return &known[i].failure
		}
	}
	return errOther
}

// statusFailure is what a status of HTTP says.
func statusFailure(code int) *failure {
	name := http.StatusText(code)
	f := &failure{strings.TrimSpace(fmt.Sprintf("the server answers %d %s", code, name)), refused}
	if code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout {
		f.again = unreached
	}
	return f
}

var (
	statusNamed  = regexp.MustCompile(`\b([45]\d\d) ([A-Z][A-Za-z' -]+)`)
	statusNumber = regexp.MustCompile(`(?i)\bstatus(?: code)?:? (?:code:? )?"?([45]\d\d)\b`)
)

// statusIn finds the status of HTTP in a text: a number with its name, or behind the word status.
func statusIn(text string) int {
	for _, found := range statusNamed.FindAllStringSubmatch(text, -1) {
		code, _ := strconv.Atoi(found[1])
		if name := http.StatusText(code); name != "" && strings.HasPrefix(found[2], name) {
			return code
		}
	}
	if found := statusNumber.FindStringSubmatch(text); found != nil {
		code, _ := strconv.Atoi(found[1])
		if http.StatusText(code) != "" {
			return code
		}
	}
	return 0
}
