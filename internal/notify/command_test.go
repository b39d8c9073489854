//go:build unix

package notify

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/program"
)

// script returns a command that runs lines of shell, with what it may need as its arguments.
func script(t *testing.T, lines string, args ...string) Config {
	t.Helper()
	return Config{Command: append([]string{program.Find(t, "sh"), "-c", lines, "sh"}, args...)}
}

func TestWhatACommandIsTold(t *testing.T) {
	t.Setenv("TRIPPLITED_SECRET", "hush")
	t.Setenv("LANG", "C.UTF-8")
	file := filepath.Join(t.TempDir(), "told")
	c := script(t, `echo "$# $2" >"$1"; env >>"$1"`, file)
	require.NoError(t, Send(t.Context(), c, outage))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	assert.Equal(t, "2 UPS rack: On battery: charge 97 %.", lines[0], "the sentence comes last")
	var ours []string
	for _, line := range lines[1:] {
		for _, prefix := range []string{"TRIPPLITE", "NOTIFYTYPE", "UPSNAME", "LANG"} {
			if strings.HasPrefix(line, prefix) {
				ours = append(ours, line)
			}
		}
	}
	assert.ElementsMatch(t, []string{
		"LANG=C.UTF-8", "NOTIFYTYPE=ONBATT", "UPSNAME=rack",
		"TRIPPLITE_EVENT=on-battery", "TRIPPLITE_TEXT=On battery: charge 97 %.", "TRIPPLITE_UNIT=rack",
		"TRIPPLITE_PATH=1-4:1.0", "TRIPPLITE_TIME=2026-11-22T12:03:04Z", "TRIPPLITE_HEALTH=97",
		"TRIPPLITE_TIME_TO_EMPTY=2520", "TRIPPLITE_STATUS_AC_PRESENT=false", "TRIPPLITE_INPUT_VOLTAGE=0",
		"TRIPPLITE_CONFIG_DEVICE_CHEMISTRY=Pb[31mAC",
	}, ours)
}

func TestACommandThatFails(t *testing.T) {
	err := Send(t.Context(), script(t, `echo "no such\nnumber" >&2; exit 3`), outage)
	require.ErrorContains(t, err, "exit status 3: no such number")

	_, err = New([]Config{{Command: []string{"/nosuch/notify.sh", "--password", "hush"}}}, "", quiet)
	require.ErrorContains(t, err, "/nosuch/notify.sh")
	require.NotContains(t, err.Error(), "hush")
}
