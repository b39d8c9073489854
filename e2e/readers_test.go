//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Other programs read the virtual UPS too, so that it is not only this project that takes it for a real one. They are Debian's
// nut-server, nut-client and python3-hid, which the suite does without where they are missing; E2E_READERS=1 makes them compulsory.
func needReaders(t testing.TB, files ...string) {
	t.Helper()
	if os.Getenv("E2E_VM") == "" {
		t.Skip("this starts a NUT server, which is for a machine that will be thrown away (E2E_VM)")
	}
	for _, file := range files {
		if _, err := os.Stat(file); err == nil {
			continue
		}
		require.Empty(t, os.Getenv("E2E_READERS"), "%s is missing", file)
		t.Skipf("%s is missing", file)
	}
}

func TestNUTReadsTheSame(t *testing.T) {
	needReaders(t, "/lib/nut/usbhid-ups", "/sbin/upsd", "/bin/upsc")
	attachOne(t, "smart1500lcd")
	startNUT(t)
	said := awaitNUT(t)
	// What numat's README and the capture's notes say, in NUT's words.
	for key, value := range map[string]string{
		"input.voltage": "117.2", "input.frequency": "59.7", "output.voltage": "117.2", "battery.voltage": "27.5",
		"battery.charge": "100", "battery.runtime": "1004", "battery.voltage.nominal": "24.0", "battery.type": "PbAC",
		"output.voltage.nominal": "120", "output.frequency.nominal": "60", "ups.power.nominal": "1500", "ups.load": "36",
		"ups.beeper.status": "enabled", "ups.productid": "2012", "ups.vendorid": "09ae", "ups.mfr": "Tripp Lite", "ups.model": "Tripp Lite UPS",
	} {
		assert.Equal(t, value, said[key], key)
	}
	assert.Contains(t, said["ups.status"], "OL")
	for key, value := range said {
		if !strings.HasPrefix(key, "driver.") {
			t.Log(key, value)
		}
	}

	// Meanwhile NUT holds the unit, by libusb.
	ran := tool(t, nil, "tripplite")
	assert.Equal(t, 1, ran.status)
	assert.Contains(t, oneLine(t, ran.stderr), "another program holds the UPS")
	assert.Contains(t, ran.stderr, "usbhid-ups")
}

// startNUT starts NUT's driver and server for the unit that is attached, until the test ends.
func startNUT(t *testing.T) {
	t.Helper()
	for file, text := range map[string]string{
		"nut.conf":   "MODE=standalone\n",
		"ups.conf":   "[virtual]\ndriver = usbhid-ups\nport = auto\nvendorid = 09ae\nuser = root\n",
		"upsd.conf":  "LISTEN 127.0.0.1 3493\n",
		"upsd.users": "",
	} {
		require.NoError(t, os.MkdirAll("/etc/nut", 0o755))
		require.NoError(t, os.WriteFile(filepath.Join("/etc/nut", file), []byte(text), 0o644))
	}
	require.NoError(t, os.MkdirAll("/run/nut", 0o777))
	require.NoError(t, os.Chmod("/run/nut", 0o777))
	for _, command := range [][]string{{"/lib/nut/usbhid-ups", "-a", "virtual"}, {"/sbin/upsd", "-u", "root"}} {
		ran := tool(t, nil, command[0], command[1:]...)
		require.Zero(t, ran.status, ran.stdout+ran.stderr)
	}
	t.Cleanup(func() {
		tool(t, nil, "/sbin/upsd", "-c", "stop")
		exec.Command("pkill", "usbhid-ups").Run()
		require.Eventually(t, func() bool { return exec.Command("pgrep", "usbhid-ups").Run() != nil }, 10*time.Second, 20*time.Millisecond)
	})
}

// awaitNUT returns what NUT's driver says, once it says something.
func awaitNUT(t *testing.T) map[string]string {
	t.Helper()
	said := map[string]string{}
	require.Eventually(t, func() bool {
		said = upsc(t, "virtual")
		return said["ups.status"] != "" && said["ups.status"] != "WAIT" // for its driver's first data
	}, 30*time.Second, 200*time.Millisecond)
	return said
}

// python reads as the Python project does, with its ten reports.
const python = `
import hid, json
device = hid.device()
device.open(0x09ae, 0x2012)
def number(report, size):
    data = device.get_feature_report(report, size + 1)
    assert data[0] == report, data
    return int.from_bytes(bytes(data[1:1 + size]), "little")
print(json.dumps({
    "config": {"voltage": number(48, 1), "frequency": number(2, 1), "power": number(3, 2)},
    "input": {"voltage": number(24, 2) / 10, "frequency": number(25, 2) / 10},
    "output": {"voltage": number(27, 2) / 10, "power": number(71, 2)},
    "health": number(52, 1),
    "time to empty": number(53, 2),
    "flags": number(50, 1),
}), flush=True)
device.close()
`

func TestPythonReadsTheSame(t *testing.T) {
	modules, err := filepath.Glob("/usr/lib/python3/dist-packages/hid.*.so")
	require.NoError(t, err)
	if len(modules) == 0 {
		modules = []string{"/usr/lib/python3/dist-packages/hid.so"}
	}
	needReaders(t, modules...)
	attachOne(t, "smart1500lcd")
	ran := tool(t, nil, "/usr/bin/python3", "-c", python)
	require.Zero(t, ran.status, ran.stderr)
	var theirs map[string]any
	require.NoError(t, json.Unmarshal([]byte(ran.stdout), &theirs))

	ours := map[string]any{}
	ran = tool(t, nil, "tripplite")
	require.Zero(t, ran.status, ran.stderr)
	require.NoError(t, json.Unmarshal([]byte(ran.stdout), &ours))
	flags := 0.0
	for bit, name := range []string{"shutdown imminent", "ac present", "charging", "discharging", "needs replacement",
		"below remaining capacity", "fully charged", "fully discharged"} {
		if ours["status"].(map[string]any)[name].(bool) {
			flags += float64(int(1) << bit)
		}
	}
	ours["flags"] = flags
	for _, key := range []string{"health", "time to empty", "flags"} {
		assert.Equal(t, theirs[key], ours[key], key)
	}
	for _, group := range []string{"config", "input", "output"} {
		for key, value := range theirs[group].(map[string]any) {
			assert.Equal(t, value, ours[group].(map[string]any)[key], group+"."+key)
		}
	}
}
