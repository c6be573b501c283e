package store

import (
	"os/exec"
	"testing"
)

// TestAClosedJournalIsFree closes and opens a journal while children are started,
// which for a moment have all files of this process.
func TestAClosedJournalIsFree(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, beginning()...)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				exec.Command("/nowhere/nothing").Run()
				exec.Command("true").Run()
			}
		}
	}()
	for range 400 {
		j, _, err := Continue(folder)
		if err != nil {
			t.Error(err)
			break
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	<-done
}
