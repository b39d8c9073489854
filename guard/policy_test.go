package guard

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
)

const hold = 4 * time.Second

type timelines []struct {
	name, timeline string
	told           []string
}

func (rows timelines) check(t *testing.T, limits Limits) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := Policy{Hold: hold, Limits: limits}
			told, _, _ := play(t, &p, map[string]string{one: row.timeline})
			assert.Equal(t, row.told, told, row.timeline)
		})
	}
}

func TestTheTimeOnBatteryIsALimit(t *testing.T) {
	timelines{
		{"line power for hours", "line 2h", nil},
		{"an outage as long as the limit", "line 1m, battery 40m", []string{"act 31m0s"}},
		{"an outage a second shorter", "line 1m, battery 29m58s, line 2h", nil},
		{"it stops with line power", "line 1m, battery 40m, line 1m", []string{"act 31m0s",
			"stop 41m0s"}},
		{"line power is back just before the limit", "line 1m, battery 29m58s, line 4s, battery 1m",
			[]string{"act 31m2s"}},
		{"line power is back, and not for long enough",
			"line 1m, battery 10m, line 2s, battery 30m", []string{"act 31m0s"}},
		{"line power is back for long enough", "line 1m, battery 10m, line 6s, battery 31m",
			[]string{"act 41m6s"}},
		{"flags that flap for ten minutes", "line 1m, flap 10m, line 2h", nil},
		{"flags that flap around both transfers",
			"line 1m, flap 10s, battery 29m, flap 10s, line 2h", nil},
		{"flags that flap all night", "line 1m, flap 2h", nil},
		{"flags that flap at the limit act when they say battery",
			"line 1m, battery 29m58s, flap 10s, line 10m",
			[]string{"act 31m0s", "stop 31m2s", "act 31m4s", "stop 31m6s"}},
		{"started during an outage", "battery 40m", []string{"act 30m0s"}},
		{"what is not known changes nothing", "line 1m, battery 10m, unknown 5m, battery 20m",
			[]string{"act 31m0s"}},
		{"what is not known is not battery", "unknown 2h", nil},
		{"what is not known after line power", "line 1m, battery 20m, line 2s, unknown 1h", nil},
		{"an announced failure", "line 1m, announce=battery battery 31m", []string{"act 31m0s"}},
		{"an announced failure that is read otherwise", "line 1m, announce=battery line 1h", nil},
		{"an announced return stops until it is read",
			"line 1m, battery 31m, announce=line silent 4s, battery 2s",
			[]string{"act 31m0s", "stop 32m0s", "act 32m4s"}},
		{"a unit without ACPresent", "idle 1m, discharging 40m", []string{"act 31m0s"}},
	}.check(t, Limits{OnBattery: 30 * time.Minute})
}

func TestALimitLowerThanTheHoldWaitsForBelief(t *testing.T) {
	timelines{
		{"not yet", "line 1m, battery 2s, line 1m", nil},
		{"then", "line 1m, battery 1m", []string{"act 1m4s"}},
	}.check(t, Limits{OnBattery: time.Second})
}

func TestTheChargeIsALimit(t *testing.T) {
	timelines{
		{"a low charge on line power", "charge=10 line 2h", nil},
		{"a good charge on battery", "charge=90 line 1m, battery 2h", nil},
		{"a charge at the limit", "charge=30 line 1m, battery 2h", nil},
		{"it falls below", "charge=90 line 1m, battery 10m, charge=29 battery 10m",
			[]string{"act 11m4s"}},
		{"it is low already when line power fails", "charge=20 line 1m, battery 10m",
			[]string{"act 1m4s"}},
		{"one odd reading",
			"charge=90 line 1m, battery 10m, charge=0 battery 2s, charge=88 battery 1h", nil},
		{"two odd readings", "charge=90 battery 1m, charge=0 battery 4s, charge=88 battery 1h", nil},
		{"an odd reading, and then none",
			"charge=90 battery 1m, charge=0 battery 2s, charge=? battery 1h", nil},
		{"a low reading, none, and a low one",
			"charge=90 battery 1m, charge=9 battery 2s, charge=? battery 1m, charge=8 battery 1m",
			[]string{"act 2m2s"}},
		{"a low charge, believed, and then none",
			"charge=90 battery 1m, charge=9 battery 10s, charge=? battery 1m",
			[]string{"act 1m4s"}},
		{"a charge that was never known", "battery 2h", nil},
		{"a charge of the last outage tells nothing of this one",
			"charge=9 battery 10s, charge=? line 2h, battery 1h", []string{"act 4s", "stop 10s"}},
		{"a charge of the last outage does not begin this one",
			"charge=9 battery 2s, charge=? line 2h, battery 1h, charge=50 battery 1h", nil},
		{"announced States hold no charge",
			"charge=90 battery 1m, charge=9 announce=battery silent 2s, " +
				"charge=88 announce=battery battery 1h",
			nil},
		{"announced States do not take it back",
			"charge=90 battery 1m, charge=9 battery 2s, announce=battery battery 1m",
			[]string{"act 1m4s"}},
		{"it rises again", "charge=20 battery 1m, charge=31 battery 1m", []string{"act 4s",
			"stop 1m0s"}},
		{"a charge of zero", "charge=90 battery 1m, charge=0 battery 1m", []string{"act 1m4s"}},
		{"a partial reading", "charge=90 partial=yes battery 1m, charge=20 battery 1m",
			[]string{"act 1m4s"}},
		{"line power is back just before it lasts",
			"charge=90 battery 1m, charge=20 battery 4s, line 2s, battery 1m", []string{"act 1m6s"}},
	}.check(t, Limits{Charge: 30})
}

