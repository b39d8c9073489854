// Virtual-ups serves UPSes that are not there, over USB/IP, for trying out programs that talk to
// UPSes:
//
//	virtual-ups smart1500lcd pro1500rt2u
//
// A computer that attaches one of them sees a USB device.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/virtualups"
)

// port is the one that IANA has assigned to USB/IP.
const port = "3240"

type options struct {
	Units  []string `arg:"" name:"unit" help:"A capture file, or a built-in capture: ${captures}."`
	Listen string   `default:"127.0.0.1:${port}" placeholder:"ADDRESS" help:"${listen}"`
	Attach bool     `help:"Attach them to this computer too (Linux, as root, module vhci-hcd)."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second signal ends it at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run serves until ctx is done and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var opts options
	helped := false
	parser := kong.Must(&opts,
		kong.Name("virtual-ups"),
		kong.Description("Serves virtual UPSes over USB/IP, each made from a capture of a real one."),
		kong.Vars{
			"port":     port,
			"captures": strings.Join(capture.Names(), ", "),
			"listen": "Where to serve them. USB/IP has no access control: anyone who reaches the " +
				"address may take them (default: 127.0.0.1:" + port + ").",
		},
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { helped = true }), // called after the help was printed
	)
	_, err := parser.Parse(args)
	switch {
	case helped:
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "virtual-ups: %v (see virtual-ups --help)\n", err)
		return 2
	}
	if err := serve(ctx, opts, stdout); err != nil {
		fmt.Fprintf(stderr, "virtual-ups: %v\n", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, opts options, stdout io.Writer) (err error) {
	var captures []*capture.Capture
	for _, name := range opts.Units {
		c, err := capture.Load(name)
		if err != nil {
			return err
		}
		captures = append(captures, c)
	}
	server, err := virtualups.Listen(opts.Listen)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()

	for _, c := range captures {
		u := server.Add(c)
		how := attachCommand(server.Addr(), u.BusID())
		if opts.Attach {
			if err := u.Attach(virtualups.AnyPort); err != nil {
				return err
			}
			path, err := u.Path()
			if err != nil {
				return err
			}
			how = "attached at " + path
		}
		if _, err := fmt.Fprintf(stdout, "%s: %s\n", c.Name, how); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// attachCommand returns the command to run on the computer that is to have the unit.
func attachCommand(address net.Addr, busID string) string {
	host, number, _ := net.SplitHostPort(address.String()) // a TCP address has both
	if net.ParseIP(host).IsUnspecified() {
		host = "<this host>"
	}
	option := ""
	if number != port {
		option = "--tcp-port " + number + " "
	}
	return fmt.Sprintf("usbip %sattach -r %s -b %s", option, host, busID)
}
