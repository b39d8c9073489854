package usb

import (
	"io"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestSettle(t *testing.T) {
	const ms = time.Millisecond
	type transfer struct{ begin, end time.Duration }
	for name, test := range map[string]struct {
		transfers []transfer
		call      time.Duration // when settle is called
		want      time.Duration // when it returns
	}{
		"nothing runs":           {nil, 0, 0},
		"what ran has ended":     {[]transfer{{0, 20 * ms}}, 100 * ms, 100 * ms},
		"a quick transfer":       {[]transfer{{0, 20 * ms}}, 10 * ms, 20 * ms},
		"one that hangs":         {[]transfer{{0, 5000 * ms}}, 10 * ms, 5000 * ms},
		"one that begins later":  {[]transfer{{20 * ms, 5000 * ms}}, 10 * ms, 10 * ms},
		"one beside a quick one": {[]transfer{{0, 20 * ms}, {15 * ms, 5000 * ms}}, 10 * ms, 20 * ms},
		"two that hang":          {[]transfer{{0, 3000 * ms}, {0, 5000 * ms}}, 10 * ms, 5000 * ms},
		"a second that hangs":    {[]transfer{{0, 300 * ms}, {200 * ms, 700 * ms}}, 10 * ms, 700 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var running transfers
				start := time.Now()
				var ended sync.WaitGroup
				for _, transfer := range test.transfers {
					ended.Go(func() {
						time.Sleep(transfer.begin)
						end := running.begin()
						time.Sleep(transfer.end - transfer.begin)
						end()
					})
				}
				time.Sleep(test.call)
				synctest.Wait()
				running.settle()
				require.Equal(t, test.want, time.Since(start))
				ended.Wait()
			})
		})
	}
}

// A program that reads several units has transfers under way at almost any time.
func TestSettleBesideQuickTransfers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running transfers
		var ended sync.WaitGroup
		for i := range 8 {
			ended.Go(func() {
				time.Sleep(time.Duration(i) * 5 * time.Millisecond)
				for range 100 {
					end := running.begin()
					time.Sleep(20 * time.Millisecond)
					end()
				}
			})
		}
		time.Sleep(time.Second)
		start := time.Now()
		running.settle()
		require.LessOrEqual(t, time.Since(start), quick)
		ended.Wait()
	})
}

func TestOpenWaitsWhileATransferHangs(t *testing.T) {
	attach(t, func(a *attached) {
		a.bind()
		start := time.Now()
		time.AfterFunc(5*time.Second, underWay.begin())
		require.Equal(t, Hidraw, a.opens().Transport())
		require.Equal(t, 5*time.Second, time.Since(start))
	})
}

func TestCloseBesideATransferThatHangs(t *testing.T) {
	began, letGo, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	hanging, _ := openPair(t, func(*os.File, uintptr, unsafe.Pointer) (int, error) {
		close(began)
		<-letGo
		return 2, nil
	})
	go func() {
		defer close(ended)
		hanging.GetFeatureReport([]byte{0x32, 0})
	}()
	<-began

	d, unit := openPair(t, nil)
	reads := reading(t, d, unit)
	require.NoError(t, d.Close())
	require.Equal(t, os.ErrClosed, <-reads)
	_, err := d.GetFeatureReport([]byte{0x32, 0})
	require.Equal(t, os.ErrClosed, err)
	require.Equal(t, os.ErrClosed, d.Close())
	require.NoError(t, d.conn.Control(func(uintptr) {}), "the file is still open")

	close(letGo)
	<-ended
	_, err = unit.Read(make([]byte, 8))
	require.Equal(t, io.EOF, err)
}
