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

// failure says why a message was not sent, in words of this package alone: an error of a service may
// hold its URL, a token, or what the server makes of them.
type failure struct {
	text      string
	unreached bool // it is worth trying again for long: the message has gone nowhere
}

func (f *failure) Error() string { return f.text }

// known are the parts of errors that tell a reason, in lower case, and what is said instead.
var known = []struct {
	part string
	failure
}{
	{"no such host", failure{"the name of the server is not found", true}},
	{"server misbehaving", failure{"the name of the server is not found", true}},
	{"connection refused", failure{"the server refuses the connection", true}},
	{"actively refused", failure{"the server refuses the connection", true}},
	{"network is unreachable", failure{"the network is not reached", true}},
	{"unreachable network", failure{"the network is not reached", true}},
	{"no route to host", failure{"the server is not reached", true}},
	{"host is down", failure{"the server is not reached", true}},
	{"certificate", failure{"the certificate of the server is not accepted", true}},
	{"x509", failure{"the certificate of the server is not accepted", true}},
	{"server gave http response to https client", failure{"the server has no TLS", false}},
	{"tls: ", failure{"TLS with the server fails", true}},
	{"does not support starttls", failure{"the server has no STARTTLS", false}},
	{"i/o timeout", failure{"the server does not answer in time", true}},
	{"deadline exceeded", failure{"the server does not answer in time", true}},
	{"client.timeout", failure{"the server does not answer in time", true}},
	{"timed out", failure{"the server does not answer in time", true}},
	{"connection reset", failure{"the connection was broken", true}},
	{"broken pipe", failure{"the connection was broken", true}},
	{"unexpected eof", failure{"the connection was broken", true}},
	{"invalid_auth", failure{"the service does not know the token", false}},
	{"not_authed", failure{"the service does not know the token", false}},
	{"invalid token", failure{"the service does not know the token", false}},
	{"token_revoked", failure{"the service does not know the token", false}},
	{"unauthorized", failure{"the service does not know the token", false}},
	{"channel_not_found", failure{"there is no such channel", false}},
	{"not_in_channel", failure{"the service is no member of the channel", false}},
	{"chat not found", failure{"there is no such chat", false}},
	{"eof", failure{"the connection was broken", true}},
}

var (
	errTimeout = &failure{"the server does not answer in time", true}
	errHangs   = &failure{"earlier tries still hang", true}
	errPanic   = &failure{"the service failed inside", false}
	errOther   = &failure{"the service did not take it", false}
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
		return &failure{fmt.Sprintf("the mail server answers %d", reply.Code), reply.Code < 500}
	}
	text := err.Error()
	if code := statusIn(text); code != 0 {
		later := code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout
		return &failure{fmt.Sprintf("the server answers %d %s", code, http.StatusText(code)), later}
	}
	text = strings.ToLower(text)
	for i := range known {
		if strings.Contains(text, known[i].part) {
			return &known[i].failure
		}
	}
	return errOther
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
