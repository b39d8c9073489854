//go:build e2e && linux

package poweroff

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/virtualups"
)

const guardStatus = "tripplited --config /etc/tripplited/tripplited.toml guard status"

// withGuard is what a computer with a guard has. A hook and a message write a line to the journal.
func withGuard(config string) map[string]string {
	return map[string]string{
		"etc/tripplited/tripplited.toml": config,
		"usr/local/bin/hook":             "#!/bin/sh\necho \"hook $1: $TRIPPLITE_WHY\" | systemd-cat\n",
		"usr/local/bin/told": "#!/bin/sh\n" +
			"echo \"message $TRIPPLITE_EVENT to $(id -un): $1\" | systemd-cat\n",
	}
}

// The limits are short ones. hold is the usual one: what flaps each second may flap a little slower
// on a busy machine.
const armed = `
[[notify]]
command = ["/usr/local/bin/told"]
[guard]
armed = true
warning = "4s"
`

// messages returns the events that were told, in order.
func (r *run) messages() (events []string) {
	for _, text := range r.lines("message ") {
		_, event, _ := strings.Cut(text, "message ")
		event, _, _ = strings.Cut(event, " to tripplited: ")
		events = append(events, event)
	}
	return events
}

func TestTheComputerGoesDownInOrderAndComesBackWithLinePower(t *testing.T) {
	t.Parallel()
	c := newComputer(t, "smart1500lcd", withGuard(armed+`on_battery = "12s"
lost = "10s"
cut_after = "25s"
[[guard.hook]]
command = ["/usr/local/bin/hook", "one"]
[[guard.hook]]
command = ["/usr/local/bin/hook", "two"]
`))
	r := c.boot()
	ready := r.await("msg=ready")
	r.await("the computer may take") // the guard has asked logind, and found nothing worse
	assert.Empty(t, r.lines("may not power the computer off"))
	c.ResetCounts()

	for _, trouble := range []struct {
		name string
		make func()
	}{
		{"a status that is the charge", func() { c.misreport(6 * time.Second) }},
		{"flags that flap", func() { c.flap(8 * time.Second) }},
		{"a drop", func() { c.drop(3 * time.Second) }},
		{"a self-test", func() {
			c.SetReport(capture.Feature, 0x10, 5) // in progress, by the document of protocol 2012
			c.say(0x0a)                           // line power, and discharging
			time.Sleep(10 * time.Second)
			c.SetReport(capture.Feature, 0x10, 1)
			c.say(c.onLine)
		}},
	} {
		trouble.make()
		assert.Empty(t, r.lines("message "), trouble.name)
		assert.Empty(t, r.lines("a limit is reached"), trouble.name)
	}

	c.setMains(false)
	time.Sleep(11 * time.Second)
	known := len(r.lines("no power failure is known"))
	c.setMains(true)
	r.await("message on-line")
	require.Eventually(t, func() bool {
		return len(r.lines("no power failure is known")) > known
	}, within, lookEach, "the guard believes that the outage is over")
	assert.Equal(t, []string{"on-battery", "on-line"}, r.messages())
	assert.Empty(t, r.lines("a limit is reached"), "line power was back a second before")
	assert.Empty(t, c.writes())

	c.setMains(false)
	failed := time.Now()
	off, how := r.end()
	require.Equal(t, poweredOff, how)
	assert.True(t, c.LoadOn(), "the load has time left")
	r.inOrder("message on-line", "message on-battery", "a limit is reached",
		"message shutdown-planned", "the computer goes down", "message shutting-down",
		"hook one: ups-1-1: on battery", "hook two: ups-1-1: on battery",
		"step name=UPS", `step name="power off"`, "The system will power off now",
		"Stopped tripplited.service", "reboot: Power down")
	assert.Equal(t, []string{"b6 01", "15 19 00"}, c.writes())
	cut := c.awaitLoad(false)
	assert.True(t, cut.After(off), "it is cut after the computer is off")
	t.Logf("booted in %v; off %v after the power failure; cut %v after that",
		ready.Sub(r.booted), off.Sub(failed), cut.Sub(off))

	c.setMains(true)
	c.awaitLoad(true)
	c.ResetCounts()
	r = c.boot()
	r.await("msg=ready")
	r.do("until " + guardStatus + " | grep line.power; do sleep 1; done; " + guardStatus)
	r.await("5. power off: done")
	r.inOrder("armed, watching since 20", "ups-1-1: on line power", "The last time",
		"1. notify: done", "2. hook /usr/local/bin/hook: done", "3. hook /usr/local/bin/hook: done",
		"4. UPS: done", "5. power off: done")
	assert.Empty(t, r.lines("kill-power"), "nothing is left to be done")

	// Line power that is back when the UPS has been told stops nothing.
	c.setMains(false)
	r.await("step name=UPS")
	require.Eventually(t, func() bool { return len(c.writes()) == 2 }, within, lookEach)
	c.setMains(true)
	off, how = r.end()
	require.Equal(t, poweredOff, how)
	assert.True(t, c.awaitLoad(false).After(off))
	c.awaitLoad(true)
}

