// Package deploy_test checks what operators install.
package deploy_test

import (
	"cmp"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
	"github.com/tripplite-go/tripplite/internal/program"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

func TestPrometheusFiles(t *testing.T) {
	promtool := program.Find(t, "promtool")
	for _, args := range [][]string{
		{"check", "config", "prometheus.yml"},
		{"check", "rules", "alerts.yml"},
		{"test", "rules", "alerts_test.yml"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			output, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput()
			require.NoError(t, err, "%s", output)
		})
	}
}

// Every alert waits before it fires, and is in the tests.
func TestEveryAlertIsDebouncedAndTested(t *testing.T) {
	tests := read(t, "alerts_test.yml")
	alerts := strings.Split(read(t, "alerts.yml"), "- alert: ")[1:]
	require.NotEmpty(t, alerts)
	for _, alert := range alerts {
		name, _, _ := strings.Cut(alert, "\n")
		require.Regexp(t, `(?m)^ +for: [1-9]`, alert)
		require.Regexp(t, `alertname: `+name+`\n +exp_alerts:`, tests, "a test in which it fires")
		require.Regexp(t, `alertname: `+name+`}`, tests, "a test in which it does not")
	}
}

// ruleOf returns the name of the rule for an alert of the library.
func ruleOf(alert tripplite.Alert) string {
	switch alert.Name {
	case "internal-failure", "over-temperature":
		return "TrippliteFault"
	}
	name := "Tripplite"
	for word := range strings.SplitSeq(alert.Name, "-") {
		name += strings.ToUpper(word[:1]) + word[1:]
	}
	return name
}

// What needs attention by the library is what the rules fire for, with the same severity.
func TestTheAlertsAreThoseOfTheLibrary(t *testing.T) {
	promtool := program.Find(t, "promtool")
	rules, err := filepath.Abs("alerts.yml")
	require.NoError(t, err)
	type sample struct {
		Labels string `json:"labels"`
		Value  int    `json:"value"`
	}
	var missing []string
	for _, alert := range tripplite.Alerts() {
		missing = append(missing, alert.Name)
	}
	tests := []any{}
	for _, text := range []string{
		`{"status": {"ac present": true, "battery present": true}, "output": {"on": true}}`,
		`{"status": {"ac present": true, "shutdown imminent": true}}`,
		`{"status": {"ac present": true}, "delay before shutdown": 43}`,
		`{"status": {"ac present": false}, "delay before shutdown": 0}`,
		`{"status": {"ac present": true, "awaiting power": true}}`,
		`{"status": {"ac present": true}, "output": {"on": false}}`,
		`{"status": {"ac present": true, "internal failure": true}}`,
		`{"status": {"ac present": true, "overload": true}}`,
		`{"status": {"ac present": true, "over temperature": true}}`,
		`{"status": {"ac present": true, "battery present": false}}`,
		`{"status": {"ac present": true, "fully discharged": true}}`,
		`{"status": {"ac present": true, "needs replacement": true}}`,
		`{"status": {"ac present": true, "shutdown requested": true}}`,
		`{"status": {"ac present": true, "voltage out of range": true}}`,
		`{"status": {"ac present": true, "frequency out of range": true}}`,
		`{"status": {"ac present": true, "communication lost": true}}`,
		`{"status": {"ac present": true, "discharging": true}}`,
		`{"status": {"ac present": false, "discharging": false}}`,
		`{"status": {"discharging": true}}`,
		`{"status": {"discharging": false}}`,
		`{"status": {"ac present": true, "below remaining capacity": true}}`,
		`{"status": {"ac present": false, "below remaining capacity": true}}`,
		`{"status": {"ac present": false, "remaining time limit expired": true,
			"below remaining capacity": false}}`,
		`{"status": {"discharging": true, "below remaining capacity": true}}`,
		`{"status": {"discharging": false, "below remaining capacity": true}}`,
		`{"status": {"below remaining capacity": true}}`,
		`{"status": {"ac present": false, "overload": true, "below remaining capacity": true,
			"remaining time limit expired": true}, "output": {"on": false}}`,
	} {
		var state tripplite.State
		require.NoError(t, json.Unmarshal([]byte(text), &state))
		want := []sample{}
		for _, alert := range state.Alerts() {
			labels := fmt.Sprintf("{alertname=%q, severity=%q}", ruleOf(alert), alert.Severity)
			want = append(want, sample{labels, 1})
			missing = slices.DeleteFunc(missing, func(name string) bool { return name == alert.Name })
		}
		tests = append(tests, map[string]any{
			"name": text, "interval": "1m", "input_series": scrapes(t, state),
			"promql_expr_test": []any{map[string]any{
				"expr":      `count by (alertname, severity) (ALERTS{alertstate="firing"})`,
				"eval_time": "20m", "exp_samples": want,
			}},
		})
	}
	require.Empty(t, missing, "alerts of the library without a test")
	file, err := json.Marshal(map[string]any{"rule_files": []string{rules}, "tests": tests})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "tests.json")
	require.NoError(t, os.WriteFile(path, file, 0o600))
	output, err := exec.CommandContext(t.Context(), promtool, "test", "rules", path).CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// scrapes returns what Prometheus gets of a unit that says the same for half an hour, as promtool
