package tripplitetest_test

import (
	"bufio"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The alarm of somebody who knows nothing but the documentation, and the head of its test, whose body the package documentation shows.
const (
	strangersAlarm = `package alarm

import (
	"context"

	"github.com/tripplite-go/tripplite"
)

type Alarm struct {
	UPS  *tripplite.Battery
	Tell func()
	rule tripplite.OnBattery
}

func (a *Alarm) Check(ctx context.Context) {
	changed := a.rule.Observe(a.UPS.Get(ctx))
	if onBattery, _ := a.rule.Get(); changed && onBattery {
		a.Tell()
	}
}
`
	strangersTest = `package alarm

import (
	"testing"

	"github.com/tripplite-go/tripplite/tripplitetest"
)

`
)

// documented returns the program text in the package documentation.
func documented(t *testing.T) string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	require.NoError(t, err)
	var parser comment.Parser
	for _, block := range parser.Parse(file.Doc.Text()).Content {
		if code, ok := block.(*comment.Code); ok {
			return code.Text
		}
	}
	t.Fatal("the package documentation shows no program")
	return ""
}

func TestAStrangersModuleTestsItsAlarmInUnderFortyLines(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a module")
	}
	checkout, err := filepath.Abs("..")
	require.NoError(t, err)
	module := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(module, name), []byte(text), 0o600))
	}
	test := strangersTest + documented(t)
	require.Less(t, strings.Count(strangersAlarm+test, "\n"), 40, "lines, the empty ones included")
	write("alarm.go", strangersAlarm)
	write("alarm_test.go", test)
	write("go.mod", moduleFile(t, checkout))
	sums, err := os.ReadFile(filepath.Join(checkout, "go.sum"))
	require.NoError(t, err)
	write("go.sum", string(sums))

	run := func(args ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), "go", args...)
		command.Dir = module
		command.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		output, err := command.CombinedOutput()
		require.NoError(t, err, "go %s:\n%s", strings.Join(args, " "), output)
		return string(output)
	}
	run("vet", "./...")
	require.Contains(t, run("test", "-v", "./..."), "--- PASS: TestAlarm")
}

// moduleFile requires what the checkout requires in the same versions, so that nothing has to be found out, and the checkout itself.
func moduleFile(t *testing.T, checkout string) string {
	t.Helper()
	file, err := os.Open(filepath.Join(checkout, "go.mod"))
	require.NoError(t, err)
	defer file.Close()
	text := "module example.com/alarm\n\n"
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), "module ") {
			text += lines.Text() + "\n"
		}
	}
	return text + "\nrequire github.com/tripplite-go/tripplite v0.0.0\n\nreplace github.com/tripplite-go/tripplite => " + strconv.Quote(checkout) + "\n"
}
