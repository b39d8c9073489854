//go:build e2e && linux

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
)

// nobody is an ordinary user, in the groups given.
func nobody(groups ...uint32) *syscall.Credential {
	return &syscall.Credential{Uid: 65534, Gid: 65534, Groups: groups}
}

func TestAnOrdinaryUserNeedsTheRule(t *testing.T) {
	u := attachOne(t, "smart1500lcd")

	ran := tool(t, nobody(), "tripplite")
	assert.Equal(t, 1, ran.status)
	assert.Empty(t, ran.stdout)
	assert.Contains(t, oneLine(t, ran.stderr), "no permission")
	assert.Contains(t, ran.stderr, "udev rule")
	assert.Contains(t, ran.stderr, u.path)

	group := installRule(t)
	ran = tool(t, nobody(group), "tripplite")
	require.Zero(t, ran.status, ran.stderr)
	var object map[string]any
	require.NoError(t, json.Unmarshal([]byte(ran.stdout), &object))
	assert.Equal(t, u.path, object["device_id"])

	ran = tool(t, nobody(), "tripplite")
	assert.Equal(t, 1, ran.status, "who is not in the group still may not")

	other := attachOne(t, "pro1500rt2u") // a twin of another vendor, plugged in after the rule
	ran = tool(t, nobody(group), "tripplite", "--path", other.path)
	assert.Zero(t, ran.status, ran.stderr)
}

// installRule runs the commands by which the README installs the udev rule, and returns its group. The
// rule stays until the test ends.
func installRule(t *testing.T) (group uint32) {
	t.Helper()
	needVM(t)
	const installed = "/etc/udev/rules.d/70-tripplite.rules"
	require.NoFileExists(t, installed)
	t.Cleanup(func() {
		os.Remove(installed)
		udevadm(t, "control", "--reload")
		udevadm(t, "trigger", "--subsystem-match=usb", "--subsystem-match=hidraw")
		udevadm(t, "settle")
	})
	documented(t, "README.md", "## Permissions", nil)
	udevadm(t, "settle")
	return tripplites(t)
}

// documented runs the first block of commands under a heading of a document as it stands there, as
// root in the repository, without the lines that are skipped.
func documented(t *testing.T, file, heading string, skipped func(line string) bool) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", file))
	require.NoError(t, err)
	_, text, found := bytes.Cut(text, []byte("\n"+heading+"\n"))
	require.True(t, found, heading)
	_, text, found = bytes.Cut(text, []byte("```sh\n"))
	require.True(t, found)
	block, _, _ := strings.Cut(string(text), "```")
	script := "set -e; sudo() { \"$@\"; }; USER=nobody\n"
	for line := range strings.Lines(block) {
		if skipped == nil || !skipped(line) {
			script += line
		}
	}
	command := exec.Command("bash", "-c", script)
	command.Dir = ".."
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s, %s: %s", file, heading, output)
}

func TestTheCommandsOfTheDocuments(t *testing.T) {
	needVM(t)
	attachOne(t, "smart1500lcd")
	// A path is an example: the unit is at another port.
	documented(t, "README.md", "## The tool", func(line string) bool {
		return strings.HasPrefix(line, "git clone") || strings.HasPrefix(line, "go install") ||
			strings.Contains(line, "--path")
	})
	documented(t, "docs/commands.md", "## Try it", nil)
	// The program is built by .ci/run, and this machine has no systemd.
	program, err := exec.LookPath("tripplite-exporter")
	require.NoError(t, err)
	require.NoError(t, exec.Command("cp", program, "../tripplite-exporter").Run())
	t.Cleanup(func() { os.Remove("../tripplite-exporter") })
	documented(t, "docs/operating.md", "## Install", func(line string) bool {
		return strings.HasPrefix(line, "go build") || strings.Contains(line, "systemctl")
	})
	t.Cleanup(func() { os.Remove("/etc/udev/rules.d/70-tripplite.rules") })
	udevadm(t, "settle")
	ran := tool(t, nobody(tripplites(t)), "tripplite")
	assert.Zero(t, ran.status, ran.stderr)
	assert.FileExists(t, "/usr/local/bin/tripplite-exporter")
}

