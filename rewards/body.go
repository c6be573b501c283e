package rewards

import (
	"regexp"
	"strings"
)

// A body is the part of a completion that is the answer.
type body struct {
	text   string
	start  int       // byte offset in the completion
	tagged bool      // think and answer stand as a OnePass completion should have them
	marred []passage // why not, in bytes of the completion
}

var tag = regexp.MustCompile(`</?(?:think|answer)>`)

// bodyOf finds the answer. Where the tags are not as they should be, what a
// reader would be shown is taken: nothing of the thinking, and of several
// answers the first.
func bodyOf(p Prompt, text string) body {
	if p.Form == OnePass {
		return onePass(p, text)
	}
	at := len(text) - len(strings.TrimLeft(text, " \t\r\n"))
	if p.Opened != "" && strings.Contains(p.Opened, "<think>") {
		at = -len("<think>")
	} else if !strings.HasPrefix(text[at:], "<think>") {
		return body{text: text}
	}
	inside := at + len("<think>")
	end := strings.Index(text[inside:], "</think>")
	if end < 0 {
		return body{start: len(text), marred: []passage{{max(at, 0), len(text), "thinking that never ends"}}}
	}
	from := inside + end + len("</think>")
	return body{text: text[from:], start: from}
}

func onePass(p Prompt, text string) body {
	whole, shift := p.Opened+text, len(p.Opened)
	tags := tag.FindAllStringIndex(whole, -1)
	names := make([]string, len(tags))
	for i, t := range tags {
		names[i] = whole[t[0]:t[1]]
	}
	from, to := 0, len(whole)
	for i, name := range names {
		if name == "<answer>" {
			from = tags[i][1]
			if i+1 < len(tags) {
				to = tags[i+1][0]
			}
			break
		}
		if to = len(whole); name == "<think>" || name == "</think>" {
			from = tags[i][1]
		}
	}
	if n := len(names); n > 0 && names[n-1] == "<think>" {
		from = len(whole) // what stands in an open think part is no answer
	}
	b := body{}
	if from = max(from, shift); to > from {
		b.text = whole[from:to]
	}
	b.start = from - shift
	fault := faultOf(whole, tags, names)
	if b.tagged = fault == "" && strings.TrimSpace(b.text) != ""; fault != "" {
		b.marred = []passage{{0, 0, fault}}
		for _, t := range tags {
			if t[0] >= shift {
				b.marred = append(b.marred, passage{t[0] - shift, t[1] - shift, "tags are not one <think> part, then one <answer> part"})
			}
		}
	} else if !b.tagged {
		b.marred = []passage{{b.start, len(text), "the answer is empty"}}
	}
	return b
}

// faultOf says what is wrong with the tags, or "".
func faultOf(whole string, tags [][]int, names []string) string {
	blank := func(from, to int) bool { return strings.TrimSpace(whole[from:to]) == "" }
	switch got := strings.Join(names, ""); {
	case got == "":
		return "neither <think> nor <answer>"
	case got != "<think></think><answer></answer>" && got != "<think></think><answer>":
		return "tags are not one <think> part, then one <answer> part: " + head(got, 80)
	case !blank(0, tags[0][0]), !blank(tags[1][1], tags[2][0]), len(tags) == 4 && !blank(tags[3][1], len(whole)):
		return "text outside of <think> and <answer>"
	}
	return ""
}

// head is the first n bytes of text, cut between characters.
func head(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}
