// Package logind asks systemd-logind to power the computer off, and what holds that up.
package logind

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	login   = "org.freedesktop.login1"
	manager = login + ".Manager"
	path    = dbus.ObjectPath("/org/freedesktop/login1")
)

// call asks logind something, over a connection of its own: there is one in the life of a computer.
func call(ctx context.Context, ask func(bus *dbus.Conn, logind dbus.BusObject) error) error {
	bus, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("the system's D-Bus: %w", err)
	}
	defer bus.Close()
	return ask(bus, bus.Object(login, path))
}

// PowerOff has the computer powered off.
func PowerOff(ctx context.Context) error { return end(ctx, "PowerOff") }

// Reboot has it restarted.
func Reboot(ctx context.Context) error { return end(ctx, "Reboot") }

func end(ctx context.Context, method string) error {
	return call(ctx, func(_ *dbus.Conn, logind dbus.BusObject) error {
		const interactive = false
		if err := logind.CallWithContext(ctx, manager+"."+method, 0, interactive).Err; err != nil {
			return fmt.Errorf("logind: %s: %w", method, err)
		}
		return nil
	})
}

// System is what logind and systemd say of this computer.
type System struct {
	// CanPowerOff is "yes" where this user may; else it is "no", "na" or "challenge", which wants a
	// password.
	CanPowerOff string
	// InhibitDelay is how long programs can hold up a power off, such as a kubelet.
	InhibitDelay time.Duration
	// StopTimeout is how long a service may take to stop, unless it says something else.
	StopTimeout time.Duration
	// Inhibitors are who holds up or blocks a power off now, and why.
	Inhibitors []Inhibitor
}

// Inhibitor is a program that wants to be asked before the computer goes down.
type Inhibitor struct{ Who, Why, Mode string }

// Ask returns what logind and systemd say.
func Ask(ctx context.Context) (s System, err error) {
	err = call(ctx, func(bus *dbus.Conn, logind dbus.BusObject) error {
		err := logind.CallWithContext(ctx, manager+".CanPowerOff", 0).Store(&s.CanPowerOff)
		if err != nil {
			return fmt.Errorf("logind: CanPowerOff: %w", err)
		}
		if s.InhibitDelay, err = microseconds(ctx, logind, manager, "InhibitDelayMaxUSec"); err != nil {
			return err
		}
		var list []struct {
			What, Who, Why, Mode string
			UID, PID             uint32
		}
		err = logind.CallWithContext(ctx, manager+".ListInhibitors", 0).Store(&list)
		if err != nil {
			return fmt.Errorf("logind: ListInhibitors: %w", err)
		}
		for _, i := range list {
			if holds(i.What) {
				s.Inhibitors = append(s.Inhibitors, Inhibitor{i.Who, i.Why, i.Mode})
			}
		}
		const systemd = "org.freedesktop.systemd1"
		s.StopTimeout, err = microseconds(ctx, bus.Object(systemd, "/org/freedesktop/systemd1"),
			systemd+".Manager", "DefaultTimeoutStopUSec")
		return err
	})
	return s, err
}

// holds reports whether an inhibitor of these things, such as "sleep:shutdown", is of a power off.
func holds(what string) bool {
	return slices.Contains(strings.Split(what, ":"), "shutdown")
}

func microseconds(
	ctx context.Context, object dbus.BusObject, owner, name string,
) (time.Duration, error) {
	var value dbus.Variant
	err := object.CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, owner, name).
		Store(&value)
	if err != nil {
		return 0, fmt.Errorf("%s.%s: %w", owner, name, err)
	}
	n, ok := value.Value().(uint64)
	if !ok {
		return 0, fmt.Errorf("%s.%s is a %s", owner, name, value.Signature())
	}
	// The most that systemd has is "infinity".
	return time.Duration(min(n, uint64(math.MaxInt64/time.Microsecond))) * time.Microsecond, nil
}
