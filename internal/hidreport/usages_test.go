package hidreport

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestUsageIsAPageAndAnID(t *testing.T) {
	u := Usage(0xffff007d)
	assert.Equal(t, uint16(0xffff), u.Page())
	assert.Equal(t, uint16(0x007d), u.ID())
}

func TestUsageHasANameOrItsDigits(t *testing.T) {
	tests := map[Usage]string{
		0x00840004: "UPS",
		0x00840016: "PowerConverter",
		0x00840024: "PowerSummary",
		0x00840044: "ConfigActivePower",
		0x0084004b: "0084004b", // where product 2005 has NeedReplacement, a page too low
		0x00840055: "DelayBeforeReboot",
		0x0084006b: "SwitchOn/Off",
		0x008400fd: "iManufacturer",
		0x008400fe: "iProduct",
		0x008400ff: "iSerialNumber",
		0x00850042: "BelowRemainingCapacityLimit",
		0x0085004b: "NeedReplacement",
		0x00850068: "RunTimeToEmpty",
		0x00850089: "iDeviceChemistry",
		0x0085008f: "iOEMInformation",
		0x008500d0: "ACPresent",
		0xffff007d: "ffff007d",
		0x00000000: "00000000",
		0x00010030: "00010030",
	}
	for u, want := range tests {
		assert.Equal(t, want, u.String())
	}
}

func TestNamesAreOfTheTwoPagesAndUniqueOnEach(t *testing.T) {
	seen := map[uint16]map[string]Usage{0x84: {}, 0x85: {}}
	for u, name := range names() {
		page, ok := seen[u.Page()]
		assert.True(t, ok, "%08x", uint32(u))
		assert.NotContains(t, page, name)
		page[name] = u
		assert.False(t, strings.ContainsAny(name, " ."), "%q would not stand in a path", name)
	}
	// As many as other people's lists have: docs.rs/hid-types, docs.rs/hut.
	assert.Equal(t, 77, len(seen[0x84]))
	assert.Equal(t, 91, len(seen[0x85]))
}

func TestPathJoinsTheNames(t *testing.T) {
	assert.Equal(t, "UPS.ffff0010.ffff007d", Path{0x00840004, 0xffff0010, 0xffff007d}.String())
	assert.Equal(t, "", Path(nil).String())
}
