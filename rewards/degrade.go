package rewards

import (
	"math/rand/v2"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Damage is a way to make a text worse that a good judge sees.
type Damage string

const (
	Shuffled  Damage = "shuffled"  // its sentences in another order
	Hollowed  Damage = "hollowed"  // its middle third removed
	Mixed     Damage = "mixed"     // every second paragraph is of a text for another prompt
	Truncated Damage = "truncated" // it ends in the middle of a sentence
	Stuck     Damage = "stuck"     // from its middle on it says one passage again and again
)

// Damages are all of them.
var Damages = []Damage{Shuffled, Hollowed, Mixed, Truncated, Stuck}

// A Pair is a text and a worse one for the same prompt.
type Pair struct {
	Name   string
	Damage Damage
	Prompt Prompt
	Good   string
	Bad    string
}

// Pairs damages each sample in each way, rounds times with other random numbers.
// A text is mixed with one of the same language.
func Pairs(samples []Sample, rounds int, seed uint64) []Pair {
	var all []Pair
	for round := range rounds {
		for i, s := range samples {
			for _, d := range Damages {
				random := rand.New(rand.NewPCG(seed+uint64(round), uint64(i)))
				stranger := strangerOf(samples, i, random)
				if d == Mixed && stranger == "" {
					continue
				}
				if bad := Degrade(d, s.Text, stranger, random); bad != s.Text {
					all = append(all, Pair{s.Name, d, s.Prompt, s.Text, bad})
				}
			}
		}
	}
	return all
}

// strangerOf is the text of another sample of the same language, "" without one.
func strangerOf(samples []Sample, i int, random *rand.Rand) string {
	var others []string
	language := detect(samples[i].Text)
	for k, s := range samples {
		if k != i && detect(s.Text) == language {
			others = append(others, s.Text)
		}
	}
	if len(others) == 0 {
		return ""
	}
	return others[random.IntN(len(others))]
}

// Degrade makes a text worse. The stranger is for Mixed alone.
func Degrade(d Damage, text, stranger string, random *rand.Rand) string {
	blocks := strings.Split(strings.TrimSpace(text), "\n\n")
	switch d {
	case Shuffled:
		return shuffle(blocks, random)
	case Hollowed:
		return hollow(blocks)
	case Mixed:
		return blend(blocks, strings.Split(strings.TrimSpace(stranger), "\n\n"))
	case Truncated:
		runes := []rune(strings.TrimSpace(text))
		n := len(runes)*6/10 + random.IntN(max(len(runes)/10, 1))
		for n > 1 && (strings.ContainsRune(stops, runes[n-1]) || unicode.IsSpace(runes[n-1])) {
			n--
		}
		return string(runes[:n])
	case Stuck:
		return stick(blocks, utf8.RuneCountInString(text))
	}
	panic("rewards: no such damage: " + string(d))
}

func isHeading(block string) bool { return strings.HasPrefix(block, "#") }

// shuffle deals all sentences out again; headings and the sizes of the
// paragraphs stay.
func shuffle(blocks []string, random *rand.Rand) string {
	var all []string
	sizes := make([]int, len(blocks))
	for i, b := range blocks {
		if isHeading(b) {
			continue
		}
		s := sentencesOf(b)
		sizes[i] = len(s)
		all = append(all, s...)
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	out := make([]string, len(blocks))
	for i, b := range blocks {
		out[i] = b
		if n := sizes[i]; n > 0 {
			blank := " "
			if ideographic(firstRune(all[0])) {
				blank = ""
			}
			out[i] = strings.Join(all[:n], blank)
			all = all[n:]
		}
	}
	return strings.Join(out, "\n\n") + "\n"
}

// hollow removes the sentences of the middle third.
func hollow(blocks []string) string {
	total, at := 0, 0
	for _, b := range blocks {
		total += len(b)
	}
	var out []string
	for _, b := range blocks {
		var kept []string
		if isHeading(b) {
			kept = []string{b}
			at += len(b)
		} else {
			for _, s := range sentencesOf(b) {
				if at < total/3 || at > total*2/3 {
					kept = append(kept, s)
				}
				at += len(s)
			}
		}
		if len(kept) > 0 {
			out = append(out, strings.Join(kept, " "))
		}
	}
	return strings.Join(out, "\n\n") + "\n"
}

// blend puts the stranger's paragraphs in place of every second one.
func blend(blocks, stranger []string) string {
	var theirs []string
	for _, b := range stranger {
		if !isHeading(b) {
			theirs = append(theirs, b)
		}
	}
	out, n := make([]string, len(blocks)), 0
	for i, b := range blocks {
		out[i] = b
		if !isHeading(b) && len(theirs) > 0 {
			if n%2 == 1 {
				out[i] = theirs[n%len(theirs)]
			}
			n++
		}
	}
	return strings.Join(out, "\n\n") + "\n"
}

// stick repeats two sentences from the middle up to the text's length.
func stick(blocks []string, size int) string {
	var out []string
	n := 0
	for _, b := range blocks {
		if n += utf8.RuneCountInString(b); n > size/2 && len(out) > 0 {
			break
		}
		out = append(out, b)
	}
	last := out[len(out)-1]
	s := sentencesOf(last)
	loop := strings.Join(s[max(0, len(s)-2):], " ")
	text := strings.Join(out, "\n\n")
	for utf8.RuneCountInString(text) < size && loop != "" {
		text += " " + loop
	}
	return text + "\n"
}

// sentencesOf splits a paragraph behind its stops. An abbreviation may cut a
// sentence in two.
func sentencesOf(paragraph string) []string {
	var all []string
	from := 0
	for i := 0; i < len(paragraph); {
		r, size := utf8.DecodeRuneInString(paragraph[i:])
		i += size
		if !strings.ContainsRune(stops, r) {
			continue
		}
		for i < len(paragraph) {
			c, n := utf8.DecodeRuneInString(paragraph[i:])
			if !strings.ContainsRune(stops+closers, c) {
				break
			}
			i += n
		}
		if i == len(paragraph) || r > 0x2E80 || unicode.IsSpace(firstRune(paragraph[i:])) {
			all = append(all, strings.TrimSpace(paragraph[from:i]))
			from = i
		}
	}
	if rest := strings.TrimSpace(paragraph[from:]); rest != "" {
		all = append(all, rest)
	}
	return all
}