// has it.
func scrapes(t *testing.T, state tripplite.State) []map[string]string {
	t.Helper()
	registry := prometheus.NewRegistry()
	target := prometheus.Labels{"job": "tripplite", "instance": "a"}
	prometheus.WrapRegistererWith(target, registry).MustRegister(collector.New(unit(state)))
	families, err := registry.Gather()
	require.NoError(t, err)
	list := []map[string]string{{"series": `up{job="tripplite", instance="a"}`, "values": "1x30"}}
	for _, family := range families {
		var text strings.Builder
		_, err := expfmt.MetricFamilyToText(&text, family)
		require.NoError(t, err)
		for line := range strings.Lines(text.String()) {
			if space := strings.LastIndex(line, " "); line[0] != '#' {
				value := strings.TrimSpace(line[space:])
				list = append(list, map[string]string{"series": line[:space], "values": value + "x30"})
			}
		}
	}
	return list
}

// unit is a source of one unit.
type unit tripplite.State

func (u unit) Get(context.Context) ([]tripplite.Reading, error) {
	return []tripplite.Reading{{
		Info: tripplite.DeviceInfo{Path: "1-1:1.0"}, State: tripplite.State(u),
	}}, nil
}

// dashboard is what a check needs of the JSON of Grafana.
type dashboard struct {
	Templating struct {
		List []struct{ Name, Type, Definition string }
	}
	Panels []struct {
		Title      string
		Type       string
		Datasource struct{ UID string }
		Targets    []struct{ Expr string }
	}
}

func loadDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	require.NoError(t, json.Unmarshal([]byte(read(t, "dashboard.json")), &d))
	return d
}

// names returns the names of the series that the exporter can have.
func names() []string {
	descs := make(chan *prometheus.Desc)
	go func() {
		collector.New(nil).Describe(descs)
		close(descs)
	}()
	var names []string
	for d := range descs {
		_, name, _ := strings.Cut(d.String(), `fqName: "`)
		name, _, _ = strings.Cut(name, `"`)
		names = append(names, name)
	}
	return names
}

var (
	series = regexp.MustCompile(`\btripplite_[a-z_]+`)
	flags  = regexp.MustCompile(`flag=~?"([^"]*)"`)
)

