package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	sd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
	"github.com/tripplite-go/tripplite/guard"
	"github.com/tripplite-go/tripplite/internal/history"
	"github.com/tripplite-go/tripplite/internal/monitor"
	"github.com/tripplite-go/tripplite/internal/notify"
	"github.com/tripplite-go/tripplite/internal/serve"
	"github.com/tripplite-go/tripplite/nut"
)

// daemon is one run of the program.
type daemon struct {
	file   string
	replay []string
	stderr io.Writer

	config    config
	fixed     config // what a reload does not change: all but NUT is by this one
	nutConfig nut.Config
	log       *slog.Logger

	bank    *tripplite.Bank
	sockets map[string][]net.Listener // that systemd passed, by their names
	stopNUT func()
	nut     atomic.Pointer[nut.Server] // the last one

	monitor  *monitor.Monitor
	history  *history.Store
	notifier *notify.Notifier
	guard    *guard.Guard
	failed   chan error // why a server ended
}

// read reads the file, which is all that those commands need which serve nothing.
func (d *daemon) read() (config, error) {
	c, err := load(d.file)
	if err != nil {
		return c, err
	}
	if c.guards && d.replay == nil {
		if err := c.checkGuardUnits(); err != nil {
			return c, err
		}
	}
	if d.log == nil {
		d.log = serve.Logger(d.stderr, c.Log.Level, c.Log.Format)
		d.fixed = c
	}
	return c, nil
}

// load reads the configuration, and what it names.
func (d *daemon) load() error {
	c, err := d.read()
	if err != nil {
		return err
	}
	if err := web.Validate(c.HTTP.WebConfigFile); err != nil {
		return fmt.Errorf("http.web_config_file: %w", err)
	}
	served, err := c.server(d.log, serve.Version().Main.Version)
	if err != nil {
		return err
	}
	d.config, d.nutConfig = c, served
	return nil
}