func TestTheRunTimeIsALimit(t *testing.T) {
	timelines{
		{"a short one on line power", "left=1m line 2h", nil},
		{"a long one on battery", "left=1h line 1m, battery 2h", nil},
		{"at the limit", "left=5m battery 2h", nil},
		{"below", "left=10m battery 1m, left=4m59s battery 1m", []string{"act 1m4s"}},
		{"short already when line power fails", "left=1m line 1m, battery 10m", []string{"act 1m4s"}},
		{"one odd reading", "left=10m battery 1m, left=0s battery 2s, left=10m battery 1h", nil},
		{"an odd reading, and then none",
			"left=10m battery 1m, left=0s battery 2s, left=? battery 1h", nil},
		{"never known", "battery 2h", nil},
		{"it rises again", "left=1m battery 1m, left=6m battery 1m", []string{"act 4s", "stop 1m0s"}},
		{"of the last outage", "left=1m battery 10s, left=? line 2h, battery 1h",
			[]string{"act 4s", "stop 10s"}},
	}.check(t, Limits{RunTime: 5 * time.Minute})
}

func TestTheUnitsOwnLowBatteryIsALimit(t *testing.T) {
	for _, flag := range []string{"imminent", "expired", "below"} {
		timelines{
			{"on line power", flag + "=yes line 2h", nil},
			{"on battery", "line 1m, battery 1m, " + flag + "=yes battery 1m", []string{"act 2m4s"}},
			{"from the start of the outage", flag + "=yes line 1m, battery 1m", []string{"act 1m4s"}},
			{"on line power that turns battery for a moment", flag + "=yes line 1m, flap 1h", nil},
			{"once", "battery 1m, " + flag + "=yes battery 2s, " + flag + "=no battery 1h", nil},
			{"once, and then it is not known",
				"battery 1m, " + flag + "=yes battery 2s, " + flag + "=? battery 1h", nil},
			{"known again",
				"battery 1m, " + flag + "=yes battery 2s, " + flag + "=? battery 2s, " +
					flag + "=yes battery 1m",
				[]string{"act 1m4s"}},
			{"taken back", flag + "=yes battery 1m, " + flag + "=no battery 1m", []string{"act 4s",
				"stop 1m0s"}},
			{"announced once, and read otherwise",
				"battery 1m, " + flag + "=yes announce=battery silent 2s, " + flag + "=no battery 1h",
				nil},
			{"announced, and then read",
				"battery 1m, " + flag + "=yes announce=battery silent 2s, battery 1m",
				[]string{"act 1m4s"}},
			{"an announcement does not take it back",
				"battery 1m, " + flag + "=yes battery 2s, " + flag + "=no announce=battery silent 2s, " +
					flag + "=yes battery 1m",
				[]string{"act 1m4s"}},
			{"of the last outage", flag + "=yes battery 10s, " + flag + "=? line 1h, battery 1h",
				[]string{"act 4s", "stop 10s"}},
		}.check(t, Limits{Low: true})
	}
	timelines{
		{"one flag once, and another",
			"battery 1m, imminent=yes battery 2s, imminent=no below=yes battery 2s, below=no battery 1m",
			nil},
		{"by Discharging", "idle 1m, below=yes discharging 1m", []string{"act 1m4s"}},
	}.check(t, Limits{Low: true})
	timelines{
		{"not asked for", "imminent=yes expired=yes below=yes charge=0 left=0s battery 2h", nil},
	}.check(t, Limits{})
}

