package tripplite

import (
	"log/slog"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// announce reads a captured unit, as Watch does before it looks at an announcement, and returns a
// State with nothing else in it than what an input report then changes.
func announce(t *testing.T, name, report string, opts ...Option) State {
	t.Helper()
	update, ok := announcedTo(t, name, report, opts...)
	require.True(t, ok, "%s says nothing of the State", report)
	require.NotNil(t, update, "%s makes no sense", report)
	var s State
	update(&s)
	return s
}

func announcedTo(t *testing.T, name, report string, opts ...Option) (update func(*State), ok bool) {
	t.Helper()
	b, _ := open(t, name, opts...)
	_, err := b.Get(t.Context())
	require.True(t, HasState(err), "%v", err)
	return (*b.protocol.Load()).(announcer).announced(unhex(report))
}

func TestGarbageBehindAnInputReportIsNotPartOfIt(t *testing.T) {
	// The buffer of NUT #1747, with another charge in front of it.
	state := announce(t, "smart1500lcd-awkward", "34 4a 00 00 00 00 00 00 e0 0b c9 cd f8 55 00 00")
	assert.Equal(t, State{RemainingCapacity: ValueOf(74.0)}, state)
}

func TestAnAnnouncedStatusHasTheLayoutOfTheOneThatIsAskedFor(t *testing.T) {
	for how, opts := range hows {
		for name, report := range map[string]string{
			"smart1500lcd": "32 08", "pro1500rt2u": "32 00 00 20", "eco850lcd": "32 00 00 20",
		} {
			status := announce(t, name, report, opts...).Status
			assert.Equal(t, ValueOf(false), status.ACPresent, "%s %s", name, how)
			assert.Equal(t, ValueOf(true), status.Discharging, "%s %s", name, how)
			assert.Equal(t, ValueOf(false), status.ShutdownImminent, "%s %s", name, how)
		}
	}
}

func TestAnAnnouncementThatMakesNoSenseIsNotPassedOn(t *testing.T) {
	for how, opts := range hows {
		for name, reports := range map[string][]string{
			"smart1500lcd": {"32 00", "32 04"}, // neither line power nor discharging
			// The same, and with padding set: bits 17 and 0.
			"pro1500rt2u": {"32 00 00 00", "32 00 00 03", "32 01 00 09"},
			// The charge under the id of the status, as their logs have it.
			"su3000rtxr3u": {"32 64 00 00"}, "ed2000rm2u": {"32 64 00 00"},
		} {
			for _, report := range reports {
				update, ok := announcedTo(t, name, report, opts...)
				assert.True(t, ok, "%s %s %s: the unit has to be asked", name, report, how)
				assert.Nil(t, update, "%s %s %s", name, report, how)
			}
		}
	}
}

func TestAnAnnouncementThatSaysNothingOfTheStateIsIgnored(t *testing.T) {
	for _, report := range []string{"", "32", "34", "35 84", "99 01 02", "18 94 04"} {
		for how, opts := range hows {
			update, ok := announcedTo(t, "smart1500lcd", report, opts...)
			assert.False(t, ok, "%q %s", report, how)
			assert.Nil(t, update)
		}
	}
}

func TestAnAnnouncedStatusOfUnknownLayoutHasTheUnitAsked(t *testing.T) {
	ups, _ := newFakeUPS(t, "smart1500lcd")
	h := newHIDPower(ups, nil, "1-1:1.0", slog.New(slog.DiscardHandler))
	update, ok := h.announced(unhex("32 08"))
	assert.True(t, ok)
	assert.Nil(t, update, "without a descriptor the first answer tells the layout")
	update, ok = h.announced(unhex("34 4a"))
	assert.True(t, ok)
	assert.NotNil(t, update)
}

// stringsUPS is a unit whose strings can be read.
type stringsUPS struct {
	*fakeUPS
	strings map[byte]string
	read    []byte // the indices that were asked for
}

func (u *stringsUPS) StringDescriptor(index byte) (string, error) {
	u.read = append(u.read, index)
	text, ok := u.strings[index]
	if !ok {
		return "", errTransfer
	}
	return text, nil
}

// chemistry is what the upsc of a 2012 has as battery.type. Its string has the index 4 there.
const chemistry = "PbAC"

func TestTheChemistryIsTheStringOfItsIndex(t *testing.T) {
	fake, descriptor := newFakeUPS(t, "smart1500lcd-charging")
	index, ok := fake.Payload(0x2a)
	require.True(t, ok)
	require.Equal(t, []byte{4}, index)
	ups := &stringsUPS{fakeUPS: fake, strings: map[byte]string{4: chemistry}}
	b := New(ups, WithReportDescriptor(descriptor))
	defer b.Close()
	for range 2 {
		state, err := b.Get(t.Context())
		require.Equal(t, []byte{0x47}, failedIDs(t, err), "which has nothing to do with it")
		assert.Equal(t, ValueOf(chemistry), state.Config.DeviceChemistry)
		assert.Equal(t, chemistry, jsonValue(t, state, "config.device chemistry"))
	}
	_, asked := ups.transfers()
	assert.Equal(t, 1, asked[0x2a])
	assert.Equal(t, []byte{4}, ups.read, "a string does not change")
}

func TestAChemistryThatCannotBeReadIsAbsent(t *testing.T) {
	for name, test := range map[string]struct {
		index   []byte
		strings map[byte]string
		read    []byte
	}{
		"the string fails":            {[]byte{4}, nil, []byte{4}},
		"index 0, which is no string": {[]byte{0}, map[byte]string{0: "languages"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			fake, descriptor := newFakeUPS(t, "smart1500lcd-charging")
			fake.Set(0x2a, test.index...)
			ups := &stringsUPS{fakeUPS: fake, strings: test.strings}
			b := New(ups, WithReportDescriptor(descriptor))
			defer b.Close()
			state, err := b.Get(t.Context())
			require.Equal(t, []byte{0x47}, failedIDs(t, err),
				"a string is no failure: this user may lack permission on the node that it takes")
			assert.Equal(t, Value[string]{}, state.Config.DeviceChemistry)
			assert.Equal(t, test.read, ups.read)
		})
	}
}

func TestTheIndexOfAStringIsTakenFromItsPlaceInTheReport(t *testing.T) {
	// HID allows several indices in one report, although no family is known to do so.
	for name, test := range map[string]struct {
		report string
		want   Value[string]
	}{
		"behind another":        {"2a 07 04 00", ValueOf(chemistry)},
		"more than an index is": {"2a 07 04 01", Value[string]{}},
	} {
		t.Run(name, func(t *testing.T) {
			descriptor := collection(usageUPS, status2012(), collection(usagePowerSummary,
				feature(0x2a, 8, 0), feature(0x2a, 16, usageIDeviceChemistry)))
			ups := &stringsUPS{
				fakeUPS: newFake("32 02", test.report),
				strings: map[byte]string{4: chemistry, 7: "another"},
			}
			b := New(ups, WithReportDescriptor(descriptor))
			defer b.Close()
			state, err := b.Get(t.Context())
			require.NoError(t, err)
			assert.Equal(t, test.want, state.Config.DeviceChemistry)
		})
	}
}

func TestTheIndexOfAStringIsNotAskedForWhereNoStringCanBeRead(t *testing.T) {
	for how, byTable := range map[string]bool{"by the descriptor": false, "by the table": true} {
		t.Run(how, func(t *testing.T) {
			ups, descriptor := newFakeUPS(t, "smart1500lcd-charging")
			if byTable {
				descriptor = nil
			}
			device := struct{ Device }{ups} // has the methods of Device alone
			b := New(device, WithReportDescriptor(descriptor))
			defer b.Close()
			state, err := b.Get(t.Context())
			require.True(t, HasState(err), "%v", err)
			assert.Equal(t, Value[string]{}, state.Config.DeviceChemistry)
			_, asked := ups.transfers()
			assert.NotContains(t, asked, byte(0x2a))
		})
	}
}

func TestGetAndSettingsInTurnAskAgainForWhatWasWithheld(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	ups.fail(0x47, empty)
	ups.fail(0x11, empty)
	var state State
	var settings Settings
	for range refusalsDeclared + 2 {
		state, settings = bothOf(t, b)
	}
	assert.Equal(t, Value[float64]{}, state.Output.ActivePower)
	assert.Equal(t, Value[AudibleAlarm]{}, settings.AudibleAlarmControl)

	ups.fail(0x47, nil)
	ups.fail(0x11, nil)
	for range askAgain {
		state, settings = bothOf(t, b)
	}
	assert.Equal(t, ValueOf(324.0), state.Output.ActivePower)
	assert.Equal(t, ValueOf(AlarmEnabled), settings.AudibleAlarmControl)
}

func TestWithheldReportsAreAskedForAgainInTurn(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	ups.fail(0x1b, empty) // which comes before 0x47
	ups.fail(0x47, empty)
	for range refusalsDeclared {
		_, err := b.Get(t.Context())
		require.True(t, HasState(err), "%v", err)
	}
	ups.fail(0x47, nil)
	var state State
	for range 2 * askAgain {
		var err error
		state, err = b.Get(t.Context())
		require.NoError(t, err)
	}
	assert.Equal(t, ValueOf(324.0), state.Output.ActivePower, "one that refuses is no obstacle")
	assert.Equal(t, Value[float64]{}, state.Output.Voltage)
}

func TestAContradictionHasToComeThreeTimesInARow(t *testing.T) {
	// One byte: neither ACPresent, bit 1, nor Discharging, bit 3; with and without Charging, bit 2.
	neither, charging, onLine := says(0x32, 0x00), says(0x32, 0x04), says(0x32, 0x46)
	for name, test := range map[string]struct {
		answers []func([]byte) (int, error)
		says    string // the error; or else there is line power
	}{
		"another one each time": {
			[]func([]byte) (int, error){neither, charging, neither, charging, neither, charging},
			"the status 04 says neither line power nor discharging, and not each time"},
		"another one in between": {
			[]func([]byte) (int, error){neither, charging, neither, neither, onLine}, ""},
		"an answer in between that is none": {
			[]func([]byte) (int, error){neither, empty, neither, neither, onLine}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b, ups := open(t, "smart1500lcd")
			ups.fail(0x32, sequence(test.answers...))
			state, err := b.Get(t.Context())
			if test.says != "" {
				require.ErrorContains(t, err, test.says)
				assert.Zero(t, state)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, ValueOf(true), state.Status.ACPresent)
		})
	}
}

