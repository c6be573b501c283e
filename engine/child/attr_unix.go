//go:build unix && !linux

package child

import "syscall"

// attributes keep the terminal's Ctrl-C from the child: the parent decides when
// it ends.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