func TestALostUnitIsALimitOnlyWhileOnBattery(t *testing.T) {
	timelines{
		{"lost on line power", "line 1m, lost 2h", nil},
		{"silent on line power", "line 1m, silent 2h", nil},
		{"lost from the start", "lost 2h", nil},
		{"not found from the start", "notfound 2h", nil},
		{"lost while on battery", "line 1m, battery 1m, lost 10m", []string{"act 3m0s"}},
		{"gone while on battery", "line 1m, battery 1m, notfound 10m", []string{"act 3m0s"}},
		{"lost just when line power fails", "line 1m, battery 2s, lost 10m", []string{"act 2m2s"}},
		{"lost just when a failure is announced", "line 1m, announce=battery lost 10m",
			[]string{"act 2m0s"}},
		{"lost after a flap", "line 1m, battery 2s, line 2s, lost 10m", nil},
		{"lost just when line power is back", "line 1m, battery 1m, line 2s, lost 10m", nil},
		{"lost just when a return is announced", "line 1m, battery 1m, announce=line lost 10m", nil},
		{"back in time", "line 1m, battery 1m, lost 58s, battery 1m", nil},
		{"back on line power", "line 1m, battery 1m, lost 10m, line 1m", []string{"act 3m0s",
			"stop 12m0s"}},
		{"back on battery", "line 1m, battery 1m, lost 10m, battery 1m", []string{"act 3m0s",
			"stop 12m0s"}},
		{"a drop after each reading",
			"battery 10s, lost 50s, battery 2s, lost 50s, battery 2s, lost 1m", nil},
		{"never told whether it is on battery", "unknown 1m, lost 2h", nil},
		{"another error while it is lost", "battery 1m, lost 30s, denied 10s, lost 10m",
			[]string{"act 2m0s"}},
		{"lost, and a State that does not tell", "battery 1m, lost 50s, unknown 2s, lost 10m",
			[]string{"act 2m52s"}},

		{"silent while on battery", "battery 1m, silent 10m", []string{"act 1m58s"}},
		// since its last State
		{"a status that makes no sense", "battery 1m, status 10m", []string{"act 1m58s"}},
		{"busy", "battery 1m, busy 10m", []string{"act 1m58s"}},
		{"no permission", "battery 1m, denied 10m", []string{"act 1m58s"}},
		{"a time-out", "battery 1m, timeout 10m", []string{"act 1m58s"}},
		{"closed", "battery 1m, closed 10m", []string{"act 1m58s"}},
		{"not supported", "battery 1m, unsupported 10m", []string{"act 1m58s"}},
		{"first a status that makes no sense, then lost", "battery 1m, status 10s, lost 10m",
			[]string{"act 2m10s"}},
		{"first silent, then lost", "battery 1m, silent 50s, lost 10m", []string{"act 1m58s"}},
		{"no answer, for less than the limit", "battery 1m, status 56s, battery 1h", nil},
	}.check(t, Limits{Lost: time.Minute})
}

func TestSilenceShorterThanTheLimitIsNoLoss(t *testing.T) {
	timelines{
		{"silent for less", "battery 1m, silent 26s, battery 1h", nil},
		{"silent for so long", "battery 1m, silent 10m", []string{"act 1m28s"}},
		{"not there", "battery 1m, lost 10m", []string{"act 1m5s"}},
	}.check(t, Limits{Lost: 5 * time.Second})
	p := Policy{Hold: hold, Limits: Limits{Lost: 5 * time.Second}, Silence: 10 * time.Second}
	told, _, _ := play(t, &p, map[string]string{one: "battery 1m, silent 10m"})
	assert.Equal(t, []string{"act 1m8s"}, told, "with a Silence of ten seconds")
}

func TestALossShorterThanTheHoldIsNotBelieved(t *testing.T) {
	timelines{
		{"not yet", "battery 1m, lost 2s, battery 1h", nil},
		{"then", "battery 1m, lost 10m", []string{"act 1m4s"}},
	}.check(t, Limits{Lost: time.Second})
}

func TestWhileAUnitIsLostNoLimitCountsButThat(t *testing.T) {
	all := Limits{OnBattery: 10 * time.Minute, Charge: 30, RunTime: 5 * time.Minute, Low: true,
		Lost: time.Hour}
	timelines{
		{"on battery for long enough, and lost", "battery 1m, lost 30m, battery 1m",
			[]string{"act 31m0s"}},
		{"a limit that it was at", "battery 11m, lost 30m, line 1m", []string{"act 10m0s",
			"stop 41m0s"}},
		{"lost for long enough", "battery 1m, lost 2h", []string{"act 1h1m0s"}},
		{"a low charge that it had", "charge=20 below=yes left=1m battery 4s, lost 30m", nil},
		{"a low charge that was believed", "charge=20 battery 1m, lost 5m, charge=90 battery 1m",
			[]string{"act 4s", "stop 6m0s"}},
		{"a limit that it was at before it was lost once more",
			"charge=20 battery 1m, lost 1m, charge=90 battery 2s, lost 10m", []string{"act 4s",
				"stop 2m0s"}},
		{"until it counts as lost, the others count", "battery 9m50s, silent 1h",
			[]string{"act 10m0s"}},
	}.check(t, all)
	all.Lost = 0
	timelines{
		{"the time on battery counts on where no loss is asked for", "battery 1m, lost 30m",
			[]string{"act 10m0s"}},
		{"from the State that showed the failure", "line 1m, battery 2s, lost 30m",
			[]string{"act 11m0s"}},
		{"also while it is silent", "battery 1m, silent 30m", []string{"act 10m0s"}},
		{"not the charge that it had", "charge=20 below=yes left=1m battery 4s, lost 8m", nil},
		{"not on line power", "line 1m, lost 2h", nil},
		{"not when line power is back", "battery 1m, line 2s, lost 2h", nil},
	}.check(t, all)
	timelines{
		{"no limit on time at all", "charge=20 battery 2s, lost 2h", nil},
	}.check(t, Limits{Charge: 30})
}

