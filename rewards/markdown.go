package rewards

import (
	"fmt"
	"regexp"
	"strings"
)

// What template tokens look like, and the tags of thinking.
var leaked = regexp.MustCompile(`</?(?:think|answer)>|<\|[^|<>\n]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?s>|<(?:bos|eos|pad|unk)>|<(?:start|end)_of_turn>|^(?:user|assistant|system)\s*$`)

var inlineCode = regexp.MustCompile("`[^`\n]+`")

// markdownOf looks for what breaks the page: code that never ends, headings
// that skip a level, tokens of the chat template.
func markdownOf(p Prompt, text string, lines []line, open int) finding {
	f := finding{value: 1}
	if open >= 0 {
		f.costs(0.7, passage{open, min(open+3, len(text)), "code that is never closed"})
	}
	level, jumps := 0, 0
	for _, l := range lines {
		if l.kind != headingLine {
			continue
		}
		if level > 0 && l.level > level+1 {
			if jumps++; jumps <= 5 {
				f.costs(0.9, passage{l.start, l.end, fmt.Sprintf("a heading of level %d below one of level %d", l.level, level)})
			}
		}
		level = l.level
	}
	leaks := 0
	for _, l := range lines {
		if l.kind == codeLine || l.kind == fenceLine {
			continue
		}
		s := text[l.start:l.end]
		if strings.ContainsAny(s, "<[") || len(s) < 12 {
			s = inlineCode.ReplaceAllStringFunc(s, func(c string) string { return strings.Repeat(" ", len(c)) })
			for _, at := range leaked.FindAllStringIndex(s, -1) {
				leaks++
				f.places = append(f.places, passage{l.start + at[0], l.start + at[1], "a token of the chat template"})
			}
		}
	}
	if leaks > 0 {
		f.costs(max(0.3, 0.8-0.1*float64(leaks)))
	}
	return f
}
