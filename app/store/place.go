package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Errors of a place where a database cannot live.
var (
	ErrUnsafe = errors.New("a database is not safe there")
	ErrFull   = errors.New("the disk is nearly full")
)

// leastFree is kept free: Badger writes through memory maps of sparse files,
// and a page that finds no room on the disk ends the process.
const leastFree = 128 << 20

// Suits says why a folder is no place for the store.
func Suits(home string) error { return errors.Join(safePlace(home), enoughRoom(home)) }

func enoughRoom(home string) error {
	if n := free(home); n >= 0 && n < leastFree {
		return fmt.Errorf("store: %w: %d MB are free in %s, %d MB are needed", ErrFull, n>>20, home, leastFree>>20)
	}
	return nil
}

// synced are folders that other programs copy to and fro while they are
// written: a database in one is torn.
var synced = []string{"dropbox", "onedrive", "google drive", "googledrive", "my drive", "icloud drive", "icloud~", "mobile documents", "nextcloud", "owncloud", "pcloud", "box sync", "syncthing", "megasync", "seafile"}

// markers lie in the root of such folders.
var markers = []string{".dropbox", ".dropbox.cache", ".stfolder", ".owncloudsync.log", ".nextcloudsync.log", ".seafile-data"}

// safePlace says why a folder is no place for the store.
func safePlace(home string) error {
	real, err := filepath.EvalSymlinks(home)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if kind := Remote(real); kind != "" {
		return fmt.Errorf("store: %s is on a network file system (%s): %w", home, kind, ErrUnsafe)
	}
	for dir := real; ; dir = filepath.Dir(dir) {
		name := strings.ToLower(filepath.Base(dir))
		if slices.ContainsFunc(synced, func(s string) bool {
			return name == s || strings.HasPrefix(name, s+" ") || strings.HasPrefix(name, s+"-") || strings.HasSuffix(s, "~") && strings.HasPrefix(name, s)
		}) {
			return fmt.Errorf("store: %s is a folder that another program synchronises: %w", dir, ErrUnsafe)
		}
		for _, m := range markers {
			if st, err := os.Stat(filepath.Join(dir, m)); err == nil && (m != ".dropbox" || !st.IsDir()) { // ~/.dropbox holds its settings
				return fmt.Errorf("store: %s is a folder that another program synchronises (it holds %s): %w", dir, m, ErrUnsafe)
			}
		}
		if filepath.Dir(dir) == dir {
			return nil
		}
	}
}
