package tripplitetest_test

import (
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The alarm of somebody who knows nothing but the documentation, and the heads of its two tests,
// whose bodies the package documentation shows.
const strangersAlarm = `package alarm

import (
	"context"
	"time"

	"github.com/tripplite-go/tripplite"
)

type Alarm struct {
	UPS  *tripplite.Battery
	Tell func()
	rule tripplite.OnBattery
}

func (a *Alarm) Check(ctx context.Context) { a.observe(a.UPS.Get(ctx)) }

func (a *Alarm) Watch(ctx context.Context, every time.Duration) {
	for state, err := range a.UPS.Watch(ctx, every) {
		a.observe(state, err)
	}
}

func (a *Alarm) observe(state tripplite.State, err error) {
	changed := a.rule.Observe(state, err)
	if onBattery, _ := a.rule.Get(); changed && onBattery {
		a.Tell()
	}
}
`

var strangersImports = []string{
	`"testing"`,
	`"testing"; "testing/synctest"; "time"`,
}

// documented returns the programs in the package documentation.
func documented(t *testing.T) (programs []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	require.NoError(t, err)
	var parser comment.Parser
	for _, block := range parser.Parse(file.Doc.Text()).Content {
		if code, ok := block.(*comment.Code); ok {
			programs = append(programs, code.Text)
		}
	}
	return programs
}

func TestAStrangersModuleTestsItsAlarmAsTheDocumentationShows(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a module")
	}
	checkout, err := filepath.Abs("..")
	require.NoError(t, err)
	module := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(module, name), []byte(text), 0o600))
	}
	write("alarm.go", strangersAlarm)
	programs := documented(t)
	require.Len(t, programs, len(strangersImports))
	for i, program := range programs {
		require.Less(t, strings.Count(program, "\n"), 20, "lines")
		write("alarm"+strconv.Itoa(i)+"_test.go", "package alarm\n\nimport ("+strangersImports[i]+
			"; \"github.com/tripplite-go/tripplite/tripplitetest\")\n\n"+program)
	}
	write("go.mod", moduleFile(t, checkout))
	sums, err := os.ReadFile(filepath.Join(checkout, "go.sum"))
	require.NoError(t, err)
	write("go.sum", string(sums))

	run := func(args ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), "go", args...)
		command.Dir = module
		command.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "CGO_ENABLED=0")
		output, err := command.CombinedOutput()
		require.NoError(t, err, "go %s:\n%s", strings.Join(args, " "), output)
		return string(output)
	}
	run("vet", "./...")
	output := run("test", "-v", "./...")
	assert.Contains(t, output, "--- PASS: TestAlarm ")
	assert.Contains(t, output, "--- PASS: TestAlarmThatWatches ")
}

// moduleFile requires the checkout itself, and what it requires in the same versions, so that
// nothing has to be looked up.
func moduleFile(t *testing.T, checkout string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(checkout, "go.mod"))
	require.NoError(t, err)
	_, requirements, found := strings.Cut(string(text), "\n")
	require.True(t, found)
	const path = "github.com/tripplite-go/tripplite"
	return "module example.com/alarm\n" + requirements +
		"\nrequire " + path + " v0.0.0\n\nreplace " + path + " => " + strconv.Quote(checkout) + "\n"
}