func TestAUPSThatIsLostOnBatteryTakesTheComputerDown(t *testing.T) {
	t.Parallel()
	c := newComputer(t, "smart1500lcd", withGuard(armed+"lost = \"10s\"\n"))
	r := c.boot()
	r.await("msg=ready")
	c.ResetCounts()
	c.setMains(false)
	r.await("ups-1-1: on battery for")
	c.Unplug()
	lost := time.Now()
	off, how := r.end()
	require.Equal(t, poweredOff, how)
	assert.Greater(t, off.Sub(lost), 10*time.Second)
	r.inOrder("a limit is reached", "lost while on battery", "message shutting-down",
		"step name=UPS", "a step failed", `step name="power off"`)
	assert.Empty(t, c.writes())
}

func TestTheUPSIsToldAfterTheServicesHaveStopped(t *testing.T) {
	t.Parallel()
	files := withGuard(armed + `on_battery = "8s"
cut = "late"
cut_after = "15s"
`)
	files["etc/systemd/system/data.mount"] = "[Mount]\nWhat=tmpfs\nWhere=/data\nType=tmpfs\n"
	c := newComputer(t, "smart1500lcd", files)
	c.enable("data.mount", "local-fs.target")
	c.enable("tripplited-kill-power.service", "poweroff.target")

	r := c.boot()
	r.await("msg=ready")
	c.ResetCounts()
	r.do("systemctl poweroff")
	_, how := r.end()
	require.Equal(t, poweredOff, how)
	assert.Empty(t, c.writes(), "no other power off has the UPS cut the power")

	r = c.boot()
	r.await("msg=ready")
	c.ResetCounts()
	c.setMains(false)
	off, how := r.end()
	require.Equal(t, poweredOff, how)
	r.inOrder("step name=UPS", "The system will power off now", "Stopped tripplited.service",
		"Unmounted data.mount", "Reached target umount.target", "the UPS is told to cut the load",
		"reboot: Power down")
	assert.Equal(t, []string{"b6 01", "15 0f 00"}, c.writes())
	assert.True(t, c.awaitLoad(false).After(off))
	c.setMains(true)
	c.awaitLoad(true)
}

