package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"longhand/app/store"
)

// injured is a store with so many damaged places.
func injured(n int, backup bool) wound {
	u := wound{err: hinted{fmt.Errorf("%w: store/000004.sst", store.ErrDamaged), "longhand projects check"}, backup: backup}
	for i := range n {
		u.found = append(u.found, store.Damage{Project: "20261128-101500-a1b2", Section: i + 1, Index: i, Title: fmt.Sprintf("Chapter %d", i+1), File: "store/000004.sst", Kind: "the text is missing", Grave: true})
	}
	return u
}

func TestADamagedStoreIsAskedAbout(t *testing.T) {
	for _, c := range []struct{ button, how string }{{"Rebuild", store.Rebuild}, {"Last backup", store.FromBackup}, {"Only look", ""}} {
		play(t, func(t *testing.T, th *theatre) {
			asked := []string{}
			th.ports.cure = func(_ context.Context, how string) iter.Seq2[string, error] {
				return func(yield func(string, error) bool) {
					asked = append(asked, how)
					yield("3 projects are there.\nProject a: it was 100 words and is 90 words.", nil)
				}
			}
			th.hurt(injured(9, true))
			text := textsOf(th.win.Canvas().Overlays().Top())
			if !strings.Contains(text, "“Chapter 1”: the text is missing (store/000004.sst)") || !strings.Contains(text, "and 3 more places") {
				t.Errorf("it says %s", text)
			}
			tapText(t, th.win, c.button)
			th.settle()
			if len(asked) != 1 || asked[0] != c.how {
				t.Errorf("%s asks for %q", c.button, asked)
			}
			if text := textsOf(th.win.Canvas().Overlays().Top()); !strings.Contains(text, "3 projects are there.") || !strings.Contains(text, "100 words and is 90") {
				t.Errorf("then it says %s", text)
			}
		})
	}
}

func TestARepairThatFailsSaysSo(t *testing.T) {
	play(t, func(t *testing.T, th *theatre) {
		th.ports.cure = func(context.Context, string) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) { yield("", errors.New("the disk is full")) }
		}
		th.hurt(injured(1, false))
		if text := markup(th.win); strings.Contains(text, "Last backup") {
			t.Error("a backup is offered where there is none")
		}
		tapText(t, th.win, "Rebuild")
		th.settle()
		if text := textsOf(th.win.Canvas().Overlays().Top()); !strings.Contains(text, "The disk is full.") {
			t.Errorf("it says %s", text)
		}
	})
}

func TestWhatWasMendedIsSaid(t *testing.T) {
	play(t, func(t *testing.T, th *theatre) {
		th.mended([]store.Damage{{Project: "p", Title: "Rain", File: "001-rain.md", Kind: "changed outside", Mended: "the change was taken in"}})
		if text := textsOf(th.win.Canvas().Overlays().Top()); !strings.Contains(text, "Project p, section “Rain”: 001-rain.md: changed outside; the change was taken in.") {
			t.Errorf("it says %s", text)
		}
	})
}