func TestFaultsOfTheFieldWithinAnOutage(t *testing.T) {
	drop := "line 1h, battery 5m, lost 4s, "
	timelines{
		{"a drop", drop + "battery 1h", []string{"act 1h30m0s"}},
		{"a drop after which line power is back", drop + "line 2h", nil},
		{"a drop at the transfer", "line 1h, battery 2s, lost 4s, battery 1h", []string{"act 1h30m0s"}},
		{"a drop at the transfer back", "line 1h, battery 5m, line 2s, lost 4s, line 2h", nil},
		{"a drop every 15 s", "line 1h" + repeated(", battery 10s, lost 4s", 200),
			[]string{"act 1h30m0s"}},
		{"unplugged for a while", "line 1h, battery 5m, lost 1m, denied 4s, battery 1h",
			[]string{"act 1h30m0s"}},
		{"unplugged for too long", "line 1h, battery 5m, lost 1h", []string{"act 1h7m0s"}},
		{"locked up", "line 1h, battery 5m, silent 1h", []string{"act 1h6m58s"}},
		{"locked up on line power", "line 1h, silent 2h", nil},
		{"a status that makes no sense, for a while", "line 1h, status 10s, line 2h", nil},
		{"the same during an outage", "line 1h, battery 5m, status 10s, battery 1h",
			[]string{"act 1h30m0s"}},
		{"a false power failure again and again", "line 1h" + repeated(", battery 2s, line 1m", 60),
			nil},
		{"a false return", "line 1h, battery 5m" + repeated(", line 2s, battery 5m", 5),
			[]string{"act 1h30m0s"}},
		{"flapping around both transfers", "line 1h, flap 20s, battery 5m, flap 20s, line 2h", nil},
		{"a charge under the id of the status",
			"line 1h, charge=100 battery 1m, charge=0 battery 2s, charge=99 battery 20m", nil},
	}.check(t, Limits{OnBattery: 30 * time.Minute, Charge: 30, Low: true, Lost: 2 * time.Minute})
}

func repeated(text string, times int) (all string) {
	for range times {
		all += text
	}
	return all
}

func TestATestIsNoOutage(t *testing.T) {
	timelines{
		{"without a word about a test", "idle 1m, discharging 2m", []string{"act 2m0s"}},
		{"a test that is said at once", "idle 1m, test=5 discharging 4m, test=1 idle 1h", nil},
		{"a test that is said when it is believed already",
			"idle 1m, discharging 10s, test=5 discharging 4m, test=1 idle 1h", nil},
		{"the test has passed, and the outage lasts",
			"idle 1m, test=5 discharging 10s, test=1 discharging 2m", []string{"act 2m10s"}},
		{"a test that was said to have passed", "idle 1m, test=1 discharging 2m", []string{"act 2m0s"}},
		{"a test that never ends", "idle 1m, test=5 discharging 10m", []string{"act 7m0s"}},
		{"a test that is said again and again", "idle 1m" + repeated(", test=5 discharging 1m", 10),
			[]string{"act 7m0s"}},
		{"one test after the other",
			"idle 1m, test=5 discharging 4m, test=1 idle 1m, test=5 discharging 4m, test=1 idle 1h",
			nil},
		{"line power is seen to be back during a test",
			"idle 1m, discharging 30s, test=5 idle 10s, test=1 discharging 40s, idle 1h", nil},
		{"a test during an outage",
			"idle 1m, discharging 10s, test=5 discharging 2m, test=1 discharging 1m",
			[]string{"act 3m10s"}},
		{"a test on a unit with ACPresent", "line 1m, test=5 battery 2m", []string{"act 2m0s"}},
		{"one with ACPresent that does not say it now",
			"line 1m, battery 2s, test=5 unknown 2s, battery 1h", []string{"act 2m0s"}},
		{"lost during a test", "idle 1m, test=5 discharging 10s, lost 2h", nil},
		{"a low battery in a test",
			"idle 1m, test=5 below=yes charge=1 discharging 4m, test=1 idle 1h", nil},
	}.check(t, Limits{OnBattery: time.Minute, Low: true, Charge: 30, Lost: time.Minute})
}

