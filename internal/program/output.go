package program

import (
	"bytes"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Output is what a program writes while a test waits for some of it.
type Output struct {
	mu    sync.Mutex
	more  sync.Cond
	text  bytes.Buffer
	ended bool
}

// NewOutput makes an Output that is empty.
func NewOutput() *Output {
	o := &Output{}
	o.more.L = &o.mu
	return o
}

// Write adds to the text.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.more.Broadcast()
	return o.text.Write(b)
}

// End says that nothing more will be written.
func (o *Output) End() {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.more.Broadcast()
	o.ended = true
}

// String returns the text so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Await returns the match of a pattern, and its groups, once it has been written.
func (o *Output) Await(t testing.TB, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		if match := re.FindStringSubmatch(o.text.String()); match != nil {
			return match
		}
		require.False(t, o.ended, "the program ended:\n%s", &o.text)
		o.more.Wait()
	}
}