// requireKnown checks that a query names series and flags that the exporter has.
func requireKnown(t *testing.T, query string) {
	t.Helper()
	known := names()
	for _, name := range series.FindAllString(query, -1) {
		require.Contains(t, known, name, query)
	}
	keys := []string{}
	for _, field := range tripplite.Fields() {
		keys = append(keys, field.Key)
	}
	for _, match := range flags.FindAllStringSubmatch(query, -1) {
		for flag := range strings.SplitSeq(match[1], "|") {
			require.Contains(t, keys, "status."+strings.ReplaceAll(flag, "_", " "), query)
		}
	}
}

func TestTheDashboardShowsWhatTheExporterHas(t *testing.T) {
	d := loadDashboard(t)
	variables := []string{}
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
		if v.Type == "query" {
			require.Regexp(t, `^label_values\(`+series.String(), v.Definition)
			requireKnown(t, v.Definition)
		}
	}
	require.Subset(t, variables, []string{"datasource", "unit"})

	var shown []string
	for _, panel := range d.Panels {
		require.Equal(t, "${datasource}", panel.Datasource.UID, panel.Title)
		require.NotEmpty(t, panel.Targets, panel.Title)
		for _, target := range panel.Targets {
			require.Regexp(t, `^`+series.String()+`\{.*path=~"\$unit"\}$`, target.Expr, panel.Title)
			requireKnown(t, target.Expr)
			shown = append(shown, series.FindString(target.Expr))
		}
	}
	fewFamiliesHave := []string{
		"tripplite_battery_celsius", "tripplite_temperature_celsius", "tripplite_output_on",
		"tripplite_input_lowest_volts", "tripplite_input_highest_volts", "tripplite_outlet_on",
		"tripplite_shutdown_timer_seconds",
	}
	for _, name := range names() {
		if !strings.HasPrefix(name, "tripplite_config_") && name != "tripplite_scrape_success" &&
			!slices.Contains(fewFamiliesHave, name) {
			require.Contains(t, shown, name, "a reading without a panel")
		}
	}
}

func TestAlertsGoByWhatTheExporterHas(t *testing.T) {
	requireKnown(t, read(t, "alerts.yml"))
}

func TestTheGuideListsEverySeries(t *testing.T) {
	guide := read(t, "../docs/operating.md")
	for _, name := range names() {
		require.Contains(t, guide, "`"+name+"`")
	}
	for _, name := range series.FindAllString(guide, -1) {
		if !strings.HasPrefix(name, "tripplite_exporter_") && name != "tripplite_health" {
			require.Contains(t, names(), name, "the guide names it")
		}
	}
}

func TestTheUnitsAreHardened(t *testing.T) {
	analyze := program.Find(t, "systemd-analyze")
	for _, name := range []string{"tripplite-exporter", "tripplited"} {
		t.Run(name, func(t *testing.T) {
			unit := read(t, name+".service")
			require.Contains(t, unit, "AF_NETLINK", "libusb learns of new devices by it")

			// The program is not installed where tests run, and systemd-analyze wants it to be.
			nothing, err := exec.LookPath("true")
			require.NoError(t, err)
			file := filepath.Join(t.TempDir(), name+".service")
			unit = strings.ReplaceAll(unit, "/usr/local/bin/"+name, nothing)
			require.Contains(t, unit, "ExecStart="+nothing)
			require.NoError(t, os.WriteFile(file, []byte(unit), 0o600))
			output, err := exec.Command(analyze, "verify", "--man=no", file).CombinedOutput()
			require.NoError(t, err, "%s", output)
			require.Empty(t, string(output))

			security := exec.Command(analyze, "security", "--offline=true", "--threshold=20", file)
			output, err = security.CombinedOutput()
			require.NoError(t, err, "an exposure of more than 2.0:\n%s", output)
		})
	}
}

// Both services have the same sandbox: what follows after how they start.
func TestBothUnitsHaveTheSameSandbox(t *testing.T) {
	sandbox := func(name string) (settings []string) {
		_, text, found := strings.Cut(read(t, name), "SupplementaryGroups=tripplite")
		require.True(t, found, name)
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "#") {
				settings = append(settings, line)
			}
		}
		return settings
	}
	require.Equal(t, sandbox("tripplite-exporter.service"), sandbox("tripplited.service"))
}