func TestAPauseOfTheProgramIsNeitherLossNorOutage(t *testing.T) {
	timelines{
		{"line power is back when it goes on", "battery 1m, asleep 1h, line 1h", nil},
		{"line power is back some seconds later", "battery 1m, asleep 1h, silent 20s, line 1h", nil},
		{"the outage lasts", "battery 1m, asleep 1h, battery 1m", []string{"act 1h1m0s"}},
		{"nothing is heard any more", "battery 1m, asleep 1h, silent 10m", []string{"act 1h1m30s"}},
		{"the unit is lost when it goes on", "battery 1m, asleep 1h, lost 10m", []string{"act 1h2m0s"}},
		{"it was lost before, and is back", "battery 1m, lost 10s, asleep 1h, silent 2s, line 1h", nil},
		{"it was lost before, and is not back", "battery 1m, lost 10s, asleep 1h, silent 1h",
			[]string{"act 1h1m14s"}},
		{"a pause shorter than Silence", "battery 50s, asleep 20s, battery 1h", []string{"act 10m0s"}},
	}.check(t, Limits{OnBattery: 10 * time.Minute, Lost: time.Minute})
}

func TestAnOutageOfAnEarlierRunGoesOn(t *testing.T) {
	ago := func(d time.Duration) time.Time { return started.Add(-d) }
	long := Outage{one, ago(time.Hour), ago(time.Hour - 10*time.Minute)}
	short := Outage{one, ago(5 * time.Minute), ago(10 * time.Second)}
	for _, row := range []struct {
		name     string
		outage   Outage
		timeline string
		told     []string
	}{
		{"it lasts", short, "battery 1h", []string{"act 25m0s"}},
		{"it has lasted for long enough", long, "battery 1h", []string{"act 0s"}},
		{"it is announced", short, "announce=battery battery 1h", []string{"act 25m0s"}},
		{"it is over", long, "line 1h", nil},
		{"it is over, and one State later there is another", long, "line 2s, battery 40m",
			[]string{"act 30m2s"}},
		{"it was over, and there is a flap", short, "line 2s, battery 2s, line 2h", nil},
		{"the unit is not there", short, "lost 1h", []string{"act 50s"}},
		{"the unit has not been there for long", long, "lost 1h", []string{"act 4s"}},
		{"the unit is there a moment later", long, "lost 2s, line 1h", nil},
		{"the unit is there a moment later, on battery", short, "notfound 2s, battery 1h",
			[]string{"act 25m0s"}},
		{"the unit says nothing", long, "silent 1h", []string{"act 30s"}},
		{"the unit may not be opened", long, "denied 1h", []string{"act 30s"}},
		{"nobody can tell yet", long, "silent 28s, line 1h", nil},
		{"a State does not tell", short, "unknown 4s, lost 10m", []string{"act 1m4s"}},
		{"Seen before Since", Outage{one, ago(time.Minute), ago(time.Hour)}, "lost 2h", nil},
		{"without a time", Outage{Path: one}, "lost 2h", nil},
		{"without Since", Outage{Path: one, Seen: ago(time.Minute)}, "lost 2h", nil},
		{"seen once", Outage{one, ago(time.Minute), ago(time.Minute)}, "lost 2h", []string{"act 4s"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := Policy{Hold: hold, Limits: Limits{OnBattery: 30 * time.Minute, Lost: time.Minute}}
			p.Resume(row.outage)
			told, _, _ := play(t, &p, map[string]string{one: row.timeline})
			assert.Equal(t, row.told, told, row.timeline)
		})
	}
	p := Policy{Hold: hold, Limits: Limits{OnBattery: 30 * time.Minute}}
	p.Resume(long)
	told, _, _ := play(t, &p, map[string]string{one: "lost 1h"})
	assert.Equal(t, []string{"act 4s"}, told,
		"the time on battery counts on where no loss is asked for")
}

func TestAUnitThatIsKnownIsNotResumed(t *testing.T) {
	p := Policy{Hold: hold, Limits: Limits{OnBattery: time.Minute}}
	play(t, &p, map[string]string{one: "line 10s"})
	p.Resume(Outage{one, started.Add(-time.Hour), started})
	assert.Empty(t, p.Outages())
}