// listen opens the sockets of a server: those that systemd passed under its name, or those at its
// addresses.
func (d *daemon) listen(name string, addresses []string) (listeners []net.Listener, err error) {
	if passed := d.sockets[name]; passed != nil {
		return passed, nil
	}
	for _, address := range addresses {
		l, err := net.Listen("tcp", address)
		if err != nil {
			closeAll(listeners)
			return nil, err
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// paths returns the paths of the units, if the file names them.
func (d *daemon) paths() []string {
	if d.replay != nil {
		return nil
	}
	return d.config.Units.Paths
}

// serve serves until ctx is done.
func (d *daemon) serve(ctx context.Context) (err error) {
	if d.sockets, err = activation.ListenersWithNames(); err != nil {
		return err
	}
	for name := range d.sockets {
		if name != "http" && name != "nut" {
			return fmt.Errorf("systemd passes a socket %q: FileDescriptorName= must be http or nut", name)
		}
	}
	if d.bank, err = serve.Open(d.paths(), d.replay, d.log); err != nil {
		return err
	}
	defer d.bank.Close()
	d.failed = make(chan error, 8)
	source := serve.Logging(d.bank, d.log)
	pages, err := d.listen("http", d.config.HTTP.Listen)
	if err != nil {
		return err
	}
	clients, err := d.listen("nut", d.config.NUT.Listen)
	if err != nil {
		closeAll(pages)
		return err
	}
	defer d.watch()()
	defer d.servePages(source, pages, describe(clients))()
	d.serveNUT(clients)
	defer func() { d.stopNUT() }() // of the last reload

	defer d.runGuard(ctx)()

	reload := make(chan os.Signal, 1)
	signal.Notify(reload, reloadSignals...)
	defer signal.Stop(reload)
	// The first reading opens the units, and says in the log what is there.
	d.alive(ctx, source)
	tell(sd.SdNotifyReady)
	d.log.Info("ready")
	feed, stop := d.watchdog()
	defer stop()
	for {
		select {
		case <-ctx.Done():
			tell(sd.SdNotifyStopping)
			return nil
		case err := <-d.failed:
			return err
		case <-reload:
			tell(sd.SdNotifyReloading)
			d.reload()
			tell(sd.SdNotifyReady)
		case <-feed:
			// A UPS that hangs is no reason to be killed in the middle of a shutdown.
			if d.alive(ctx, source) || d.goesDown() {
				tell(sd.SdNotifyWatchdog)
			}
		}
	}
}

func tell(state string) { _, _ = sd.SdNotify(false, state) } // without systemd nobody listens

// watchdog returns when systemd's watchdog is to be fed, which may be never.
func (d *daemon) watchdog() (feed <-chan time.Time, stop func()) {
	every, err := sd.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		return nil, func() {}
	}
	ticker := time.NewTicker(every / 3)
	return ticker.C, ticker.Stop
}

// aliveTimeout is how long the units may take to be read, or not.
const aliveTimeout = 5 * time.Second

// alive reads the units and reports whether that came to an end in time, be it that they are lost.
func (d *daemon) alive(ctx context.Context, source collector.Source) bool {
	ctx, cancel := context.WithTimeout(ctx, aliveTimeout)
	defer cancel()
	_, err := source.Get(ctx)
	return !errors.Is(err, context.DeadlineExceeded)
}

// goesDown reports whether the guard takes the computer down.
func (d *daemon) goesDown() bool {
	if d.guard == nil {
		return false
	}
	s := d.guard.Status()
	return s.Armed && (s.Phase == guard.Acting || s.Phase == guard.Done)
}

// describe returns what the landing page says.
func describe(nut []net.Listener) serve.Program {
	text := "Tripp Lite UPS battery backups attached by USB"
	for i, l := range nut {
		text += []string{", also by the protocol of Network UPS Tools at ", ", "}[min(i, 1)]
		text += l.Addr().String()
	}
	return serve.Program{Name: "tripplited", Description: text}
}

// servePages serves the pages and metrics, if there is where. The function that it returns ends
// that.
func (d *daemon) servePages(
	source collector.Source, listeners []net.Listener, p serve.Program,
) (stop func()) {
	if len(listeners) == 0 {
		return func() {}
	}
	names := map[string]string{}
	for path, list := range d.config.Units.Names {
		if len(list) > 0 {
			names[path] = list[0]
		}
	}
	timeout, file := d.config.HTTP.ScrapeTimeout, d.config.HTTP.WebConfigFile
	c := collector.New(source, collector.WithTimeout(timeout), collector.WithNames(names))
	server := serve.NewServer(serve.Config{
		Program: p, Collector: c, Scrape: timeout, Log: d.log,
		Units: serve.Watched(d.monitor), History: d.history,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := serve.Run(ctx, server, func() error {
			return web.ServeMultiple(listeners, server, &web.FlagConfig{WebConfigFile: &file}, d.log)
		}, d.log)
		if err != nil && !errors.Is(err, http.ErrServerClosed) {
			d.failed <- err
		}
	}()
	return func() { cancel(); <-done }
}

// serveNUT serves the protocol of NUT by the present configuration, if there is where, until
// stopNUT.
func (d *daemon) serveNUT(listeners []net.Listener) {
	d.stopNUT = func() {}
	if len(listeners) == 0 {
		return // a server would read the units for nobody
	}
	config := d.nutConfig
	config.After = d.nut.Load()
	server := nut.NewServer(d.bank, config)
	d.nut.Store(server)
	d.stopNUT = func() { server.Close() }
	for _, l := range listeners {
		d.log.Info("NUT is served", "address", l.Addr().String())
		go func() {
			if err := server.Serve(l); !errors.Is(err, net.ErrClosed) {
				d.failed <- err
			}
		}()
	}
}

// reload reads the configuration again and serves NUT by it. A file that is wrong, or an address
// that is taken, changes nothing.
func (d *daemon) reload() {
	const refused = "the configuration is not taken up"
	if d.sockets["nut"] != nil {
		d.log.Error(refused + ": with a socket of systemd that takes a restart")
		return
	}
	old, oldNUT := d.config, d.nutConfig
	if err := d.load(); err != nil {
		d.log.Error(refused, "err", err)
		return
	}
	d.stopNUT()
	listeners, err := d.listen("nut", d.config.NUT.Listen)
	if err == nil {
		d.serveNUT(listeners)
		d.log.Info("the configuration of NUT is taken up; the rest needs a restart")
		return
	}
	d.log.Error(refused, "err", err)
	d.config, d.nutConfig = old, oldNUT
	if listeners, err = d.listen("nut", d.config.NUT.Listen); err != nil {
		d.failed <- err
	}
	d.serveNUT(listeners)
}
