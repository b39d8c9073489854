package tripplite

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// everything has every field of a State and of Settings, with the zeros that are readings.
var everything = record{
	state: State{
		Path:      "1-4.2:1.0",
		Time:      time.Date(2026, 9, 6, 12, 30, 0, 0, time.UTC),
		Announced: true,
		Status: Status{
			ACPresent: ValueOf(true), Charging: ValueOf(false), Discharging: ValueOf(false),
			FullyCharged: ValueOf(true), FullyDischarged: ValueOf(false),
			NeedReplacement: ValueOf(false), BelowRemainingCapacityLimit: ValueOf(true),
			RemainingTimeLimitExpired: ValueOf(false), ShutdownImminent: ValueOf(false),
			ShutdownRequested: ValueOf(false), BatteryPresent: ValueOf(true),
			InternalFailure: ValueOf(false), VoltageOutOfRange: ValueOf(false),
			FrequencyOutOfRange: ValueOf(false), Overload: ValueOf(false),
			OverTemperature: ValueOf(false), Boost: ValueOf(false), Buck: ValueOf(false),
			Used: ValueOf(true), AwaitingPower: ValueOf(false), CommunicationLost: ValueOf(false),
		},
		Config: Config{
			Voltage: ValueOf(120.0), Frequency: ValueOf(60.0), ApparentPower: ValueOf(1500.0),
			BatteryVoltage: ValueOf(24.0), LowVoltageTransfer: ValueOf(87.0),
			HighVoltageTransfer: ValueOf(153.0), DesignCapacity: ValueOf(100.0),
			FullChargeCapacity: ValueOf(95.0), WarningCapacityLimit: ValueOf(30.0),
			RemainingCapacityLimit: ValueOf(10.0), CommunicationVersion: ValueOf(uint16(262)),
			FirmwareVersion: ValueOf(uint16(34)), ProtocolVersion: ValueOf(BCD(0x2012)),
			DeviceChemistry: ValueOf("PbAC"), Firmware: ValueOf("1218 A"),
			UnitID: ValueOf(uint16(7)), Outlets: ValueOf(uint16(8)),
		},
		Input: Input{
			Voltage: ValueOf(0.0), Frequency: ValueOf(0.0),
			LowestVoltage: ValueOf(98.5), HighestVoltage: ValueOf(131.9),
		},
		Output: Output{
			Voltage: ValueOf(117.2), Frequency: ValueOf(59.9), Current: ValueOf(2.2),
			ActivePower: ValueOf(324.0), PercentLoad: ValueOf(14.0), On: ValueOf(true),
		},
		Outlets: Outlets{
			Outlet1: ValueOf(true), Outlet2: ValueOf(true), Outlet3: ValueOf(false),
			Outlet4: ValueOf(true), Outlet5: ValueOf(true), Outlet6: ValueOf(true),
			Outlet7: ValueOf(true), Outlet8: ValueOf(false),
		},
		Battery:           BatterySystem{Voltage: ValueOf(27.5), Temperature: ValueOf(24.85)},
		Temperature:       ValueOf(31.5),
		RemainingCapacity: ValueOf(100.0),
		RunTimeToEmpty:    ValueOf(1004 * time.Second),

		DelayBeforeShutdown: ValueOf(20 * time.Second),
	},
	settings: Settings{
		AudibleAlarmControl: ValueOf(AlarmEnabled), Test: ValueOf(TestPassed),
		DelayBeforeStartup: ValueOf(25 * time.Second),
		DelayBeforeReboot:  ValueOf(10 * time.Second), Watchdog: ValueOf(time.Duration(0)),
		AutoRestart: ValueOf(true),
	},
}

const everythingAsJSON = `{
	"device_id": "1-4.2:1.0",
	"time": "2026-09-06T12:30:00Z",
	"announced": true,
	"status": {
		"ac present": true,
		"charging": false,
		"discharging": false,
		"fully charged": true,
		"fully discharged": false,
		"needs replacement": false,
		"below remaining capacity": true,
		"remaining time limit expired": false,
		"shutdown imminent": false,
		"shutdown requested": false,
		"battery present": true,
		"internal failure": false,
		"voltage out of range": false,
		"frequency out of range": false,
		"overload": false,
		"over temperature": false,
		"boost": false,
		"buck": false,
		"used": true,
		"awaiting power": false,
		"communication lost": false
	},
	"config": {
		"voltage": 120,
		"frequency": 60,
		"power": 1500,
		"battery voltage": 24,
		"low voltage transfer": 87,
		"high voltage transfer": 153,
		"design capacity": 100,
		"full charge capacity": 95,
		"warning capacity limit": 30,
		"remaining capacity limit": 10,
		"communication version": 262,
		"firmware version": 34,
		"firmware": "1218 A",
		"unit id": 7,
		"outlets": 8,
		"protocol version": "2012",
		"device chemistry": "PbAC"
	},
	"input": {
		"voltage": 0,
		"frequency": 0,
		"lowest voltage": 98.5,
		"highest voltage": 131.9
	},
	"output": {
		"voltage": 117.2,
		"frequency": 59.9,
		"current": 2.2,
		"power": 324,
		"load": 14,
		"on": true
	},
	"outlets": {
		"1": true,
		"2": true,
		"3": false,
		"4": true,
		"5": true,
		"6": true,
		"7": true,
		"8": false
	},
	"battery": {
		"voltage": 27.5,
		"temperature": 24.85
	},
	"unit temperature": 31.5,
	"health": 100,
	"time to empty": 1004,
	"delay before shutdown": 20
}`

const everySettingAsJSON = `{
	"audible alarm control": "enabled",
	"test": "passed",
	"auto restart": true,
	"delay before startup": 25,
	"delay before reboot": 10,
	"watchdog": 0
}`

func TestKeysOfAState(t *testing.T) {
	require.JSONEq(t, everythingAsJSON, marshal(t, everything.state),
		"known false and known 0 are printed")
	require.JSONEq(t, everySettingAsJSON, marshal(t, everything.settings))

	var read record
	require.NoError(t, json.Unmarshal([]byte(everythingAsJSON), &read.state))
	require.NoError(t, json.Unmarshal([]byte(everySettingAsJSON), &read.settings))
	require.Equal(t, everything, read)

	for key, d := range leaves(t, &everything) {
		_, known := d.value()
		require.True(t, known, "this test does not have %s", key)
	}
}

func TestUnknownStateIsEmpty(t *testing.T) {
	require.Equal(t, `{}`, marshal(t, State{}))
	require.Equal(t, `{}`, marshal(t, Settings{}))

	var read State
	require.NoError(t, json.Unmarshal([]byte(`{}`), &read))
	require.Equal(t, State{}, read)
}
