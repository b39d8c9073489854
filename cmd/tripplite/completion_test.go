package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	require.Empty(t, says(t, shell, "-n", file))
	return file
}

// says runs a program and returns what it printed.
func says(t *testing.T, name string, args ...string) string {
	t.Helper()
	command := exec.Command(program.Find(t, name), args...)
	command.Dir = t.TempDir()
	command.Env = append(os.Environ(),
		"HOME="+command.Dir, "XDG_CONFIG_HOME="+command.Dir, "LC_ALL=C.UTF-8")
	require.NoError(t, os.WriteFile(filepath.Join(command.Dir, "my ups.json"), nil, 0o644))
	text, err := command.CombinedOutput()
	require.NoError(t, err, string(text))
	return string(text)
}

// firstWords returns the first word of each line.
func firstWords(text string) (found []string) {
	for line := range strings.Lines(text) {
		word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		found = append(found, word)
	}
	return found
}

func TestWhatMayStandForTheLastWord(t *testing.T) {
	const everyCommand = " --help --path --replay --debug --version"
	for line, want := range map[string]string{
		"w":                     "watch",
		"c":                     "check commands capture completion",
		"--re":                  "--replay",
		"watch --format ":       "json csv text",
		"watch --format = c":    "csv",
		"watch --format =":      "json csv text",
		"watch --format=c":      "--format=csv",
		"watch --e":             "--every",
		"watch -":               "--every --format" + everyCommand,
		"check --lost w":        "warning",
		"check -t ":             "",
		"get input.v":           "input.voltage",
		"be":                    "beeper",
		"do shutdown.":          "shutdown.return shutdown.stayoff shutdown.reboot shutdown.stop",
		"do set.":               "set.auto-restart set.unit-id",
		"do outlet.1.":          "outlet.1.load.off outlet.1.load.on",
		"do load.off --a":       "--after",
		"do load.off --d":       "--debug --dry-run",
		"do load.off --after ":  "",
		"beeper ":               "on off mute --yes --dry-run" + everyCommand,
		"test ":                 "--deep --stop --yes --dry-run" + everyCommand,
		"get ch":                "charge",
		"get time-":             "time-to-empty",
		"completion ":           "bash zsh fish" + everyCommand,
		"--replay smart1500lcd": strings.Join(begins(capture.Names(), "smart1500lcd"), " "),
		"explain pro":           "pro1500rt2u",
		"--path no":             "",
		"--debug get heal":      "health",
	} {
		_, stdout, stderr := tool(t, append([]string{completing}, strings.Split(line, " ")...)...)
		assert.ElementsMatch(t, strings.Fields(want), firstWords(stdout), line)
		assert.Empty(t, stderr, line)
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

func TestShellsComplete(t *testing.T) {
	tripplite := build(t)
	for shell, script := range map[string]string{
		"bash": `source "$1"; COMP_WORDS=("$2" $3 "$4"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
			_tripplite "$2" "$4"; printf '%s\n' "${COMPREPLY[@]}"`,
		"zsh": `autoload -U compinit; compinit -u -D; source "$1"; [[ $_comps[tripplite] = _tripplite ]]
			_describe() { print -l -- ${found%%:*}; }; _files() { print -l *.json; }
			words=("$2" ${=3} "$4"); CURRENT=$#words; _tripplite`,
		"fish": `source $argv[1]; set PATH (dirname $argv[2]) $PATH
			complete -C "tripplite $argv[3] $argv[4]"`,
	} {
		t.Run(shell, func(t *testing.T) {
			file := completions(t, shell)
			for line, want := range map[[2]string][]string{
				{"", "wat"}:             {"watch"},
				{"watch", "--ev"}:       {"--every"},
				{"watch --format", "c"}: {"csv"},
				{"get", "ru"}:           {"runtime"},
				{"get", "input.low"}:    {"input.lowest-voltage"},
				{"check --lost", "w"}:   {"warning"},
				{"do", "shutdown.ret"}:  {"shutdown.return"},
				{"beeper", "m"}:         {"mute"},
				{"test", "--dee"}:       {"--deep"},
				{"explain", "my"}:       {"my ups.json"},
			} {
				args := []string{"-c", script, file, tripplite, line[0], line[1]}
				if shell != "fish" {
					args = slices.Insert(args, 2, shell)
				}
				got := firstWords(strings.ReplaceAll(says(t, shell, args...), `\ `, " "))
				assert.Equal(t, want, got, line)
			}
		})
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
		"tripplite - show what Tripp Lite UPSes say, and give them commands",
		"tripplite watch [flags]", "tripplite do <command> [flags]", "tripplite beeper <state> [flags]",
		"tripplite get [<key>] [flags]",
		"--replay=NAME|FILE", "-w, --warning=NAME=RANGE", "EXIT STATUS", "NO_COLOR",
		`tripplite | jq '.status."ac present"'`, "~:10 (alert above 10)",
	} {
		assert.Contains(t, text, want)
	}
	_, help, _ := tool(t, "--help")
	const commands = "read list status watch check get commands do beeper test capture explain " +
		"completion man"
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
