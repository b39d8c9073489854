package capture_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
)

func TestEveryBuiltInCaptureLoads(t *testing.T) {
	require.NotEmpty(t, capture.Names())
	for _, name := range capture.Names() {
		t.Run(name, func(t *testing.T) {
			c, err := capture.Load(name)
			require.NoError(t, err)
			require.Equal(t, name, c.Name, "a capture is served under the name of its file")
			require.NotEmpty(t, c.Source, "a capture names its source")
		})
	}
}
