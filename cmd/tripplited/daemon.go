package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	sd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
	"github.com/tripplite-go/tripplite/internal/serve"
	"github.com/tripplite-go/tripplite/nut"
)

// daemon is one run of the program.
type daemon struct {
	file   string
	replay []string
	stderr io.Writer

	config    config
	nutConfig nut.Config
	log       *slog.Logger

	bank    *tripplite.Bank
	sockets map[string][]net.Listener // that systemd passed, by their names
	nut     *nut.Server
	failed  chan error // why a server ended
}

// load reads the configuration.
func (d *daemon) load() error {
	c, err := load(d.file)
	if err != nil {
		return err
	}
	log := serve.Logger(d.stderr, c.Log.Level, c.Log.Format)
	served, err := c.server(log, serve.Version().Main.Version)
	if err != nil {
		return err
	}
	d.config, d.nutConfig, d.log = c, served, log
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
			for _, l := range listeners {
				l.Close()
			}
			return nil, err
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// serve serves until ctx is done.
func (d *daemon) serve(ctx context.Context) (err error) {
	if d.sockets, err = activation.ListenersWithNames(); err != nil {
		return err
	}
	if d.bank, err = serve.Open(d.config.Units.Paths, d.replay, d.log); err != nil {
		return err
	}
	defer d.bank.Close()
	d.failed = make(chan error, 8)
	source := serve.Logging(d.bank, d.log)
	stopPages, err := d.servePages(source)
	if err != nil {
		return err
	}
	defer stopPages()
	if err := d.serveNUT(); err != nil {
		return err
	}
	defer func() { d.nut.Close() }()

	reload := make(chan os.Signal, 1)
	signal.Notify(reload, reloadSignals...)
	defer signal.Stop(reload)
	// The first reading opens the units, and says in the log what is there.
	d.alive(source)
	notify(sd.SdNotifyReady)
	d.log.Info("serving", "http", d.config.HTTP.Listen, "nut", d.config.NUT.Listen)
	feed, stop := d.watchdog()
	defer stop()
	for {
		select {
		case <-ctx.Done():
			notify(sd.SdNotifyStopping)
			d.log.Info("stopping")
			return nil
		case err := <-d.failed:
			return err
		case <-reload:
			notify(sd.SdNotifyReloading)
			d.reload()
			notify(sd.SdNotifyReady)
		case <-feed:
			if d.alive(source) {
				notify(sd.SdNotifyWatchdog)
			}
		}
	}
}

func notify(state string) { _, _ = sd.SdNotify(false, state) } // without systemd nobody listens

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

// alive reports whether the program still gets from its units to an answer, be it that they are lost.
func (d *daemon) alive(source collector.Source) bool {
	ctx, cancel := context.WithTimeout(context.Background(), aliveTimeout)
	defer cancel()
	_, err := source.Get(ctx)
	return err == nil
}

// servePages serves the pages and metrics. The function that it returns ends that.
func (d *daemon) servePages(source collector.Source) (stop func(), err error) {
	listeners, err := d.listen("http", d.config.HTTP.Listen)
	if err != nil || listeners == nil {
		return func() {}, err
	}
	names := map[string]string{}
	for path, list := range d.config.Units.Names {
		if len(list) > 0 {
			names[path] = list[0]
		}
	}
	timeout := d.config.HTTP.ScrapeTimeout
	c := collector.New(source, collector.WithTimeout(timeout), collector.WithNames(names))
	server := serve.NewServer(c, timeout, d.log)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := serve.Run(ctx, server, func() error {
			flags := &web.FlagConfig{WebConfigFile: &d.config.HTTP.WebConfigFile}
			return web.ServeMultiple(listeners, server, flags, d.log)
		}, d.log)
		if err != nil && !errors.Is(err, http.ErrServerClosed) {
			d.failed <- err
		}
	}()
	return func() { cancel(); <-done }, nil
}

// serveNUT serves the protocol of NUT by the present configuration.
func (d *daemon) serveNUT() error {
	listeners, err := d.listen("nut", d.config.NUT.Listen)
	if err != nil {
		return err
	}
	server := nut.NewServer(d.bank, d.nutConfig)
	d.nut = server
	for _, l := range listeners {
		go func() {
			if err := server.Serve(l); !errors.Is(err, net.ErrClosed) {
				d.failed <- err
			}
		}()
	}
	return nil
}

// reload reads the configuration again and serves NUT by it. A file that is wrong changes nothing.
func (d *daemon) reload() {
	was := *d
	if err := d.load(); err != nil {
		d.log.Error("the configuration is not taken up", "err", err)
		return
	}
	if d.sockets["nut"] != nil {
		// A socket of systemd's cannot be opened again.
		d.config, d.nutConfig = was.config, was.nutConfig
		d.log.Warn("with sockets of systemd the configuration is taken up by a restart alone")
		return
	}
	d.nut.Close()
	if err := d.serveNUT(); err != nil {
		d.log.Error("the new addresses cannot be listened at: the old ones serve", "err", err)
		d.config, d.nutConfig = was.config, was.nutConfig
		if err := d.serveNUT(); err != nil {
			d.failed <- err
		}
		return
	}
	d.log.Info("the configuration is taken up; units and http need a restart")
}
