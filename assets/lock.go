package assets

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// lock takes the lock of an artefact; the system drops it when the process
// ends, however it ends. waiting is called while another process holds it.
func lock(ctx context.Context, home, name string, waiting func() error) (unlock func(), err error) {
	dir := filepath.Join(home, "locks")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("assets: make %s: %w", dir, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, name+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("assets: open the lock of %s: %w", name, err)
	}
	for {
		ok, err := tryLock(f)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("assets: lock %s: %w", name, err)
		}
		if ok {
			return func() { f.Close() }, nil
		}
		if err := waiting(); err != nil {
			f.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
