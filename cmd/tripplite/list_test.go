package main

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
)

func TestList(t *testing.T) {
	code, stdout, stderr := tool(t, "list", "--replay", "smart1500lcd", "--replay", "pro1500rt2u")
	require.Zero(t, code)
	require.Empty(t, stderr)
	require.Equal(t, `PATH          ID         FAMILY           PRODUCT         SERIAL  ACCESS
smart1500lcd  09ae:2012  Tripp Lite 2xxx  Tripp Lite UPS  -       yes
pro1500rt2u   05dd:a0a0  Delta/Minuteman  MINUTEMAN UPS   -       yes
`, stdout)
}

func TestAccess(t *testing.T) {
	for want, err := range map[string]error{
		"yes":                            nil,
		"no permission":                  failed("1-4:1.0", tripplite.ErrPermission).Err,
		"busy":                           busy("1-4:1.0", "").Err,
		"busy (usbhid-ups, process 312)": busy("1-4:1.0", "usbhid-ups, process 312").Err,
		"unsupported":                    failed("1-4:1.0", tripplite.ErrUnsupported).Err,
		"gone":                           failed("1-4:1.0", tripplite.ErrDisconnected).Err,
		"no":                             errors.New("hidapi: failed to open device"),
	} {
		assert.Equal(t, want, access(err))
	}
}

func TestListSaysWhatToDo(t *testing.T) {
	held := busy("1-4:1.0", "usbhid-ups, process 312")
	code, stdout, stderr := over(t, func(s *session) error {
		return s.list([]unit{{held.Info, func() (*tripplite.Battery, error) { return nil, held.Err }}})
	})
	require.Zero(t, code)
	require.Equal(t, `PATH     ID         FAMILY  PRODUCT  SERIAL  ACCESS
1-4:1.0  0000:0000  -       -        -       busy (usbhid-ups, process 312)
`, stdout)
	requireOneLine(t, stderr,
		"tripplite: 1-4:1.0: another program holds the UPS: stop it first (usbhid-ups, process 312)")
}

func TestATableFitsItsColumns(t *testing.T) {
	rows := [][]string{
		{"PATH", "PRODUCT", "ACCESS"},
		{"1-4.2:1.0", "TRIPP LITE UPS SMART1500RM2UL", "busy (usbhid-ups, process 312)"},
		{"1-3:1.0", "Tripp Lite UPS", "yes"},
	}
	require.Equal(t, `PATH       PRODUCT                        ACCESS
1-4.2:1.0  TRIPP LITE UPS SMART1500RM2UL  busy (usbhid-ups, process 312)
1-3:1.0    Tripp Lite UPS                 yes
`, table(rows, math.MaxInt))
	require.Equal(t, `PATH       PRODUCT                ACCESS
1-4.2:1.0  TRIPP LITE UPS         busy (usbhid-ups,
           SMART1500RM2UL         process 312)
1-3:1.0    Tripp Lite UPS         yes
`, table(rows, 55))
}

func TestWrap(t *testing.T) {
	for text, want := range map[string][]string{
		"one two three":         {"one two", "three"},
		"incomprehensibilities": {"incompr", "ehensib", "ilities"},
		"UPS.A.B.CDE.FG":        {"UPS.A.", "B.CDE.", "FG"},
		"a-b c-d e-f":           {"a-b c-d", "e-f"},
	} {
		assert.Equal(t, want, wrap(text, 7, "."), text)
	}
}
