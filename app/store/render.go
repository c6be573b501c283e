package store

import (
	"fmt"
	"strings"
	"unicode"
)

// render is a section as a file of the mirror: its title as a heading, and its
// text.
func render(title, text string) string {
	out := ""
	if title = heading(title); title != "" {
		out = "# " + title + "\n\n"
	}
	if text = strings.TrimRight(text, " \t\r\n"); text != "" {
		out += text + "\n"
	}
	return out
}

// heading is a title as it stands in a file: in one line.
func heading(title string) string { return strings.Join(strings.Fields(title), " ") }

// parseAs takes a file apart that was written under a title, with a text, or "" if
// that is not known. What was written without a title may begin with a heading
// that is none of ours.
func parseAs(title, text, file string) (now, body string, headed bool) {
	if text = strings.TrimLeft(text, "\n"); heading(title) == "" && (text == "" || strings.HasPrefix(text, "# ")) {
		return "", strings.Trim(canonical(file), "\n"), false
	}
	return parse(file)
}

// parse takes a file of the mirror apart again; headed says whether it has a
// heading.
func parse(file string) (title, text string, headed bool) {
	file = canonical(file)
	first, rest, _ := strings.Cut(strings.TrimLeft(file, "\n"), "\n")
	if t, ok := strings.CutPrefix(first, "# "); ok {
		return strings.TrimSpace(t), strings.Trim(rest, "\n"), true
	}
	return "", strings.Trim(file, "\n"), false
}

// canonical is a file without what editors do on their own: line ends, a mark of
// the encoding, blanks and lines at the end.
func canonical(file string) string {
	file = strings.TrimLeft(file, "\uFEFF")
	for strings.Contains(file, "\r\n") { // what is canonical stays so
		file = strings.ReplaceAll(file, "\r\n", "\n")
	}
	file = strings.TrimRight(file, " \t\r\n")
	if file != "" {
		file += "\n"
	}
	return file
}

// fileName is a section's file: its place, then its title as far as every
// system's files can be called so.
func fileName(n int, title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r):
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() > 48 {
			break
		}
	}
	name := strings.Trim(b.String(), "-")
	if name != "" {
		name = "-" + name
	}
	return fmt.Sprintf("%03d", n) + name + ".md"
}
