package rewards

import (
	"embed"
	"fmt"
	"path"
	"strconv"
	"strings"
)

//go:embed testdata/honest/*.txt
var honestTexts embed.FS

// A Sample is a text with the prompt that it was written for.
type Sample struct {
	Name   string
	Prompt Prompt
	Text   string
	Honest string // of a cheat: the sample it is measured by
	Needs  string // of a cheat: what must be there to find it out
}

// Samples are honest texts of several kinds and languages: judges are measured
// on them, and embedders.
func Samples() []Sample {
	files, err := honestTexts.ReadDir("testdata/honest")
	if err != nil {
		panic(err)
	}
	var all []Sample
	for _, f := range files {
		b, err := honestTexts.ReadFile(path.Join("testdata/honest", f.Name()))
		if err != nil {
			panic(err)
		}
		s, err := ParseSample(strings.TrimSuffix(f.Name(), ".txt"), string(b))
		if err != nil {
			panic(err)
		}
		all = append(all, s)
	}
	return all
}

// ParseSample reads a text file with a head; testdata/README.md says how it looks.
func ParseSample(name, file string) (Sample, error) {
	head, text, ok := strings.Cut(strings.ReplaceAll("\n"+file, "\r\n", "\n"), "\n---\n")
	if !ok {
		return Sample{}, fmt.Errorf("rewards: sample %s: no line ---", name)
	}
	s := Sample{Name: name, Text: text}
	for l := range strings.Lines(head) {
		if l = strings.TrimSpace(l); l == "" {
			continue
		}
		key, value, _ := strings.Cut(l, ": ")
		if err := s.set(key, value); err != nil {
			return Sample{}, fmt.Errorf("rewards: sample %s: %w", name, err)
		}
	}
	return s, nil
}

func (s *Sample) set(key, value string) (err error) {
	switch key {
	case "prompt":
		s.Prompt.Text = value
	case "words":
		low, high, _ := strings.Cut(value, " ")
		if s.Prompt.Min, err = strconv.Atoi(low); err == nil {
			s.Prompt.Max, err = strconv.Atoi(high)
		}
	case "form":
		form, ok := map[string]Form{"plain": Plain, "planned": Planned, "one-pass": OnePass}[value]
		if !ok {
			return fmt.Errorf("there is no form %q", value)
		}
		s.Prompt.Form = form
	case "outline":
		for _, title := range strings.Split(value, " | ") {
			s.Prompt.Outline = append(s.Prompt.Outline, Heading{Title: title})
		}
	case "honest":
		s.Honest = value
	case "needs":
		s.Needs = value
	default:
		return fmt.Errorf("what is %q?", key)
	}
	return err
}
