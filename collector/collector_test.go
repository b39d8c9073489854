package collector_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
	"github.com/tripplite-go/tripplite/internal/capture"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source is a Source of a test.
type source func(ctx context.Context) ([]tripplite.Reading, error)

func (s source) Get(ctx context.Context) ([]tripplite.Reading, error) { return s(ctx) }

func units(readings ...tripplite.Reading) source {
	return func(context.Context) ([]tripplite.Reading, error) { return readings, nil }
}

// expose returns the samples of a scrape, sorted. Its registry checks what is sent against what was
// described.
func expose(t testing.TB, c prometheus.Collector) []string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(c))
	families, err := registry.Gather()
	require.NoError(t, err)
	var text bytes.Buffer
	for _, family := range families {
		_, err := expfmt.MetricFamilyToText(&text, family)
		require.NoError(t, err)
	}
	return samples(text.String())
}

// samples returns the lines of an exposition that are samples, sorted.
func samples(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// read returns what the unit of a capture says.
func read(t testing.TB, name string) tripplite.Reading {
	t.Helper()
	c, err := capture.Load(name)
	require.NoError(t, err)
	b := tripplite.New(c.Device(c.UPSInterface),
		tripplite.WithReportDescriptor(c.Interfaces[c.UPSInterface].Descriptor),
		tripplite.WithDeviceInfo(tripplite.DeviceInfo{
			Path: name, VendorID: uint16(c.VendorID), ProductID: uint16(c.ProductID),
			Manufacturer: c.Manufacturer, Product: c.Product, Serial: c.Serial,
		}))
	defer b.Close()
	state, err := b.Get(t.Context())
	require.True(t, tripplite.HasState(err), "%v", err)
	return tripplite.Reading{Info: b.Info(), State: state, Err: err}
}

func TestTheUnitOfNumatsREADME(t *testing.T) {
	want, err := os.ReadFile("testdata/smart1500lcd.prom")
	require.NoError(t, err)
	require.Equal(t, samples(string(want)), expose(t, collector.New(units(read(t, "smart1500lcd")))))
}

// shownAs has the series of each reading, by key of its field, and how many of the field's units
// make one of the series'.
var shownAs = map[string]struct {
	name  string
	units float64
}{
	"input.voltage":                   {"input_volts", 1},
	"input.frequency":                 {"input_hertz", 1},
	"input.lowest voltage":            {"input_lowest_volts", 1},
	"input.highest voltage":           {"input_highest_volts", 1},
	"output.voltage":                  {"output_volts", 1},
	"output.frequency":                {"output_hertz", 1},
	"output.current":                  {"output_amperes", 1},
	"output.power":                    {"output_watts", 1},
	"output.on":                       {"output_on", 1},
	"output.load":                     {"load_ratio", 100},
	"battery.voltage":                 {"battery_volts", 1},
	"battery.temperature":             {"battery_celsius", 1},
	"unit temperature":                {"temperature_celsius", 1},
	"health":                          {"battery_charge_ratio", 100},
	"time to empty":                   {"battery_runtime_seconds", 1},
	"delay before shutdown":           {"shutdown_timer_seconds", 1},
	"config.voltage":                  {"config_output_volts", 1},
	"config.frequency":                {"config_hertz", 1},
	"config.power":                    {"config_voltamperes", 1},
	"config.battery voltage":          {"config_battery_volts", 1},
	"config.low voltage transfer":     {"config_low_transfer_volts", 1},
	"config.high voltage transfer":    {"config_high_transfer_volts", 1},
	"config.design capacity":          {"config_design_capacity_ratio", 100},
	"config.full charge capacity":     {"config_full_charge_capacity_ratio", 100},
	"config.warning capacity limit":   {"config_warning_capacity_ratio", 100},
	"config.remaining capacity limit": {"config_remaining_capacity_ratio", 100},
	"config.outlets":                  {"config_outlets", 1},
}

// Each capture has the values that its unit must show, written by hand from the capture's source.
func TestEveryCapture(t *testing.T) {
	for _, name := range capture.Names() {
		t.Run(name, func(t *testing.T) {
			c, err := capture.Load(name)
			require.NoError(t, err)
			if c.Expect == nil {
				t.Skip("the capture does not say what to expect")
			}
			want := map[string]float64{"up": 1}
			var expect map[string]any
			require.NoError(t, json.Unmarshal(c.Expect, &expect))
			for key, value := range leaves("", expect) {
				flag, isFlag := strings.CutPrefix(key, "status.")
				outlet, isOutlet := strings.CutPrefix(key, "outlets.")
				series, isReading := shownAs[key]
				switch {
				case isOutlet:
					want[`outlet_on{outlet="`+outlet+`"}`] = number(value)
				case isFlag:
					flag = strings.ReplaceAll(flag, " ", "_")
					want[`status{flag="`+flag+`"}`] = number(value)
				case isReading:
					want[series.name] = number(value) / series.units
				}
			}
			got := map[string]float64{}
			for _, sample := range expose(t, collector.New(units(read(t, name)))) {
				series, value, _ := strings.Cut(strings.TrimPrefix(sample, "tripplite_"), "} ")
				series = strings.NewReplacer(`path="`+name+`"`, "", `",`, `"}`).Replace(series)
				if strings.HasPrefix(series, "info{") || strings.HasPrefix(series, "scrape_success") {
					continue
				}
				n, err := strconv.ParseFloat(value, 64)
				require.NoError(t, err)
				got[strings.TrimSuffix(series, "{")] = n
			}
			require.Equal(t, want, got)
		})
	}
}

// number returns a number of JSON, or 1 for true and 0 for false.
func number(value any) float64 {
	if value == true {
		return 1
	}
	n, _ := value.(float64)
	return n
}

// leaves flattens a JSON object, with the keys joined by dots.
func leaves(prefix string, object map[string]any) map[string]any {
	flat := map[string]any{}
	for key, value := range object {
		if nested, ok := value.(map[string]any); ok {
			maps.Copy(flat, leaves(prefix+key+".", nested))
			continue
		}
		flat[prefix+key] = value
	}
	return flat
}

// A reading that is added to State must not be forgotten here. Settings are not for Prometheus: Get
// does not read them.
func TestEveryReadingIsShown(t *testing.T) {
	facts := map[string]string{
		"config.firmware version":      "firmware_version",
		"config.communication version": "communication_version",
		"config.protocol version":      "protocol_version",
		"config.device chemistry":      "device_chemistry",
		"config.firmware":              "firmware",
		"config.unit id":               "unit_id",
	}
	shown := map[string]bool{}
	for _, field := range tripplite.Fields() {
		if field.Setting() {
			continue
		}
		t.Run(field.Key, func(t *testing.T) {
			text, state := stateWith(t, field.Key)
			flag, isFlag := strings.CutPrefix(field.Key, "status.")
			want := "tripplite_" + shownAs[field.Key].name + `{path=""} 0`
			switch label := facts[field.Key]; {
			case isFlag:
				flag = strings.ReplaceAll(flag, " ", "_")
				want = `tripplite_status{flag="` + flag + `",path=""} 0`
			case strings.HasPrefix(field.Key, "outlets."):
				outlet := strings.TrimPrefix(field.Key, "outlets.")
				want = `tripplite_outlet_on{outlet="` + outlet + `",path=""} 0`
			case label != "":
				want = label + `="` + text + `"`
			}
			got := expose(t, collector.New(units(tripplite.Reading{State: state})))
			require.Contains(t, strings.Join(got, "\n"), want)
			shown[field.Key] = true
		})
	}
	for key := range shownAs {
		require.Contains(t, shown, key)
	}
}

// stateWith returns a State that holds one reading, which is zero, false or a short text.
func stateWith(t *testing.T, key string) (text string, state tripplite.State) {
	t.Helper()
	for _, value := range []string{`0`, `false`, `"0000"`} {
		object := value
		for _, part := range slices.Backward(strings.Split(key, ".")) {
			object = `{"` + part + `":` + object + `}`
		}
		if state = (tripplite.State{}); json.Unmarshal([]byte(object), &state) == nil {
			return strings.Trim(value, `"`), state
		}
	}
	t.Fatalf("no value that %q can hold", key)
	return "", state
}

func TestWhatAUnitIsShownAs(t *testing.T) {
	info := tripplite.DeviceInfo{Path: "1-2:1.0"}
	state := tripplite.State{RemainingCapacity: tripplite.ValueOf(42.0)}
	stalled := &tripplite.ReportError{Path: "1-2:1.0", ID: 0x35, Err: errors.New("stalled")}
	partial := &tripplite.PartialError{Reports: []*tripplite.ReportError{stalled}}
	about := func(name, path, product string) string {
		return `tripplite_info{communication_version="",device_chemistry="",family="",` +
			`firmware="",firmware_version="",manufacturer="",` + name + `path="` + path + `",product="` + product +
			`",product_id="",protocol_version="",serial="",unit_id="",vendor_id=""} 1`
	}
	for _, test := range []struct {
		name string
		unit tripplite.Reading
		opts []collector.Option
		want []string
	}{{
		name: "gone",
		unit: tripplite.Reading{Info: info, Err: tripplite.ErrDisconnected},
		want: []string{`tripplite_up{path="1-2:1.0"} 0`},
	}, {
		name: "not answering",
		unit: tripplite.Reading{Info: info, Err: context.DeadlineExceeded},
		want: []string{`tripplite_up{path="1-2:1.0"} 0`},
	}, {
		name: "gone, with an old State that the source should not have sent",
		unit: tripplite.Reading{Info: info, State: state, Err: tripplite.ErrDisconnected},
		want: []string{`tripplite_up{path="1-2:1.0"} 0`},
	}, {
		name: "read in part",
		unit: tripplite.Reading{Info: info, State: state, Err: partial},
		want: []string{
			`tripplite_up{path="1-2:1.0"} 1`,
			`tripplite_battery_charge_ratio{path="1-2:1.0"} 0.42`,
			about("", "1-2:1.0", ""),
		},
	}, {
		name: "named",
		unit: tripplite.Reading{Info: info, State: state},
		opts: []collector.Option{collector.WithNames(map[string]string{"1-2:1.0": "rack 1"})},
		want: []string{
			`tripplite_up{name="rack 1",path="1-2:1.0"} 1`,
			`tripplite_battery_charge_ratio{name="rack 1",path="1-2:1.0"} 0.42`,
			about(`name="rack 1",`, "1-2:1.0", ""),
		},
	}, {
		name: "beside a named unit that is not there",
		unit: tripplite.Reading{Info: info, Err: tripplite.ErrBusy},
		opts: []collector.Option{collector.WithNames(map[string]string{"1-3:1.0": "rack 2"})},
		want: []string{
			`tripplite_up{name="",path="1-2:1.0"} 0`,
			`tripplite_up{name="rack 2",path="1-3:1.0"} 0`,
		},
	}, {
		name: "with strings that are not text",
		unit: tripplite.Reading{Info: tripplite.DeviceInfo{Path: "1-\xff", Product: "a\xffb"}},
		want: []string{
			`tripplite_up{path="1-` + "\ufffd" + `"} 1`,
			about("", "1-\ufffd", "a\ufffdb"),
		},
	}} {
		t.Run(test.name, func(t *testing.T) {
			want := append(test.want, `tripplite_scrape_success 1`)
			slices.Sort(want)
			require.Equal(t, want, expose(t, collector.New(units(test.unit), test.opts...)))
		})
	}
}

func TestUnitsThatCannotBeListed(t *testing.T) {
	failing := source(func(context.Context) ([]tripplite.Reading, error) {
		return nil, tripplite.ErrUnsupported
	})
	named := collector.WithNames(map[string]string{"1-2:1.0": "rack"})
	require.Equal(t, []string{"tripplite_scrape_success 0"}, expose(t, collector.New(failing, named)))
}

// Whatever a unit said before, the next scrape shows what it says then.
func TestNothingIsOlderThanTheScrape(t *testing.T) {
	unit := read(t, "smart1500lcd")
	said := unit
	c := collector.New(source(func(context.Context) ([]tripplite.Reading, error) {
		return []tripplite.Reading{said}, nil
	}))
	require.Contains(t, expose(t, c), `tripplite_input_volts{path="smart1500lcd"} 117.2`)

	said.State = unit.State
	said.State.Input.Voltage = tripplite.ValueOf(0.0)
	require.Contains(t, expose(t, c), `tripplite_input_volts{path="smart1500lcd"} 0`)

	said.State.Input.Voltage = tripplite.Value[float64]{}
	require.NotContains(t, strings.Join(expose(t, c), "\n"), "input_volts")

	said = tripplite.Reading{Info: unit.Info, Err: tripplite.ErrDisconnected}
	require.Equal(t, []string{
		"tripplite_scrape_success 1", `tripplite_up{path="smart1500lcd"} 0`,
	}, expose(t, c))

	said = unit
	require.Contains(t, expose(t, c), `tripplite_input_volts{path="smart1500lcd"} 117.2`)
}
