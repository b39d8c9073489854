package virtualups

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
)

// controllers is a directory like /sys/devices/platform with two virtual host controllers of four
// ports each.
func controllers(t *testing.T) (first string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"vhci_hcd.0/status": "hub port sta spd dev      sockfd local_busid\n" +
			"hs  0000 006 001 00010002 000003 5-1\n" +
			"hs  0001 004 000 00000000 000000 0-0\n" +
			"ss  0002 004 000 00000000 000000 0-0\n" +
			"ss  0003 004 000 00000000 000000 0-0\n",
		"vhci_hcd.0/status.1": "hub port sta spd dev      sockfd local_busid\n" +
			"hs  0004 004 000 00000000 000000 0-0\n" +
			"hs  0005 007 000 00000000 000000 0-0\n" +
			"ss  0006 004 000 00000000 000000 0-0\n" +
			"ss  0007 004 000 00000000 000000 0-0\n",
		"vhci_hcd.0/usb5/speed":    "480\n",
		"vhci_hcd.0/usb5/busnum":   "5\n",
		"vhci_hcd.0/usb5/maxchild": "2\n",
		"vhci_hcd.0/usb6/speed":    "5000\n",
		"vhci_hcd.0/usb6/busnum":   "6\n",
		"vhci_hcd.0/usb6/maxchild": "2\n",
		"vhci_hcd.1/usb7/speed":    "480\n",
		"vhci_hcd.1/usb7/busnum":   "7\n",
		"vhci_hcd.1/usb7/maxchild": "2\n",
	} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	return filepath.Join(dir, "vhci_hcd.0")
}

func TestFreePortsAreThoseOfTheSlowerHubs(t *testing.T) {
	ports, err := freePorts(controllers(t))
	require.NoError(t, err)
	require.Equal(t, []int{1, 4}, ports)
}

func TestWithoutTheModuleTheErrorNamesIt(t *testing.T) {
	_, err := freePorts(t.TempDir())
	require.ErrorContains(t, err, "modprobe vhci-hcd")
	require.ErrorIs(t, err, os.ErrNotExist)

	_, err = deviceName(t.TempDir()+"/vhci_hcd.0", 0)
	require.ErrorContains(t, err, "modprobe vhci-hcd")
}

func TestDeviceNameOfAPort(t *testing.T) {
	directory := controllers(t)
	for port, want := range map[int]string{0: "5-1", 1: "5-2", 4: "7-1", 5: "7-2"} {
		got, err := deviceName(directory, port)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := deviceName(directory, 2)
	require.ErrorContains(t, err, "port 2")
}

func TestUnitThatIsNotAttachedHasNoPath(t *testing.T) {
	s, err := Listen("127.0.0.1:0")
	require.NoError(t, err)
	defer s.Close()
	u := s.Add(&capture.Capture{Interfaces: make([]capture.Interface, 1)})
	_, err = u.Path()
	require.ErrorContains(t, err, "1-1 is not attached")
	require.NoError(t, u.Detach())
}
