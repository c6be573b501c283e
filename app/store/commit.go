package store

import (
	"encoding/json"
	"fmt"
	"strings"

	"longhand/app/draft"
)

// Save writes everything to the database now.
func (b *Book) Save() error {
	b.committing.Lock()
	defer b.committing.Unlock()
	b.mu.Lock()
	c, err := b.prepare()
	if c != nil { // versions stay to be asked for until they are stored
		b.dirty, b.versions, b.storing = map[string]bool{}, nil, c.versions
	}
	b.mu.Unlock()
	if err != nil || c == nil {
		return err
	}
	if err = b.log.sync(); err == nil {
		err = b.s.write(c.puts, c.dels, map[string][]byte{manifestKey(b.id): c.manifest})
	}
	if err == nil {
		err = b.s.list(b.id)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.storing = nil
	if err != nil {
		for name := range c.dirty {
			b.dirty[name] = true
		}
		b.versions = append(c.versions, b.versions...)
		return err
	}
	b.man = c.man
	return nil
}

// commit is what goes to the database in one.
type commit struct {
	puts     map[string][]byte
	dels     []string
	manifest []byte
	man      *manifest
	dirty    map[string]bool
	versions []pendingVersion
}

// prepare makes a commit of what changed; nil: nothing did.
func (b *Book) prepare() (*commit, error) {
	if b.s.db == nil {
		clear(b.dirty)
		return nil, nil
	}
	if len(b.dirty) == 0 && len(b.versions) == 0 {
		return nil, nil
	}
	was := b.man
	c := &commit{puts: map[string][]byte{}, dirty: b.dirty, versions: b.versions}
	c.man = &manifest{Rev: was.Rev + 1, Seq: b.p.Seq, Mark: b.log.end(), Title: b.p.Outline.Title, Prompt: firstLine(b.p.Request.Prompt), Target: b.p.Target,
		State: StateOf(b.p), Created: was.Created, Updated: was.Updated, Saved: b.s.now().UTC(), Parts: map[string]part{}}
	if b.written.After(was.Updated) {
		c.man.Updated = b.written.UTC()
	}
	for _, l := range b.lines(c.dirty) {
		c.man.Sections = append(c.man.Sections, l)
		c.man.Words += l.Words
	}
	parts := partsOf(b.p)
	if err := b.putVersions(c, parts); err != nil {
		return nil, err
	}
	for name, get := range parts {
		old, had := was.Parts[name]
		if had && !c.dirty[name] {
			c.man.Parts[name] = old
			continue
		}
		plain, err := json.Marshal(get())
		if err != nil {
			return nil, fmt.Errorf("store: write %s of %s: %w", name, b.id, err)
		}
		key := partKey(b.id, name, c.man.Rev)
		value, sum := wrap(key, kindPart, plain)
		c.man.Parts[name] = part{c.man.Rev, sum}
		c.puts[key] = value
	}
	for name, old := range was.Parts {
		if now, ok := c.man.Parts[name]; !ok || now != old {
			c.dels = append(c.dels, partKey(b.id, name, old.Rev))
		}
	}
	plain, err := json.Marshal(c.man)
	if err != nil {
		return nil, fmt.Errorf("store: write the manifest of %s: %w", b.id, err)
	}
	c.manifest, _ = wrap(manifestKey(b.id), kindManifest, plain)
	return c, nil
}

// lines name the sections; only what changed is counted again.
func (b *Book) lines(dirty map[string]bool) (out []line) {
	words := map[int]int{}
	for _, l := range b.man.Sections {
		words[l.ID] = l.Words
	}
	for i, s := range b.p.Sections {
		n, known := words[s.ID]
		if !known || dirty[sectionPart(s.ID)] {
			n = draft.CountWords(s.Text)
		}
		out = append(out, line{s.ID, b.p.Outline.Sections[i].Title, n})
	}
	return out
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	if r := []rune(s); len(r) > promptShown {
		s = string(r[:promptShown-1]) + "…"
	}
	return s
}