func TestOutagesAreWhatALaterRunResumes(t *testing.T) {
	since, at := started.Add(time.Minute), func(d time.Duration) time.Time { return started.Add(d) }
	for timeline, want := range map[string][]Outage{
		"line 1m":                                          nil,
		"lost 1m":                                          nil,
		"line 1m, battery 4s":                              nil,
		"line 1m, battery 5s":                              {{one, since, at(64 * time.Second)}},
		"line 1m, battery 10m":                             {{one, since, at(658 * time.Second)}},
		"line 1m, battery 10m, unknown 10s":                {{one, since, at(658 * time.Second)}},
		"line 1m, battery 10m, lost 10m":                   {{one, since, at(658 * time.Second)}},
		"line 1m, battery 10m, silent 10m":                 {{one, since, at(658 * time.Second)}},
		"line 1m, battery 2s, lost 1s":                     {{one, since, at(60 * time.Second)}},
		"line 1m, battery 10m, line 4s":                    {{one, since, at(658 * time.Second)}},
		"line 1m, battery 10m, line 5s":                    nil,
		"line 1m, battery 10m, line 2s, lost 1m":           nil,
		"line 1m, lost 1m":                                 nil,
		"idle 1m, discharging 10m":                         {{one, since, at(658 * time.Second)}},
		"idle 1m, discharging 10s, test=5 discharging 10s": nil,
	} {
		p := Policy{Hold: hold}
		play(t, &p, map[string]string{one: timeline})
		assert.Equal(t, want, p.Outages(), timeline)
		if want == nil || timeline == "idle 1m, discharging 10m" {
			continue
		}
		again := Policy{Hold: hold}
		again.Resume(want[0])
		assert.Equal(t, want, again.Outages(), "as it was")
		play(t, &again, map[string]string{one: "lost 10s"})
		assert.Equal(t, want, again.Outages(), "the unit is not there")
		play(t, &again, map[string]string{one: "line 1s"})
		assert.Empty(t, again.Outages(), "line power is back")
	}
}

const two, three = "1-2:1.0", "1-3:1.0"

func TestSeveralUnits(t *testing.T) {
	paths := []string{two, one, one}
	for _, row := range []struct {
		name      string
		paths     []string
		all       bool
		timelines map[string]string
		told      []string
	}{
		{"any of two", nil, false, map[string]string{one: "line 1h", two: "line 1m, battery 1h"},
			[]string{"act 11m0s"}},
		{"any, the first", nil, false, map[string]string{one: "line 1m, battery 1h",
			two: "line 1h"}, []string{"act 11m0s"}},
		{"all of two, one is", nil, true, map[string]string{one: "line 1h",
			two: "line 1m, battery 1h"}, nil},
		{"all of two, both are", nil, true, map[string]string{one: "battery 1h",
			two: "line 1m, battery 1h"}, []string{"act 11m0s"}},
		{"all of two, one no longer", nil, true, map[string]string{one: "battery 10m30s, line 1h",
			two: "line 1m, battery 1h"}, nil},
		{"all, one is lost on battery", nil, true, map[string]string{one: "battery 1m, lost 1h",
			two: "line 1m, battery 1h"}, []string{"act 11m0s"}},
		{"all, one is lost on line power", nil, true, map[string]string{one: "line 1m, lost 1h",
			two: "line 1m, battery 1h"}, nil},
		{"all of those seen", nil, true, map[string]string{one: "notfound 1h",
			two: "line 1m, battery 1h"}, []string{"act 11m0s"}},
		{"all of none", nil, true, map[string]string{one: "notfound 1h"}, nil},
		{"a unit that feeds another computer", paths, false, map[string]string{three: "battery 1h"},
			nil},
		{"one of those that feed this computer", paths, false, map[string]string{one: "line 1h",
			two: "line 1m, battery 1h", three: "line 1h"}, []string{"act 11m0s"}},
		{"all of those that feed this computer", paths, true, map[string]string{one: "battery 1h",
			two: "line 1m, battery 1h", three: "line 1h"}, []string{"act 11m0s"}},
		{"all, one was never seen", paths, true, map[string]string{two: "battery 1h"}, nil},
		{"all, one was never there", paths, true, map[string]string{one: "notfound 1h",
			two: "battery 1h"}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := Policy{Hold: hold, Limits: Limits{OnBattery: 10 * time.Minute, Lost: time.Minute},
				Paths: row.paths, All: row.all}
			told, _, _ := play(t, &p, row.timelines)
			assert.Equal(t, row.told, told)
		})
	}
}

