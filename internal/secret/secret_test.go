package secret

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFileThatOthersCannotReadHasALine(t *testing.T) {
	for _, test := range []struct {
		name, text string
		mode       os.FileMode
		want, says string
	}{
		{"its group may read it", "secret\n", 0o640, "secret", ""},
		{"its owner alone", "a b \r\nmore\n", 0o400, "a b ", ""},
		{"without an end of the line", "secret", 0o600, "secret", ""},
		{"everybody", "secret\n", 0o644, "", "can be read by everybody: chmod o= "},
		{"everybody may write it", "secret\n", 0o602, "", "can be read by everybody: chmod o= "},
		{"empty", "", 0o640, "", "has nothing in its first line"},
		{"an empty line", "\nsecret\n", 0o640, "", "has nothing in its first line"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if runtime.GOOS == "windows" && test.mode&0o007 != 0 {
				t.Skip("files have other permissions here")
			}
			file := filepath.Join(t.TempDir(), "secret")
			require.NoError(t, os.WriteFile(file, []byte(test.text), 0o600))
			require.NoError(t, os.Chmod(file, test.mode))
			got, err := Line(file)
			require.Equal(t, test.want, got)
			if test.says == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, file+" "+test.says)
			}
		})
	}
	_, err := Line(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
