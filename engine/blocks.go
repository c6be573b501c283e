package engine

import "strings"

// Model templates are written for Jinja with trim_blocks and lstrip_blocks: a
// line with nothing but a block leaves no line behind. The Go library knows
// neither, and stumbles over an apostrophe in a comment.

// tidyTemplate takes out the comments and the white space that those settings
// take out, so that the rest renders the same without them.
func tidyTemplate(text string) string {
	var b strings.Builder
	text = strings.TrimSuffix(text, "\n")
	begun := true // text stands at the beginning of a line
	for {
		open := strings.IndexByte(text, '{')
		for open >= 0 && !strings.ContainsAny(text[open+1:min(open+2, len(text))], "{%#") {
			next := strings.IndexByte(text[open+1:], '{')
			if next < 0 {
				open = -1
				break
			}
			open += 1 + next
		}
		if open < 0 {
			b.WriteString(text)
			return b.String()
		}
		data, kind := text[:open], text[open+1]
		tag := text[open : open+tagLength(text[open:], kind)]
		text = text[open+len(tag):]
		minus := strings.HasPrefix(tag[2:], "-")
		if minus && kind == '#' {
			data = strings.TrimRight(data, " \t\r\n")
		} else if kind != '{' && !strings.HasPrefix(tag[2:], "+") {
			data = lineStripped(data, begun)
		}
		b.WriteString(data)
		begun = false
		last := tag[max(0, len(tag)-3)]
		if kind == '#' && last == '-' && len(tag) > 4 {
			text = strings.TrimLeft(text, " \t\r\n")
		} else if kind != '{' && last != '+' && last != '-' {
			text, begun = strings.CutPrefix(text, "\n")
		}
		if kind != '#' {
			b.WriteString(tag)
		} else if minus || last == '-' {
			b.WriteString("{{ '' }}") // white space beside it is trimmed no further
		}
	}
}

// lineStripped takes off the blanks between the beginning of a line and a tag.
func lineStripped(data string, begun bool) string {
	rest := strings.TrimRight(data, " \t")
	if strings.HasSuffix(rest, "\n") || rest == "" && begun {
		return rest
	}
	return data
}

// tagLength is the length of the tag that text begins with: to its end outside
// a string, or the whole text.
func tagLength(text string, kind byte) int {
	end := map[byte]string{'{': "}}", '%': "%}", '#': "#}"}[kind]
	quote := byte(0)
	for i := 2; i+2 <= len(text); i++ {
		switch c := text[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case text[i:i+2] == end:
			return i + 2
		case kind != '#' && (c == '\'' || c == '"'):
			quote = c
		}
	}
	return len(text)
}
