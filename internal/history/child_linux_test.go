package history

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/events"
)

// children are what the test binary does when it runs as a child of a test.
var children = map[string]func(){
	"write":    writeUntilKilled,
	"limited":  writeWithALimit,
	"readonly": openWhatIsReadOnly,
	"export":   exportToStdout,
}

// child is the test binary in a role of children, with a file.
func child(t *testing.T, role, file string) *exec.Cmd {
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), "HISTORY_CHILD="+role, "HISTORY_FILE="+file)
	c.Stderr = os.Stderr
	return c
}

func childFile() string { return os.Getenv("HISTORY_FILE") }

// writeUntilKilled writes events and readings, and prints the text of each event that Event has
// returned for.
func writeUntilKilled() {
	s := Open(Config{File: childFile()})
	now := time.Now()
	for i := 0; ; i++ {
		for n := range 8 {
			now = now.Add(10 * time.Second)
			s.Reading(unit(fmt.Sprint("unit ", n), now))
		}
		kind := []events.Kind{events.OnBattery, events.OnLine}[i%2]
		text := fmt.Sprintf("%d of process %d", i, os.Getpid())
		s.Event(events.Event{Time: now, Name: "unit 1", Kind: kind, Text: text})
		if s.Problem() != "" {
			panic(s.Problem())
		}
		fmt.Println(text)
		if i%3 == 0 {
			s.write(now)
		}
	}
}

// output runs a child to its end.
func output(t *testing.T, c *exec.Cmd) []string {
	out, err := c.Output()
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// lines returns the whole lines that a reader has.
func lines(r io.Reader) (whole []string) {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return whole
		}
		whole = append(whole, strings.TrimSuffix(line, "\n"))
	}
}
