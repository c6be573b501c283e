package manuscript

import (
	"regexp"
	"strings"
)

var (
	yamlKey   = regexp.MustCompile(`^[\pL_][\pL\pN_ .-]*:(\s|$)`)
	yamlTitle = regexp.MustCompile(`^[Tt]itle:\s*(.*)$`)
)

// frontMatter takes the YAML off the lines' beginning and returns its title.
// Only what looks like YAML is taken: a text may begin with a line of dashes,
// too.
func frontMatter(lines []string) (string, []string) {
	if len(lines) == 0 || strings.TrimRight(lines[0], " \t") != "---" {
		return "", lines
	}
	title, keys := "", 0
	for i, l := range lines[1:] {
		l = strings.TrimRight(l, " \t")
		if l == "---" || l == "..." {
			if keys == 0 {
				break
			}
			return title, lines[i+2:]
		}
		if m := yamlTitle.FindStringSubmatch(l); m != nil && title == "" {
			title = yamlString(m[1], lines[i+2:])
		}
		if yamlKey.MatchString(l) {
			keys++
		} else if keys == 0 && !strings.HasPrefix(l, "#") || l != "" && !strings.ContainsRune(" \t-#]}", rune(l[0])) {
			break
		}
	}
	return "", lines
}

// yamlString reads a value: plain, quoted, or in the indented lines after it.
func yamlString(value string, after []string) string {
	value = strings.TrimSpace(value)
	switch {
	case value == "":
	case value[0] == '|' || value[0] == '>':
		var words []string
		for _, l := range after {
			if l != "" && l[0] != ' ' && l[0] != '\t' {
				break
			}
			words = append(words, strings.Fields(l)...)
		}
		value = strings.Join(words, " ")
	case value[0] == '"' && len(value) > 1:
		value = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(quoted(value))
	case value[0] == '\'' && len(value) > 1:
		value = strings.ReplaceAll(quoted(value), "''", "'")
	default:
		value, _, _ = strings.Cut(value, " #")
	}
	return strings.TrimSpace(strings.ReplaceAll(value, "\t", " "))
}

// quoted is what stands between the first quotation mark and the last one.
func quoted(value string) string {
	if end := strings.LastIndexByte(value, value[0]); end > 0 {
		return value[1:end]
	}
	return value[1:]
}
