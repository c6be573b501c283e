package main

import (
	"path/filepath"
	"slices"
	"time"

	"longhand/app/draft"
	"longhand/assets"
)

// ground yields what there is to train with: the models at once, then with the
// requests of the drafts. What cannot be read is left out.
func (e *env) ground(yield func(ground, error) bool) {
	g := ground{folder: filepath.Join(e.home, "training")}
	installed, err := assets.Models(e.home)
	if err != nil {
		yield(g, err)
		return
	}
	best, _, _ := e.model("")
	for _, m := range installed {
		if m.Missing {
			continue
		}
		b := trainBase{title: m.Title, path: m.Path(), bytes: m.Bytes(), sample: m.Sample}
		if b.path == best {
			g.bases = slices.Insert(g.bases, 0, b)
		} else {
			g.bases = append(g.bases, b)
		}
	}
	if !yield(g, nil) {
		return
	}
	g.requests = e.requests()
	yield(g, nil)
}

// requests are what earlier drafts were asked for, the newest first, each once.
func (e *env) requests() []request {
	var all []request
	cards, err := e.cards()
	if err != nil {
		return nil
	}
	for _, c := range cards {
		p, err := e.peek(c.ID)
		if err != nil || p.Private || p.Request.Prompt == "" {
			continue
		}
		words := p.Request.Words
		if words == 0 {
			words = draft.WordsAsked(p.Request.Prompt)
		}
		all = append(all, request{prompt: p.Request.Prompt, words: words, when: time.Unix(c.Updated, 0)})
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(r request) bool {
		again := seen[r.prompt]
		seen[r.prompt] = true
		return again
	})
}
