package virtualups

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// gonePoll is how often Import looks whether the kernel still has the unit.
const gonePoll = 100 * time.Millisecond

// Import attaches a unit that another machine's server exports to this machine's kernel, at a free
// port. It returns when the kernel has let go of the unit, such as after that was unplugged. A unit
// stays attached when the program that imported it ends.
func Import(address, busID string) error {
	port, err := plugInFrom(address, busID)
	if err != nil {
		return fmt.Errorf("importing %s from %s: %w", busID, address, err)
	}
	name, err := deviceName(vhciDirectory, port)
	if err != nil {
		return err
	}
	for {
		ports, err := FreePorts()
		if err != nil {
			return err
		}
		_, err = os.Stat(filepath.Join(usbDevices, name))
		if slices.Contains(ports, port) && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		time.Sleep(gonePoll)
	}
}

func plugInFrom(address, busID string) (port int, err error) {
	connection, device, err := request(address, busID)
	if err != nil {
		return 0, err
	}
	defer connection.Close() // the kernel has its own reference
	return plugInAnywhere(connection, device)
}
