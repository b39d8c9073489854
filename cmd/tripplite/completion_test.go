package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/program"
)

// completions writes the completions for a shell to a file.
func completions(t *testing.T, shell string) (file string) {
	t.Helper()
	code, stdout, stderr := tool(t, "completion", shell)
	require.Zero(t, code, stderr)
	file = filepath.Join(t.TempDir(), "tripplite."+shell)
	require.NoError(t, os.WriteFile(file, []byte(stdout), 0o644))
	return file
}

// says runs a program and returns what it printed.
func says(t *testing.T, name string, args ...string) string {
	t.Helper()
	command := exec.Command(program.Find(t, name), args...)
	command.Dir = t.TempDir()
	command.Env = append(os.Environ(),
		"HOME="+command.Dir, "XDG_CONFIG_HOME="+command.Dir, "LC_ALL=C.UTF-8")
	text, err := command.CombinedOutput()
	require.NoError(t, err, string(text))
	return string(text)
}

func TestBashCompletes(t *testing.T) {
	file := completions(t, "bash")
	require.Empty(t, says(t, "bash", "-n", file))
	for line, want := range map[string]string{
		"tripplite w":                     "watch",
		"tripplite c":                     "check capture completion",
		"tripplite --re":                  "--replay",
		"tripplite watch --format ":       "json csv text",
		"tripplite watch --format = c":    "csv",
		"tripplite watch --format =":      "json csv text",
		"tripplite watch --e":             "--every",
		"tripplite check --lost w":        "warning",
		"tripplite get input.v":           "input.voltage",
		"tripplite get ch":                "charge",
		"tripplite get time-":             "time-to-empty",
		"tripplite completion ":           "bash zsh fish --help -h --path --replay --debug --version -V",
		"tripplite --replay smart1500lcd": strings.Join(begins(capture.Names(), "smart1500lcd"), " "),
		"tripplite explain pro":           "pro1500rt2u",
		"tripplite --path ":               "",
		"tripplite --debug get heal":      "health",
	} {
		words := strings.Split(line, " ")
		script := `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
			_tripplite; echo "${COMPREPLY[*]}"`
		got := says(t, "bash", append([]string{"-c", script, "bash", file}, words...)...)
		assert.Equal(t, want, strings.TrimSpace(got), line)
	}
}

func begins(names []string, prefix string) (found []string) {
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			found = append(found, name)
		}
	}
	return found
}

func TestZshTakesTheCompletions(t *testing.T) {
	file := completions(t, "zsh")
	require.Empty(t, says(t, "zsh", "-n", file))
	script := `autoload -U compinit; compinit -u -D; source "$1"; echo $_comps[tripplite]`
	loaded := says(t, "zsh", "-fc", script, "zsh", file)
	require.Equal(t, "_tripplite\n", loaded)
}

func TestFishCompletes(t *testing.T) {
	file := completions(t, "fish")
	require.Empty(t, says(t, "fish", "-n", file))
	for line, want := range map[string]string{
		"tripplite wat":             "watch",
		"tripplite watch --format ": "csv json text",
		"tripplite watch --ev":      "--every",
		"tripplite get input.l":     "input.lowest-voltage",
		"tripplite get ru":          "runtime",
		"tripplite check --lost w":  "warning",
	} {
		var got []string
		offered := says(t, "fish", "-c", `source $argv[1]; complete -C $argv[2]`, file, line)
		for completion := range strings.Lines(offered) {
			name, _, _ := strings.Cut(strings.TrimSpace(completion), "\t")
			got = append(got, name)
		}
		assert.Equal(t, want, strings.Join(got, " "), line)
	}
}

func TestTheManualPage(t *testing.T) {
	code, page, _ := tool(t, "man")
	require.Zero(t, code)
	file := filepath.Join(t.TempDir(), "tripplite.1")
	require.NoError(t, os.WriteFile(file, []byte(page), 0o644))
	for line := range strings.Lines(page) {
		assert.False(t, strings.HasPrefix(line, "'"), "no request by accident: %s", line)
	}

	text := says(t, "groff", "-man", "-Tutf8", "-P-c", "-P-b", "-P-u", "-rLL=100n", "-ww", file)
	assert.Empty(t, says(t, "groff", "-man", "-Tutf8", "-z", "-ww", file), "no warnings")
	for _, want := range []string{
		"tripplite - show what Tripp Lite UPSes say", "tripplite watch [flags]",
		"tripplite get [flags] [KEY]",
		"--replay=NAME|FILE", "-w, --warning=NAME=RANGE", "EXIT STATUS", "NO_COLOR",
		`tripplite | jq '.status."ac present"'`, "~:10 (alert above 10)",
	} {
		assert.Contains(t, text, want)
	}
	_, help, _ := tool(t, "--help")
	const commands = "read list status watch check get capture explain completion man"
	for name := range strings.FieldsSeq(commands) {
		assert.Contains(t, help, "\n  "+name+" ")
		assert.Contains(t, text, "tripplite "+name+"\n", "a section of its own")
	}
}

func TestManTakesTheManualPage(t *testing.T) {
	code, page, _ := tool(t, "man")
	require.Zero(t, code)
	file := filepath.Join(t.TempDir(), "tripplite.1")
	require.NoError(t, os.WriteFile(file, []byte(page), 0o644))
	require.Contains(t, says(t, "man", "--warnings", "-E", "UTF-8", "-l", file), "TRIPPLITE(1)")
}
