package virtualups

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// AnyPort makes [UPS.Attach] choose the first port that is free.
const AnyPort = -1

// The files through which programs use the virtual host controller: the kernel's
// drivers/usb/usbip/vhci_sysfs.c.
const (
	vhciDirectory = "/sys/devices/platform/vhci_hcd.0"
	usbDevices    = "/sys/bus/usb/devices"
)

// Columns and values of the file status.
const (
	statusHub    = 0 // "hs" for USB 2 and older
	statusPort   = 1
	statusState  = 2
	statusFields = 3

	stateFree = 4 // VDEV_ST_NULL of the kernel's drivers/usb/usbip/usbip_common.h
)

// How long the kernel may take to set a device up or to let it go, also on an emulated machine.
const (
	kernelWithin = 10 * time.Second
	lookEach     = 2 * time.Millisecond
)

// FreePorts lists the ports of this machine's virtual host controller that a unit may be attached
// to.
func FreePorts() ([]int, error) { return freePorts(vhciDirectory) }

func freePorts(directory string) ([]int, error) {
	// One for each controller: status, status.1, and so on.
	files, err := filepath.Glob(filepath.Join(directory, "status*"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("this kernel has no virtual USB host controller (try: modprobe vhci-hcd): %w",
			fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	var ports []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) < statusFields || fields[statusHub] != "hs" {
				continue
			}
			port, err := strconv.Atoi(fields[statusPort])
			if err != nil {
				return nil, fmt.Errorf("%s: %q", file, line)
			}
			if state, err := strconv.Atoi(fields[statusState]); err == nil && state == stateFree {
				ports = append(ports, port)
			}
		}
	}
	return ports, nil
}

// Attach plugs the unit into this machine's kernel, at a port of its virtual host controller. It
// returns when the kernel has set the unit up. It needs root, the module vhci-hcd, and a unit that
// nobody has imported. It plugs in a unit that is unplugged: Unplug and then Attach move a unit to
// another port. From then on [UPS.Plug] attaches the unit at this port again.
func (u *UPS) Attach(port int) error {
	if err := u.attachTo(port); err != nil {
		return fmt.Errorf("attaching %s: %w", u.BusID(), err)
	}
	return nil
}

func (u *UPS) attachTo(port int) error {
	u.mu.Lock()
	if !u.plugged {
		u.plugIn()
	}
	changes := u.changes
	u.mu.Unlock()

	connection, device, err := request(u.server.Addr().String(), u.BusID())
	if err != nil {
		return err
	}
	defer connection.Close() // the kernel has its own reference
	if port == AnyPort {
		u.server.attaching.Lock() // the kernel logs a lost race for a port as an error
		port, err = plugInAnywhere(connection, device)
		u.server.attaching.Unlock()
	} else {
		err = u.plugInAt(port, connection, device)
	}
	if err != nil {
		return err
	}
	u.mu.Lock()
	u.port = port
	u.reattach = func() error { return u.Attach(port) }
	u.mu.Unlock()

	name, err := deviceName(vhciDirectory, port)
	if err != nil {
		return err
	}
	err = u.await("the kernel to configure it", func() bool {
		// The file is empty until the device is configured, and a read of it waits while its
		// drivers are being found.
		value, err := os.ReadFile(filepath.Join(usbDevices, name, "bConfigurationValue"))
		return err == nil && strings.TrimSpace(string(value)) != "" || u.changedSince(changes)
	})
	if err == nil && u.changedSince(changes) {
		err = errors.New("it was unplugged meanwhile")
	}
	return err
}

// request is the client's side of OP_REQ_IMPORT.
func request(address, busID string) (*net.TCPConn, deviceRecord, error) {
	var record deviceRecord
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, record, err
	}
	connection := c.(*net.TCPConn)
	var ask importRequest
	copy(ask.BusID[:], busID)
	var reply opHeader
	_, err = connection.Write(encode(opHeader{Version: version, Code: opReqImport}, ask))
	if err == nil {
		err = readMessage(connection, &reply)
	}
	if err == nil && reply.Status != 0 {
		err = errors.New("it is attached already, or unplugged")
	}
	if err == nil {
		err = readMessage(connection, &record)
	}
	if err != nil {
		connection.Close()
		return nil, record, err
	}
	return connection, record, nil
}

// plugInAnywhere plugs the unit in at a free port, or at the next one when another program was
// quicker.
func plugInAnywhere(connection *net.TCPConn, device deviceRecord) (int, error) {
	for {
		ports, err := FreePorts()
		if err != nil {
			return 0, err
		}
		if len(ports) == 0 {
			return 0, errors.New("every port is taken")
		}
		err = handOver(ports[0], connection, device)
		if !errors.Is(err, syscall.EBUSY) {
			return ports[0], err
		}
	}
}

