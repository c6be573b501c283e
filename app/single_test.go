package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestASecondStartShowsTheFirstWindow(t *testing.T) {
	for _, home := range []string{t.TempDir(), filepath.Join(t.TempDir(), strings.Repeat("a long folder/", 12))} {
		if err := os.MkdirAll(home, 0o755); err != nil {
			t.Fatal(err)
		}
		e := &env{ctx: t.Context(), home: home}
		if e.raise() {
			t.Error("somebody answers where nobody is")
		}
		// What a Longhand that was killed leaves.
		if err := os.WriteFile(e.socket(), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		shown := make(chan bool, 3)
		stop := e.listen(func() { shown <- true })
		for range 2 {
			if !e.raise() || !<-shown {
				t.Errorf("%s: the window was not shown", home)
			}
		}
		stop()
		if e.raise() {
			t.Error("it answers after its end")
		}
	}
}
