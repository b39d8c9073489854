//go:build e2e && linux

package poweroff

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// powerOff is the call by which a program has systemd power the computer off.
const powerOff = "/usr/bin/busctl call org.freedesktop.login1 /org/freedesktop/login1 " +
	"org.freedesktop.login1.Manager PowerOff b false"

// onBattery ends when the UPS has no line power any more.
const onBattery = `#!/bin/sh
echo waiting for a power failure
until [ "$(tripplite get status.ac-present)" = false ]; do :; done
`

// offService powers the computer off when line power fails.
const offService = `[Unit]
After=tripplited.service
[Service]
ExecStart=/usr/local/bin/on-battery
ExecStart=` + powerOff + `
Type=oneshot
`

// lateService runs a program when every other service has been stopped and every file system
// unmounted but those of / and /usr. By Before=umount.target it would not run before they are
// unmounted: mounts have no order with it.
const lateService = `[Unit]
DefaultDependencies=no
After=shutdown.target umount.target
Before=final.target
[Service]
Type=oneshot
ExecStart=/usr/local/bin/tripplite do shutdown.return --after 15 --yes
ExecStart=/usr/bin/echo the UPS has been told
`

func TestTheLoadIsCutAfterThePowerOffAndTheComputerComesBackWithLinePower(t *testing.T) {
	c := newComputer(t, "smart1500lcd", map[string]string{
		"etc/tripplited/tripplited.toml":  "",
		"usr/local/bin/on-battery":        onBattery,
		"etc/systemd/system/off.service":  offService,
		"etc/systemd/system/late.service": lateService,
		"etc/systemd/system/data.mount":   "[Mount]\nWhat=tmpfs\nWhere=/data\nType=tmpfs\n",
	})
	c.enable("tripplited.service", "multi-user.target")
	c.enable("off.service", "multi-user.target")
	c.enable("late.service", "poweroff.target")
	c.enable("data.mount", "local-fs.target")
	r := c.boot()
	booted := r.await("waiting for a power failure")
	r.await("UPS answers") // to tripplited
	c.ResetCounts()

	c.setMains(false)
	failed := time.Now()
	off, how := r.end()
	require.Equal(t, poweredOff, how)
	assert.True(t, c.LoadOn(), "the load has time left")
	r.inOrder("The system will power off now", "Stopped tripplited.service", "Unmounted data.mount",
		"Reached target umount.target", "the UPS has been told", "reboot: Power down")
	assert.Equal(t, []string{"b6 01", "15 0f 00"}, c.writes())

	cut := c.awaitLoad(false)
	assert.True(t, cut.After(off), "it is cut after the computer is off")
	t.Logf("booted in %v; off %v after the power failure; cut %v after that",
		booted.Sub(r.booted), off.Sub(failed), cut.Sub(off))

	c.setMains(true)
	c.awaitLoad(true)
	r = c.boot()
	r.await("waiting for a power failure")
}

// polkitRule lets the daemon power the computer off as another user than root. It has to be a user
// of /etc/passwd: D-Bus turns away the users that DynamicUser makes
// (https://github.com/systemd/systemd/issues/22737).
const polkitRule = `polkit.addRule(function(action, subject) {
	if (action.id.indexOf("org.freedesktop.login1.power-off") == 0 && subject.user == "tripplited")
		return polkit.Result.YES;
});
`

func TestTheDaemonsOwnUserMayPowerOffByARuleOfPolkit(t *testing.T) {
	c := newComputer(t, "smart1500lcd", map[string]string{
		"etc/tripplited/tripplited.toml":           "",
		"etc/polkit-1/rules.d/50-tripplited.rules": polkitRule,
		"etc/sysusers.d/tripplited.conf":           "u tripplited -\n",
		"etc/systemd/system/tripplited.service.d/off.conf": "[Unit]\nAfter=dbus.service\n" +
			"[Service]\nDynamicUser=no\nUser=tripplited\nExecStartPost=" + powerOff + "\n",
	})
	c.enable("tripplited.service", "multi-user.target")
	_, how := c.boot().end()
	assert.Equal(t, poweredOff, how)
}

// The other tests rely on it that a computer that did not power off is told apart.
func TestAComputerCanLoseItsPowerAndCrash(t *testing.T) {
	for _, test := range []struct {
		command string
		want    ending
	}{
		{"until /usr/local/bin/tripplite do load.off --after 5 --yes; do :; done", powerCut},
		{"echo c >/proc/sysrq-trigger", crashed},
	} {
		c := newComputer(t, "smart1500lcd", map[string]string{
			"usr/local/bin/end":               "#!/bin/sh\n" + test.command + "\n",
			"etc/systemd/system/ends.service": "[Service]\nExecStart=/usr/local/bin/end\n",
		})
		c.enable("ends.service", "multi-user.target")
		_, how := c.boot().end()
		assert.Equal(t, test.want, how)
	}
}