// plugInAt plugs the unit in at a port once the kernel has let go of the device before.
func (u *UPS) plugInAt(port int, connection *net.TCPConn, device deviceRecord) error {
	if err := u.awaitFree(port); err != nil {
		return err
	}
	return handOver(port, connection, device)
}

// handOver gives the connection to the kernel, which goes on with the transfers itself.
func handOver(port int, connection *net.TCPConn, device deviceRecord) error {
	raw, err := connection.SyscallConn()
	if err != nil {
		return err
	}
	var writeErr error
	err = raw.Control(func(fd uintptr) {
		line := fmt.Sprintf("%d %d %d %d", port, fd, device.id(), device.Speed)
		writeErr = os.WriteFile(filepath.Join(vhciDirectory, "attach"), []byte(line), 0)
	})
	return errors.Join(err, writeErr)
}

// Detach takes the unit out of this machine's kernel, from the kernel's side. The unit stays
// exported.
func (u *UPS) Detach() error {
	u.mu.Lock()
	port, attached := u.port, u.reattach != nil
	u.reattach = nil
	u.mu.Unlock()
	if !attached {
		return nil
	}
	err := os.WriteFile(filepath.Join(vhciDirectory, "detach"), []byte(strconv.Itoa(port)), 0)
	if errors.Is(err, syscall.EINVAL) {
		err = nil // the kernel has no device at the port any more
	}
	if err == nil {
		err = u.awaitFree(port)
	}
	if err != nil {
		return fmt.Errorf("detaching %s: %w", u.BusID(), err)
	}
	return nil
}

// awaitFree waits until the port's device has left the USB stack too. The hub's driver would take a
// device that comes before it noticed that for the same one, reset.
func (u *UPS) awaitFree(port int) error {
	name, err := deviceName(vhciDirectory, port)
	if err != nil {
		return err
	}
	return u.await(fmt.Sprintf("port %d to become free", port), func() bool {
		if _, err := os.Stat(filepath.Join(usbDevices, name)); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
		ports, err := FreePorts()
		if err != nil {
			return false
		}
		for _, free := range ports {
			if free == port {
				return true
			}
		}
		return false
	})
}

// await looks again and again, because sysfs has nothing to wait on.
func (u *UPS) await(what string, done func() bool) error {
	limit := time.After(kernelWithin)
	for !done() {
		select {
		case <-time.After(lookEach):
		case <-u.server.closed:
			return net.ErrClosed
		case <-limit:
			return fmt.Errorf("waited %v for %s", kernelWithin, what)
		}
	}
	return nil
}

// Path returns the name of the interface in /sys/bus/usb/devices, such as "2-1:1.0", which is also
// its path in hidapi. It fails if the unit was never attached. While the unit is unplugged, the
// path is that of its last port.
func (i *Interface) Path() (string, error) {
	i.ups.mu.Lock()
	port, attached := i.ups.port, i.ups.reattach != nil
	i.ups.mu.Unlock()
	if !attached {
		return "", fmt.Errorf("%s is not attached", i.ups.BusID())
	}
	name, err := deviceName(vhciDirectory, port)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s:%d.%d", name, configurationValue, i.number), nil
}

// deviceName returns the name of a device at a port of the virtual host controller: the bus number
// of its root hub and the number of the port on that hub. Each controller has two root hubs with
// the same number of ports. The first half of its ports belong to the slower hub.
func deviceName(directory string, port int) (string, error) {
	ports, err := hubFile(directory, "maxchild")
	if err != nil {
		return "", err
	}
	controller, port := port/(2*ports), port%(2*ports)
	if port >= ports {
		return "", fmt.Errorf("no low-speed device fits port %d", port)
	}
	bus, err := hubFile(strings.TrimSuffix(directory, "0")+strconv.Itoa(controller), "busnum")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d-%d", bus, port+1), nil
}

// hubFile reads a number of a controller's root hub for devices of USB 2 and older.
func hubFile(controller, file string) (int, error) {
	hubs, err := filepath.Glob(filepath.Join(controller, "usb*"))
	if err != nil {
		return 0, err
	}
	for _, hub := range hubs {
		if speed, err := number(filepath.Join(hub, "speed")); err == nil && speed == 480 {
			return number(filepath.Join(hub, file))
		}
	}
	return 0, fmt.Errorf("%s has no root hub (try: modprobe vhci-hcd): %w", controller, fs.ErrNotExist)
}

func number(file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
