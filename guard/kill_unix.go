//go:build unix

package guard

import (
	"os/exec"
	"syscall"
)

// killAll has a command killed together with the processes that it started.
func killAll(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
}