// systemd waits until tripplited is ready, has it read its file again, restarts it if it hangs.
func TestTheUnitOfTripplitedUsesWhatItCanDo(t *testing.T) {
	lines := strings.Split(read(t, "tripplited.service"), "\n")
	require.Subset(t, lines, []string{
		"Type=notify", "ExecReload=/bin/kill -HUP $MAINPID", "WatchdogSec=60s",
		"ExecStart=/usr/local/bin/tripplited --config /etc/tripplited/tripplited.toml",
		"SupplementaryGroups=tripplite", "User=tripplited", "StateDirectory=tripplited",
		"RuntimeDirectory=tripplited", "RuntimeDirectoryPreserve=yes",
	})
}

func TestAvahiAnnouncesTheServer(t *testing.T) {
	var group struct {
		XMLName xml.Name `xml:"service-group"`
		Name    string   `xml:"name"`
		Service []struct {
			Type string `xml:"type"`
			Port int    `xml:"port"`
		} `xml:"service"`
	}
	require.NoError(t, xml.Unmarshal([]byte(read(t, "tripplited.avahi.service")), &group))
	require.Contains(t, group.Name, "%h", "the name of the computer")
	require.Len(t, group.Service, 1)
	require.Equal(t, "_nut._tcp", group.Service[0].Type)
	require.Equal(t, 3493, group.Service[0].Port)
}

// match is what a line of the udev rules asks of a device.
var match = regexp.MustCompile(`(?m)^SUBSYSTEM=="(usb|hidraw)",.* ATTRS?\{idVendor\}=="(\w+)",` +
	`(?: ATTRS?\{idProduct\}=="([^"]+)",)? GOTO="tripplite_unit"$`)

func TestTheUdevRuleKnowsEveryUnit(t *testing.T) {
	rules := read(t, "70-tripplite.rules")
	matches := match.FindAllStringSubmatch(rules, -1)
	given := func(subsystem, vendor, product string) bool {
		for _, m := range matches {
			for glob := range strings.SplitSeq(cmp.Or(m[3], "*"), "|") {
				ok, err := path.Match(glob, product)
				if m[1] == subsystem && m[2] == vendor && ok && err == nil {
					return true
				}
			}
		}
		return false
	}
	for _, id := range []string{
		"09ae:0001", "09ae:2012", "09ae:3016", "09ae:4004", "09ae:ffff",
		"03f0:1fe0", "03f0:1fe1", "03f0:1fe2", "03f0:1fe3",
		"03f0:1f06", "03f0:1f08", "03f0:1f09", "03f0:1f0a",
		"05dd:a011", "05dd:a0a0",
	} {
		vendor, product, _ := strings.Cut(id, ":")
		require.True(t, given("usb", vendor, product), id)
		require.True(t, given("hidraw", vendor, product), id)
	}
	for _, id := range []string{
		"03f0:1fe4", "03f0:1f07", "03f0:1f0b", "03f0:2012", "05dd:a012", "05dd:2012", "051d:0002",
	} {
		vendor, product, _ := strings.Cut(id, ":")
		require.False(t, given("usb", vendor, product), "%s is not a Tripp Lite unit", id)
		require.False(t, given("hidraw", vendor, product), "%s is not a Tripp Lite unit", id)
	}
	require.Contains(t, rules, `GROUP="tripplite", MODE="0660", TAG+="uaccess"`)
	files, err := filepath.Glob("*.rules")
	require.NoError(t, err)
	require.Len(t, files, 1)
	number, err := strconv.Atoi(files[0][:2])
	require.NoError(t, err)
	require.Greater(t, number, 62, "NUT's rules must come first")
	require.Less(t, number, 73, "uaccess must be set before it is used")
}
