package child

import "syscall"

// attributes make the kernel end the child with its parent, and keep the
// terminal's Ctrl-C from it: the parent decides when the child ends.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
