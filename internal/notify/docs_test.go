package notify

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/events"
)

func TestTheDocumentIsTrue(t *testing.T) {
	text, err := os.ReadFile("../../docs/notify.md")
	require.NoError(t, err)
	_, table, _ := strings.Cut(string(text), "## What is told")
	table, services, _ := strings.Cut(table, "## Services")
	for _, kind := range events.Kinds() {
		require.Contains(t, table, "`"+string(kind)+"`")
		if word := words[kind].nut; word != "" {
			require.Regexp(t, "(?m)^\\| `"+string(kind)+"` .*\\| `"+word+"` \\|$", table)
		}
	}
	urls := regexp.MustCompile("`([a-z]+://[^`]+)`").FindAllStringSubmatch(services, -1)
	require.GreaterOrEqual(t, len(urls), 7)
	for _, url := range urls {
		_, err := newService(url[1])
		require.NoError(t, err, url[1])
	}
}