func TestTheAnswerThatPicksALayoutProvesNothingElse(t *testing.T) {
	// Cut to one byte, the status of this unit contradicts itself. It comes once for the layout and
	// twice more, which is not often enough to be believed.
	b, ups := open(t, "pro1500rt2u", WithReportDescriptor(nil))
	cut := says(0x32, 0x00)
	ups.fail(0x32, sequence(cut, cut, cut, trueStatus))
	state, err := b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ValueOf(true), state.Status.ACPresent)
}

func TestAUnitThatRefusesEveryReportIsThere(t *testing.T) {
	for _, wrong := range wrongAnswers[1:] { // an error of hidapi proves nothing
		t.Run(wrong.name, func(t *testing.T) {
			b, ups := open(t, "smart1500lcd")
			for id := range 256 {
				ups.fail(byte(id), wrong.answer)
			}
			_, err := b.Get(t.Context())
			require.ErrorAs(t, err, new(*ReportError))
			require.NotErrorIs(t, err, ErrDisconnected)
		})
	}
}

func TestALossCostsFewTransfers(t *testing.T) {
	fails := func(ups *fakeUPS, err error) func([]byte) (int, error) {
		return func([]byte) (int, error) { ups.setGone(true); return 0, err }
	}
	for name, test := range map[string]struct {
		last byte // the report that is asked for as the unit goes
		err  error
		want map[byte]int
	}{
		"at the status": {0x32, errTransfer, map[byte]int{0x32: 1, 0x22: 1, 0x01: 1}},
		"at another":    {0x22, errTransfer, map[byte]int{0x32: 2, 0x22: 1, 0x01: 1}},
		// Which has taken five seconds by hidraw.
		"a timeout of the status":  {0x32, syscall.ETIMEDOUT, map[byte]int{0x32: 1}},
		"a timeout of another one": {0x22, syscall.ETIMEDOUT, map[byte]int{0x32: 2, 0x22: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			b, ups := open(t, "smart1500lcd")
			_, err := b.Get(t.Context())
			require.NoError(t, err)
			ups.transfers()
			ups.fail(test.last, fails(ups, test.err))
			_, err = b.Get(t.Context())
			require.ErrorIs(t, err, ErrDisconnected)
			_, asked := ups.transfers()
			assert.Equal(t, test.want, asked)
		})
	}
}

func bothOf(t *testing.T, b *Battery) (State, Settings) {
	t.Helper()
	state, err := b.Get(t.Context())
	require.True(t, HasState(err), "%v", err)
	settings, err := b.Settings(t.Context())
	require.True(t, HasState(err), "%v", err)
	return state, settings
}
