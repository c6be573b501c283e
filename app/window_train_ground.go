package main

import (
	"path/filepath"
	"slices"

	"longhand/app/draft"
	"longhand/app/store"
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
	for _, folder := range e.projectFolders() {
		when := store.Changed(folder)
		records, err := store.Read(folder)
		if err != nil {
			continue
		}
		for _, r := range records {
			if q, ok := r.(draft.Request); ok {
				words := q.Words
				if words == 0 {
					words = draft.WordsAsked(q.Prompt)
				}
				all = append(all, request{prompt: q.Prompt, words: words, when: when})
				break
			}
		}
	}
	slices.SortStableFunc(all, func(a, b request) int { return b.when.Compare(a.when) })
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(r request) bool {
		again := seen[r.prompt]
		seen[r.prompt] = true
		return again
	})
}
