package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"longhand/app/store"
	"longhand/assets"
)

// checkStore says whether what was written is whole, and when it was backed up.
func (e *env) checkStore(assets.Machine) []check {
	k := check{Name: "store", OK: true, Needed: true}
	if _, err := os.Stat(filepath.Join(e.home, "projects")); err != nil {
		k.Detail = "nothing was written yet"
		return []check{k}
	}
	if err := store.Suits(e.home); err != nil {
		k.OK, k.Detail, k.Hint = false, plain(err), hintOf(storeHint(err))
		return []check{k}
	}
	release, err := store.Hold(e.home)
	if errors.Is(err, store.ErrHeld) {
		k.Detail = "open in another Longhand"
		return []check{k}
	}
	var found []store.Damage
	if err == nil {
		found, err = e.checked(false)
		release()
	}
	if err == nil {
		err = grave(found, nil)
	}
	if err != nil {
		k.OK, k.Detail, k.Hint = false, plain(err), hintOf(storeHint(err))
		return []check{k}
	}
	k.Detail = e.storeDetail(len(found))
	return []check{k}
}

func (e *env) storeDetail(mendable int) string {
	s := store.Beside(e.home)
	cards, _ := s.Projects() // what cannot be read was told by the check
	said := []string{plural(len(cards), "project")}
	if mendable > 0 {
		said = append(said, plural(mendable, "file")+" will be set right when the store is opened next")
	}
	if all := s.Backups(); len(all) > 0 {
		said = append(said, fmt.Sprintf("backed up %s", all[0].When.Format("2 Jan 2006 15:04")))
	} else {
		said = append(said, "no backup yet")
	}
	return strings.Join(said, ", ")
}
