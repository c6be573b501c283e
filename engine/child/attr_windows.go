package child

import "syscall"

// attributes keep the console's Ctrl-C and a console window from the child: the
// parent decides when it ends.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP, HideWindow: true}
}
