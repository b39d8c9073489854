package serve

import (
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/monitor"
)

// unitsView is the answer of /api/v1/units, and what a stream begins with.
type unitsView struct {
	Time    time.Time  `json:"time"`
	Looked  bool       `json:"looked"`
	Problem string     `json:"problem,omitempty"`
	Units   []unitView `json:"units"`
}

// unitView is a unit as the API shows it. The documents of the API are page/openapi.yaml.
type unitView struct {
	Name         string `json:"name"`
	Path         string `json:"path"`
	Manufacturer string `json:"manufacturer,omitempty"`
	Model        string `json:"model,omitempty"`
	Serial       string `json:"serial,omitempty"`
	Family       string `json:"family,omitempty"`

	Up             bool      `json:"up"`
	State          string    `json:"state"`
	Since          time.Time `json:"since,omitzero"`
	OnBattery      *bool     `json:"on_battery,omitempty"`
	OnBatterySince time.Time `json:"on_battery_since,omitzero"`
	LostOnBattery  bool      `json:"lost_on_battery,omitempty"`
	Problem        string    `json:"problem,omitempty"`

	Alerts   []alertView            `json:"alerts"`
	Timers   []timerView            `json:"timers"`
	Time     time.Time              `json:"time,omitzero"`
	Readings map[string]readingView `json:"readings,omitempty"`
	Values   map[string]float64     `json:"values,omitempty"`
}

type alertView struct {
	Severity string `json:"severity"`
	Name     string `json:"name"`
	Text     string `json:"text"`
}

type timerView struct {
	Name    string  `json:"name"`
	Text    string  `json:"text"`
	Seconds float64 `json:"seconds"`
}

type readingView struct {
	Value any    `json:"value"`
	Unit  string `json:"unit,omitempty"`
	Text  string `json:"text,omitempty"` // of a time
}

// The states of a unit in words.
const (
	onLine    = "on line power"
	onBattery = "on battery"
	unknown   = "line power unknown"
	lost      = "lost"
	notRead   = "not read yet"
)

// view returns what the API shows of a unit. Nothing is shown of one that is lost.
func view(u monitor.Unit) unitView {
	v := unitView{
		Name: u.Name, Path: u.Info.Path, Manufacturer: u.Info.Manufacturer, Model: u.Info.Model(),
		Serial: u.Info.Serial, Family: u.Info.Family, Since: u.Since.UTC(),
		Alerts: []alertView{}, Timers: []timerView{},
	}
	if u.Err != nil {
		v.Problem = u.Err.Error()
	}
	switch {
	case u.Up():
		v.show(u)
	case u.Err == nil:
		v.State = notRead
	default:
		v.State, v.LostOnBattery = lost, u.OnBattery
	}
	return v
}

// show adds what a unit says.
func (v *unitView) show(u monitor.Unit) {
	state := u.State
	v.Up, v.State, v.Time = true, unknown, state.Time.UTC()
	if on, known := state.OnBattery(); known {
		v.OnBattery, v.State = &on, onLine
		if on {
			v.State, v.OnBatterySince = onBattery, u.OnBatterySince.UTC()
		}
	}
	for _, a := range state.Alerts() {
		v.Alerts = append(v.Alerts, alertView{a.Severity.String(), a.Name, a.Text})
	}
	if left, runs := state.DelayBeforeShutdown.Get(); runs {
		const text = "until the load is switched off"
		v.Timers = append(v.Timers, timerView{"load-off", text, left.Seconds()})
	}
	v.Readings, v.Values = map[string]readingView{}, map[string]float64{}
	for f, d := range state.All() {
		v.Readings[f.Key] = reading(f, d)
		if n, known := d.Number(); known && f.Word != "" {
			v.Values[f.Word] = n
		}
	}
}

func reading(f tripplite.Field, d tripplite.Datum) readingView {
	switch value := d.Value().(type) {
	case bool, float64:
		return readingView{Value: value, Unit: f.Unit}
	case uint16:
		return readingView{Value: value}
	case time.Duration:
		return readingView{Value: value.Seconds(), Unit: f.Unit, Text: f.Text(d)}
	}
	return readingView{Value: d.String()}
}