// tripplites returns the group of the udev rule.
func tripplites(t *testing.T) uint32 {
	t.Helper()
	group, err := user.LookupGroup("tripplite")
	require.NoError(t, err)
	id, err := strconv.ParseUint(group.Gid, 10, 32)
	require.NoError(t, err)
	return uint32(id)
}

func TestAUnitThatAnotherProgramHoldsIsBusy(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	b, err := tripplite.Open(u.path, tripplite.WithTransport(tripplite.Hidapi))
	if !overHidapi {
		require.ErrorIs(t, err, tripplite.ErrUnsupported, "this program has no hidapi")
		return
	}
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.Close()) })
	for _, transport := range []tripplite.Transport{tripplite.Hidapi, tripplite.Hidraw} {
		_, err := tripplite.Open(u.path, tripplite.WithTransport(transport))
		require.ErrorIs(t, err, tripplite.ErrBusy, "%s, also when the other is of the same program", transport)
		var e *tripplite.Error
		require.ErrorAs(t, err, &e)
		assert.Contains(t, e.Holder, "process "+strconv.Itoa(os.Getpid()), "and which one")
	}

	ran := tool(t, nil, "tripplite")
	assert.Equal(t, 1, ran.status)
	assert.Empty(t, ran.stdout)
	assert.Contains(t, oneLine(t, ran.stderr), "another program holds the UPS")
	assert.Contains(t, ran.stderr, "process "+strconv.Itoa(os.Getpid()))

	_, err = b.Get(t.Context())
	require.NoError(t, err, "the holder is not disturbed")
	require.NoError(t, b.Close())
	ran = tool(t, nil, "tripplite")
	assert.Zero(t, ran.status, ran.stderr)
}

// startHolder starts a program that holds a unit until it is killed.
func startHolder(t testing.TB, path string) *exec.Cmd {
	t.Helper()
	holder := exec.Command("/proc/self/exe")
	holder.Env = append(os.Environ(), holdEnv+"="+path)
	output, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	t.Cleanup(func() { holder.Process.Kill(); holder.Wait() })
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "holds "+path, strings.TrimSpace(line))
	return holder
}

func TestAProgramThatIsKilledLeavesAUnitThatCanBeRead(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	for range 3 {
		holder := startHolder(t, u.path)
		require.NoError(t, holder.Process.Kill())
		_ = holder.Wait()
		if overHidapi { // usbhid stays detached: the descriptor has to come from the unit
			require.Eventually(t, func() bool { return driverOf(u.path) == "" }, 5*time.Second, 5*time.Millisecond)
			files, err := fs.Glob(os.DirFS("/sys/bus/usb/devices"), u.path+"/*/report_descriptor")
			require.NoError(t, err)
			require.Empty(t, files)
		} else {
			require.Equal(t, "usbhid", driverOf(u.path))
		}

		b, err := tripplite.Open(u.path)
		require.NoError(t, err)
		dump, err := b.Dump(t.Context(), 0)
		require.NoError(t, err)
		assert.Equal(t, []byte(load(t, "smart1500lcd").Interfaces[0].Descriptor), dump.Descriptor)
		state, err := b.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, tripplite.ValueOf(117.2), state.Input.Voltage)
		require.NoError(t, b.Close())
	}
}

func TestAnInterfaceThatWasLeftDetachedIsGivenBackToTheKernel(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	require.NoError(t, os.WriteFile("/sys/bus/usb/drivers/usbhid/unbind", []byte(u.path), 0))
	require.Empty(t, driverOf(u.path))
	b, err := tripplite.Open(u.path, tripplite.WithTransport(tripplite.Hidraw))
	require.NoError(t, err)
	requireGood(t, b)
	assert.Equal(t, "usbhid", driverOf(u.path))
	require.NoError(t, b.Close())
	assert.Equal(t, "usbhid", driverOf(u.path))
}