func TestADecisionSaysWhatIsGoingOn(t *testing.T) {
	limits := Limits{OnBattery: 30 * time.Minute, Charge: 30, RunTime: 5 * time.Minute, Low: true,
		Lost: 2 * time.Minute}
	at := func(d time.Duration) time.Time { return started.Add(d) }
	minute := at(time.Minute)
	for timeline, want := range map[string]struct {
		why  string
		unit Unit
	}{
		"lost 1s":    {"no power failure is known", Unit{}},
		"unknown 1s": {"no power failure is known", Unit{Path: one}},
		"line 1m": {"no power failure is known",
			Unit{Path: one, Known: true, LinePower: true}},
		"line 1m, lost 1m": {"no power failure is known",
			Unit{Path: one, Known: true, Lost: true, LostSince: minute}},
		"line 1m, battery 3s": {"no power failure is known", Unit{Path: one, Known: true}},
		"line 1m, battery 61s": {"1-1:1.0: on battery for 1m0s", Unit{Path: one, Known: true,
			OnBattery: true, Since: minute, At: at(31 * time.Minute), Because: "on battery for 30m0s"}},
		"line 1m, battery 1m, line 1s": {"1-1:1.0: on battery for 1m0s", Unit{Path: one, Known: true,
			OnBattery: true, LinePower: true, Since: minute}},
		"line 1m, battery 1m, lost 11s": {"1-1:1.0: on battery for 1m10s, lost for 10s",
			Unit{Path: one, Known: true, OnBattery: true, Since: minute, Lost: true,
				LostSince: at(2 * time.Minute), At: at(4 * time.Minute),
				Because: "lost while on battery for 2m0s"}},
		"battery 2s, lost 11s": {"1-1:1.0: on battery for 12s, lost for 10s",
			Unit{Path: one, Known: true, OnBattery: true, Since: started, Lost: true,
				LostSince: at(2 * time.Second), At: at(122 * time.Second),
				Because: "lost while on battery for 2m0s"}},
		"line 1m, battery 1m, lost 121s": {"1-1:1.0: lost while on battery for 2m0s (limit 2m0s)",
			Unit{Path: one, Known: true, OnBattery: true, Since: minute, Lost: true,
				LostSince: at(2 * time.Minute), At: at(4 * time.Minute),
				Because: "lost while on battery for 2m0s",
				Reached: []string{"lost while on battery for 2m0s (limit 2m0s)"}}},
		"line 1m, charge=25.5 left=4m below=yes battery 31m": {
			"1-1:1.0: on battery for 30m59s (limit 30m0s) and a charge of 25.5 % (limit 30 %) and " +
				"a run time of 4m0s (limit 5m0s) and the charge is below the unit's own limit",
			Unit{Path: one, Known: true, OnBattery: true, Since: minute,
				At: at(32*time.Minute - time.Second), Because: "on battery for 30m0s",
				Reached: []string{"on battery for 30m59s (limit 30m0s)", "a charge of 25.5 % (limit 30 %)",
					"a run time of 4m0s (limit 5m0s)", "the charge is below the unit's own limit"}}},
		"line 1m, imminent=yes expired=yes battery 5s": {
			"1-1:1.0: the unit is about to switch off and the run time left is below the unit's own limit",
			Unit{Path: one, Known: true, OnBattery: true, Since: minute, At: at(64 * time.Second),
				Because: "the unit is about to switch off",
				Reached: []string{"the unit is about to switch off",
					"the run time left is below the unit's own limit"}}},
		"left=10m line 1m, battery 11s": {"1-1:1.0: on battery for 10s", Unit{Path: one, Known: true,
			OnBattery: true, Since: minute, At: at(6*time.Minute + 10*time.Second),
			Because: "a run time below 5m0s"}},
		"left=10m line 1m, left=? battery 11s": {"1-1:1.0: on battery for 10s", Unit{Path: one,
			Known: true, OnBattery: true, Since: minute, At: at(31 * time.Minute),
			Because: "on battery for 30m0s"}},
		"left=1h battery 1m, left=4m battery 1s": {"1-1:1.0: on battery for 1m0s", Unit{Path: one,
			Known: true, OnBattery: true, Since: started, At: at(64 * time.Second),
			Because: "a run time below 5m0s"}},
		"charge=90 battery 1m, charge=29 battery 1s": {"1-1:1.0: on battery for 1m0s", Unit{Path: one,
			Known: true, OnBattery: true, Since: started, At: at(64 * time.Second),
			Because: "a charge below 30 %"}},
		"battery 1m, below=yes battery 1s": {"1-1:1.0: on battery for 1m0s", Unit{Path: one,
			Known: true, OnBattery: true, Since: started, At: at(64 * time.Second),
			Because: "the charge is below the unit's own limit"}},
		"charge=29 battery 2s, charge=? battery 10s": {"1-1:1.0: on battery for 11s", Unit{Path: one,
			Known: true, OnBattery: true, Since: started, At: at(11 * time.Second),
			Because: "a charge below 30 %"}}, // as soon as another reading says so
		"idle 1m, discharging 10s, test=5 discharging 2s": {"no power failure is known",
			Unit{Path: one, Known: true}},
	} {
		t.Run(timeline, func(t *testing.T) {
			p := Policy{Hold: hold, Limits: limits}
			_, d, _ := play(t, &p, map[string]string{one: timeline})
			assert.Equal(t, want.why, d.Why)
			assert.Equal(t, len(want.unit.Reached) > 0, d.Act)
			assert.Equal(t, want.unit.At, d.At)
			if want.unit.Path == "" {
				assert.Empty(t, d.Units)
				return
			}
			assert.Equal(t, []Unit{want.unit}, d.Units)
		})
	}
}

