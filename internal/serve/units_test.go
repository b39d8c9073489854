package serve

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
)

// Each row is a scrape; the log has a line only where something changed.
func TestWhatIsLogged(t *testing.T) {
	info := tripplite.DeviceInfo{Path: "1-1:1.0", Product: "UPS"}
	unit := func(err error) readings {
		return readings{units: []tripplite.Reading{{Info: info, Err: err}}}
	}
	failed := func(op string, err error) readings {
		return unit(&tripplite.Error{Op: op, Path: "1-1:1.0", Err: err, Cause: io.EOF})
	}
	partial := func(id byte) readings {
		report := &tripplite.ReportError{Path: "1-1:1.0", ID: id, Err: tripplite.ErrDisconnected}
		return unit(&tripplite.PartialError{Reports: []*tripplite.ReportError{report}})
	}
	noStatus := &tripplite.ReportError{Name: "UPS.PowerSummary.PresentStatus", Err: io.EOF}
	const fair, short = time.Second, 900 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		source := &readings{}
		logged := Logging(source, Logger(&text, slog.LevelInfo, "logfmt"))
		for i, test := range []struct {
			says    readings
			timeout time.Duration
			want    string // "" is nothing
		}{
			{readings{}, fair, `level=WARN msg="no UPS is attached yet"`},
			{readings{}, fair, ``},
			{unit(nil), fair, `level=INFO msg="UPS answers" path=1-1:1.0 product=UPS`},
			{unit(nil), fair, ``},
			{failed("read", tripplite.ErrDisconnected), fair,
				`level=WARN msg="UPS cannot be read" path=1-1:1.0`},
			{failed("open", tripplite.ErrDisconnected), fair, ``},
			{failed("open", tripplite.ErrPermission), short, `udev rule`},
			{failed("read", context.DeadlineExceeded), short, ``},
			{failed("read", context.Canceled), fair, ``},
			{failed("read", context.DeadlineExceeded), fair,
				`level=WARN msg="UPS does not answer in time" path=1-1:1.0`},
			{failed("read", context.DeadlineExceeded), fair, ``},
			{failed("read", context.DeadlineExceeded), short, ``},
			{partial(0x34), fair, `level=WARN msg="UPS answers in part" path=1-1:1.0`},
			{partial(0x35), fair, ``},
			{unit(noStatus), fair, `PresentStatus`},
			{failed("open", io.ErrUnexpectedEOF), fair, `unexpected EOF`},
			{readings{err: tripplite.ErrUnsupported}, fair,
				`level=ERROR msg="the UPSes cannot be listed"`},
			{readings{err: tripplite.ErrUnsupported}, fair, ``},
			{unit(nil), fair, `level=INFO msg="UPS answers"`},
		} {
			text.Reset()
			*source = test.says
			ctx, cancel := context.WithTimeout(t.Context(), test.timeout)
			logged.Get(ctx)
			cancel()
			require.Contains(t, text.String(), test.want, "scrape %d", i)
			if test.want == "" {
				require.Empty(t, text.String(), "scrape %d", i)
			}
		}
	})
}

func TestLook(t *testing.T) {
	up := tripplite.Reading{}
	down := tripplite.Reading{Err: fmt.Errorf("open: %w", tripplite.ErrPermission)}
	for _, test := range []struct {
		name string
		says readings
		want error
	}{
		{"none", readings{}, tripplite.ErrNotFound},
		{"none that may be opened", readings{units: []tripplite.Reading{down, down}},
			tripplite.ErrPermission},
		{"one of two", readings{units: []tripplite.Reading{down, up}}, nil},
		{"no list", readings{err: tripplite.ErrUnsupported}, tripplite.ErrUnsupported},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.ErrorIs(t, Look(t.Context(), &test.says, time.Second), test.want)
		})
	}
}
