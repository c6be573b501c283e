package rewards

import (
	"strconv"
	"strings"
)

// A numeral is what a number word is worth: a value, or a factor.
type numeral struct {
	value float64
	times bool
}

// numerals are the number words of lengths.txt.
var numerals = func() map[string]numeral {
	m := map[string]numeral{}
	for _, entry := range asking["numbers"] {
		word, value, _ := strings.Cut(entry, " ")
		digits, times := strings.CutPrefix(value, "*")
		n, err := strconv.ParseFloat(digits, 64)
		if err != nil {
			panic("rewards: lengths.txt: " + entry)
		}
		m[word] = numeral{n, times}
	}
	return m
}()

// numberWord reads one word: "five", "thousand", "zweitausendfünfhundert".
func numberWord(word string) (value float64, times, ok bool) {
	if n, ok := numerals[word]; ok {
		return n.value, n.times, true
	}
	if len(word) < 6 || len(word) > 60 {
		return 0, false, false
	}
	var parts []numeral
	for rest := word; rest != ""; {
		size := len(rest)
		for size > 0 && (numerals[rest[:size]] == numeral{}) {
			size--
		}
		if size < 2 {
			if cut, ok := strings.CutPrefix(rest, "und"); ok && len(parts) > 0 {
				rest = cut
				continue
			}
			return 0, false, false
		}
		parts = append(parts, numerals[rest[:size]])
		rest = rest[size:]
	}
	return combine(parts), false, true
}

// combine adds and multiplies as number words are read: 2 *1000 5 *100 = 2500.
func combine(parts []numeral) float64 {
	sum, now := 0.0, 0.0
	for _, p := range parts {
		switch {
		case !p.times:
			now += p.value
		case p.value >= 1000:
			sum, now = sum+max(now, 1)*p.value, 0
		default:
			now = max(now, 1) * p.value
		}
	}
	return sum + now
}

// numberBefore reads the number that ends before tokens[at] and where it
// begins: digits, digits with a factor ("2.5 k", "10 thousand"), or words.
func numberBefore(tokens []token, at int) (value float64, from int) {
	var parts []numeral
	from = at
	for from > 0 && len(parts) < 8 {
		t := tokens[from-1]
		if t.text == "-" && len(parts) > 0 && from > 1 && tokens[from-2].isNumber && isWord(tokens[from-2]) && isWord(tokens[from]) {
			from-- // "twenty-five"
			continue
		}
		if !t.isNumber {
			break
		}
		if !isWord(t) && len(parts) > 0 && !parts[0].times {
			break // digits stand before a factor alone
		}
		parts = append([]numeral{{t.number, t.times}}, parts...)
		from--
		if !isWord(t) {
			break
		}
	}
	if len(parts) == 0 {
		return 0, at
	}
	return combine(parts), from
}

func isWord(t token) bool { return t.text[0] < '0' || t.text[0] > '9' }