func TestTheEstimateIsByTheLineThroughTheCharges(t *testing.T) {
	limits := Limits{Charge: 30}
	at := func(d time.Duration) time.Time { return started.Add(d) }
	falls := func(from, by float64, every time.Duration, times int) (timeline string) {
		for range times {
			timeline += ", charge=" + tripplite.ValueOf(from).String() + " battery " + every.String()
			from -= by
		}
		return timeline[2:]
	}
	for name, row := range map[string]struct {
		timeline string
		at       time.Time
	}{
		"too short a time": {falls(100, 1, 10*time.Second, 12), time.Time{}},
		"too small a fall": {falls(100, 1, 5*time.Minute, 2), time.Time{}},
		"no fall":          {falls(100, 0, 10*time.Minute, 2), time.Time{}},
		"it rises":         {falls(40, -1, 10*time.Minute, 5), time.Time{}},
		"a tenth of a point every two seconds": {falls(100, 0.125, 2*time.Second, 201),
			at(1120 * time.Second)},
		"after a time with other readings": {"charge=50 line 10h, " + falls(100, 0.125,
			2*time.Second, 201), at(10*time.Hour + 1120*time.Second)},
		"after another outage": {"charge=90 battery 10m, line 50m, " + falls(100,
			0.125, 2*time.Second, 201), at(time.Hour + 1120*time.Second)},
		"of the last outage": {falls(100, 0.125, 2*time.Second,
			201) + ", charge=? line 1h, battery 1h", time.Time{}},
		"line power is back": {falls(100, 0.125, 2*time.Second,
			201) + ", line 2s", time.Time{}},
		"so slow that it tells nothing for now": {"charge=100 battery 5h, charge=98 battery 2s",
			time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			p := Policy{Hold: hold, Limits: limits}
			_, d, _ := play(t, &p, map[string]string{one: row.timeline})
			require.False(t, d.Act)
			assert.WithinDuration(t, row.at, d.At, time.Millisecond)
			assert.Equal(t, !row.at.IsZero(), d.Units[0].Because == "a charge below 30 %")
		})
	}
}

func TestAnEstimateIsNeverInThePast(t *testing.T) {
	p := Policy{Hold: hold, Limits: Limits{Charge: 30}}
	// The line through these falls below 30 % before the last reading, which is 31 %.
	_, d, now := play(t, &p, map[string]string{one: "charge=60 battery 1m, charge=40 battery 1m, " +
		"charge=31 battery 10m"})
	require.False(t, d.Act)
	assert.Equal(t, now, d.At)
}

func TestTheEstimateOfALostUnitIsByItsLossAlone(t *testing.T) {
	p := Policy{Hold: hold, Limits: Limits{OnBattery: 3 * time.Minute, Lost: 10 * time.Minute}}
	_, d, _ := play(t, &p, map[string]string{one: "battery 1m, lost 10s"})
	assert.Equal(t, started.Add(11*time.Minute), d.At)
	p = Policy{Hold: hold, Limits: Limits{OnBattery: 3 * time.Minute}}
	_, d, _ = play(t, &p, map[string]string{one: "battery 1m, lost 10s"})
	assert.Equal(t, started.Add(3*time.Minute), d.At)
	p = Policy{Hold: hold, Limits: Limits{Lost: time.Second}}
	_, d, _ = play(t, &p, map[string]string{one: "battery 1m, lost 2s"})
	assert.Equal(t, started.Add(time.Minute+hold), d.At, "it has to last for Hold")
}

func TestTheEstimateOfSeveralUnits(t *testing.T) {
	timelines := map[string]string{one: "battery 3m", two: "line 1m, battery 2m"}
	for _, row := range []struct {
		all       bool
		timelines map[string]string
		at        time.Duration
	}{
		{false, timelines, 10 * time.Minute},
		{true, timelines, 11 * time.Minute},
		{false, map[string]string{two: timelines[one], one: timelines[two]}, 10 * time.Minute},
		{true, map[string]string{two: timelines[one], one: timelines[two]}, 11 * time.Minute},
		{false, map[string]string{one: "battery 3m", two: "line 3m"}, 10 * time.Minute},
		{true, map[string]string{one: "battery 3m", two: "line 3m"}, 0},
		{true, map[string]string{one: "line 3m", two: "battery 3m"}, 0},
	} {
		p := Policy{Hold: hold, Limits: Limits{OnBattery: 10 * time.Minute}, All: row.all}
		_, d, _ := play(t, &p, row.timelines)
		if row.at == 0 {
			assert.Zero(t, d.At)
			continue
		}
		assert.Equal(t, started.Add(row.at), d.At)
		assert.Equal(t, []string{one, two}, []string{d.Units[0].Path, d.Units[1].Path})
	}
	p := Policy{Hold: hold, Limits: Limits{OnBattery: 2 * time.Minute}, All: true}
	_, d, _ := play(t, &p, map[string]string{one: "battery 3m", two: "line 2m, battery 1m"})
	assert.Equal(t, "1-1:1.0: on battery for 2m59s, at a limit: on battery for 2m59s (limit 2m0s); "+
		"1-2:1.0: on battery for 59s", d.Why)
	assert.Equal(t, started.Add(4*time.Minute), d.At)
}
