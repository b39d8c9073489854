//go:build !linux

package virtualups

import (
	"errors"
	"fmt"
)

// AnyPort makes [UPS.Attach] choose the first port that is free.
const AnyPort = -1

var errNotHere = fmt.Errorf(
	"units can be attached to Linux kernels only: %w", errors.ErrUnsupported)

// FreePorts fails: only Linux has a virtual host controller.
func FreePorts() ([]int, error) { return nil, errNotHere }

// Attach fails: only Linux has a virtual host controller.
func (u *UPS) Attach(int) error { return errNotHere }

// Detach fails: only Linux has a virtual host controller.
func (u *UPS) Detach() error { return errNotHere }

// Path fails: only Linux has a virtual host controller.
func (i *Interface) Path() (string, error) { return "", errNotHere }