func TestAnOutageOutlastsTheDaemonAndFaultsOfTheUPS(t *testing.T) {
	t.Parallel()
	const limit = 30 * time.Second
	files := withGuard(strings.Replace(armed, "armed = true", "armed = false", 1) +
		"on_battery = \"30s\"\nlost = \"10s\"\n")
	c := newComputer(t, "smart1500lcd", files)
	r := c.boot()
	r.await("msg=ready")
	c.ResetCounts()

	c.setMains(false)
	r.await("ups-1-1: on battery for")
	c.Unplug()
	r.await("all steps are done (dry run)")
	r.inOrder("a limit is reached (dry run)", "lost while on battery",
		`would="The system is asked to power off"`, "all steps are done (dry run)")
	require.NoError(t, c.Plug())
	c.setMains(true)
	r.await("nothing is done: the limit is not reached any more (dry run)")
	assert.Empty(t, c.writes())

	r.do("sed -i s/armed.=.false/armed=true/ /etc/tripplited/tripplited.toml; " +
		"systemctl restart tripplited; echo restarted")
	r.await("]: restarted")
	r.look()
	c.setMains(false)
	failed := time.Now()
	r.await("ups-1-1: on battery for")
	c.misreport(3 * time.Second)
	c.flap(4 * time.Second)
	c.say(discharging)
	time.Sleep(3 * time.Second) // its last word before a drop is what counts
	r.look()
	c.drop(time.Second)
	r.await("lost for")
	r.look()
	r.await("ups-1-1: on battery for")
	r.do("systemctl kill -s KILL tripplited")
	killed := time.Now()
	again := r.await("going on with a power failure")
	acts := r.await("the computer goes down\"")
	t.Logf("killed %v after the power failure, there again after %v, goes down after %v",
		killed.Sub(failed), again.Sub(failed), acts.Sub(failed))
	assert.Greater(t, acts.Sub(failed), limit)
	assert.Less(t, acts.Sub(again), limit, "the time on battery goes on")
	_, how := r.end()
	require.Equal(t, poweredOff, how)
	assert.Equal(t, []string{"b6 01", "15 78 00"}, c.writes())
}

// A 2010 that is told on line power stays off for good.
func TestAComputerWhosePowerIsNotCutRestartsIfThereIsLinePower(t *testing.T) {
	t.Parallel()
	files := withGuard(armed + `on_battery = "8s"
[[guard.hook]]
command = ["/usr/local/bin/await-line-power"]
`)
	// As the user of the service, a hook may ask the UPS.
	files["usr/local/bin/await-line-power"] = "#!/bin/sh\n" +
		"echo hook awaits line power | systemd-cat\n" +
		"until [ \"$(tripplite get status.ac-present)\" = true ]; do :; done\n"
	c := newComputer(t, "avr900u", files)
	r := c.boot()
	r.await("msg=ready")
	r.await("this UPS would not cut its load")
	c.setMains(false)
	r.await("hook awaits line power")
	c.setMains(true)
	_, how := r.end()
	require.Equal(t, restarted, how)
	r.inOrder("would not cut its load", "step name=UPS", "now it would stay off",
		"the computer restarts")
	assert.Empty(t, c.writes())
	assert.True(t, c.LoadOn())
}

// misreport has every second answer for the status be that for the charge, and announcements as
// well (facts.md section 4).
func (c *computer) misreport(d time.Duration) {
	var n atomic.Int64
	c.Fail(func(a virtualups.Answer) virtualups.Answer {
		if n.Add(1)%2 == 1 {
			a.Bytes = []byte{statusReport, 100, 0, 0}
		}
		return a
	}, statusReport)
	defer c.Heal(statusReport)
	for end := time.Now().Add(d); time.Now().Before(end); {
		c.Push(statusReport, 100, 0, 0)
		time.Sleep(time.Second)
	}
}

// flap has the flags of line power change each second.
func (c *computer) flap(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		c.say(discharging)
		time.Sleep(time.Second)
		c.say(c.onLine)
		time.Sleep(time.Second)
	}
}

// drop takes the unit off the bus for a while.
func (c *computer) drop(d time.Duration) {
	c.t.Helper()
	before := c.Counts().Imports
	c.Unplug()
	time.Sleep(d)
	require.NoError(c.t, c.Plug())
	require.Eventually(c.t, func() bool { return c.Counts().Imports > before }, within, lookEach)
}

// The other tests rely on it that a computer that did not power off is told apart.
func TestAComputerCanLoseItsPowerAndCrash(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		command string
		want    ending
	}{
		{"until tripplite do load.off --after 5 --yes; do :; done", powerCut},
		{"echo c >/proc/sysrq-trigger", crashed},
	} {
		t.Run(string(test.want), func(t *testing.T) {
			t.Parallel()
			c := newComputer(t, "smart1500lcd", withGuard(""))
			r := c.boot()
			r.do(test.command)
			_, how := r.end()
			assert.Equal(t, test.want, how)
		})
	}
}
