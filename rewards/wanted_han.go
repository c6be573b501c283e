package rewards

import (
	"regexp"
	"strconv"
	"strings"
)

// Lengths as Chinese, Japanese and Korean ask for them: no blanks, the bound
// before the number or behind the unit.
const hanNumber = `(?:[0-9０-９][0-9０-９,.，]*\s*[千万萬kKwW]?|[〇零一二两兩三四五六七八九十百千万萬]+)`

var (
	hanForm  = regexp.MustCompile(`(` + hanNumber + `)\s*(?:[-~～〜—–至到から]+\s*(` + hanNumber + `))?\s*(?:多|余|餘|來|来)?\s*(?:个|個)?\s*(英文单词|英语单词|单词|單詞|汉字|漢字|中文字|字符|文字|字|词|詞|語|页|頁|ページ|페이지|자|글자|단어|쪽)`)
	hanSum   = regexp.MustCompile(`(?:字数|字數|文字数|篇幅)[^0-9０-９一二两三四五六七八九十。！？\n]{0,10}(` + hanNumber + `)\s*(?:[-~～〜—–至到]+\s*(` + hanNumber + `))?`)
	hanEach  = regexp.MustCompile(`(` + hanNumber + `)\s*(?:个|個)?(?:章|节|節|段|部分|篇|話|장)[^。！？\n]{0,12}$`)
	hanTotal = regexp.MustCompile(`全文|总|一共|共|合计|全部`)
	paper    = regexp.MustCompile(`原稿用紙\s*(` + hanNumber + `)\s*枚`)
)

var hanBounds = []struct {
	phrase string
	bound  string
	behind bool
}{
	{"不少于", "least", false}, {"不少於", "least", false}, {"不低于", "least", false}, {"不低於", "least", false}, {"不小于", "least", false}, {"至少", "least", false}, {"最少", "least", false}, {"起码", "least", false}, {"超过", "least", false}, {"多于", "least", false}, {"最低", "least", false}, {"少なくとも", "least", false}, {"최소", "least", false}, {"적어도", "least", false},
	{"不超过", "most", false}, {"不超過", "most", false}, {"不要超过", "most", false}, {"不得超过", "most", false}, {"不能超过", "most", false}, {"不多于", "most", false}, {"不多於", "most", false}, {"最多", "most", false}, {"至多", "most", false}, {"少于", "most", false}, {"低于", "most", false}, {"最大", "most", false}, {"최대", "most", false},
	{"以上", "least", true}, {"起", "least", true}, {"이상", "least", true}, {"以内", "most", true}, {"以內", "most", true}, {"之内", "most", true}, {"之內", "most", true}, {"以下", "most", true}, {"内", "most", true}, {"まで", "most", true}, {"이하", "most", true}, {"이내", "most", true}, {"以上", "least", true},
}

// hanRequests finds them.
func hanRequests(prompt string) []request {
	var found []request
	for _, form := range []*regexp.Regexp{hanForm, hanSum, paper} {
		for _, m := range form.FindAllStringSubmatchIndex(prompt, -1) {
			f, ok := hanRequest(prompt, form, m)
			if ok && f.high >= 1 && (f.unit == "pages" && f.high <= 5000 || f.high >= 20) {
				f.hanBound(prompt, form == hanSum)
				found = append(found, f)
			}
		}
	}
	return found
}

// hanRequest reads one match of a form.
func hanRequest(prompt string, form *regexp.Regexp, m []int) (request, bool) {
	low, ok := hanValue(prompt[m[2]:m[3]])
	f := request{low: low, high: low, unit: "words", start: m[0], end: m[1]}
	switch form {
	case paper:
		f.low, f.high, f.unit = 400*low, 400*low, "characters"
		return f, ok
	case hanForm:
		f.unit = hanUnit(prompt[m[6]:m[7]])
		if next := prompt[m[1]:]; strings.HasPrefix(next, "母") || strings.HasPrefix(next, "典") {
			return f, false
		}
	}
	if m[4] < 0 {
		return f, ok
	}
	high, fine := hanValue(prompt[m[4]:m[5]])
	if low*1000 <= high {
		f.low *= 1000 // "3到5千字" is read as 3 and 5000
	}
	f.high = high
	return f, ok && fine && high >= low
}

// hanBound looks around the request.
func (f *request) hanBound(prompt string, sum bool) {
	before, behind := prompt[max(0, f.start-45):f.start], prompt[f.end:]
	if sum {
		before = prompt[f.start:f.end]
		behind = strings.TrimLeft(behind, "字个個 ")
	} else if cut := strings.LastIndexAny(before, "。！？\n，,；;"); cut >= 0 {
		before = before[cut:]
	}
	size := 0
	if f.low == f.high {
		f.bound, size = hanPhrase(before, strings.TrimSpace(behind))
	}
	if size > 0 || sum {
		f.rank++
	}
	if hanTotal.MatchString(before) {
		f.rank += 2
	}
	if strings.Contains(before, "每") || strings.Contains(before, "各") {
		f.hanTimes(prompt)
	}
}

// hanPhrase is the bound that stands before or behind a number, and how long the
// phrase is: "不超过" ends in "超过", and the longer one counts.
func hanPhrase(before, behind string) (bound string, size int) {
	for _, b := range hanBounds {
		is := !b.behind && strings.Contains(before, b.phrase) || b.behind && strings.HasPrefix(behind, b.phrase)
		if is && len(b.phrase) > size {
			bound, size = b.bound, len(b.phrase)
		}
	}
	return bound, size
}

// hanTimes reads "5章，每章2000字": the length of one is multiplied where the
// number is there, and else is not the whole's.
func (f *request) hanTimes(prompt string) {
	whole := prompt[max(0, f.start-90):f.start]
	if m := hanEach.FindStringSubmatch(strings.ToValidUTF8(whole, "")); m != nil {
		if n, ok := hanValue(m[1]); ok && n >= 1 && n <= 1000 {
			f.low, f.high = n*f.low, n*f.high
			f.rank += 2
			return
		}
	}
	f.rank -= 3
}

func hanUnit(unit string) string {
	switch unit {
	case "页", "頁", "ページ", "페이지", "쪽":
		return "pages"
	case "英文单词", "英语单词", "单词", "單詞", "词", "詞", "語", "단어":
		return "words"
	}
	return "characters"
}

// hanValue reads 1500, 1.5万, 三千, 两千五百, 千二百.
func hanValue(s string) (float64, bool) {
	s = strings.Map(func(r rune) rune {
		if r >= '０' && r <= '９' {
			return r - '０' + '0'
		}
		return r
	}, strings.ReplaceAll(s, "，", ","))
	if s[0] >= '0' && s[0] <= '9' {
		times := 1.0
		for suffix, n := range map[string]float64{"千": 1e3, "k": 1e3, "K": 1e3, "万": 1e4, "萬": 1e4, "w": 1e4, "W": 1e4} {
			if cut, ok := strings.CutSuffix(s, suffix); ok {
				s, times = cut, n
				break
			}
		}
		s = strings.TrimRight(strings.TrimSpace(s), ",.")
		if times > 1 {
			n, err := strconv.ParseFloat(s, 64)
			return n * times, err == nil
		}
		return readDigits(s)
	}
	return hanDigits(s)
}

// hanDigits reads a number in characters.
func hanDigits(s string) (float64, bool) {
	sum, now, last := 0.0, 0.0, 0.0
	for _, r := range s {
		digit := strings.Index("零一二三四五六七八九", string(r))
		switch r {
		case '〇':
			digit = 0
		case '两', '兩':
			digit = 6
		}
		if digit >= 0 {
			now, last = float64(digit/3), 0
			continue
		}
		unit := map[rune]float64{'十': 10, '百': 100, '千': 1000, '万': 1e4, '萬': 1e4}[r]
		if unit == 1e4 {
			sum, now = (sum+now)*unit, 0
		} else {
			sum, now = sum+max(now, 1)*unit, 0
		}
		last = unit
	}
	if now > 0 && last == 0 && sum >= 100 && strings.Count(s, "零")+strings.Count(s, "〇") == 0 {
		now *= tens(sum) / 10 // "三千五" is 3500
	}
	return sum + now, sum+now > 0
}

// tens is the largest power of ten that divides x.
func tens(x float64) float64 {
	p := 10.0
	for x >= 10*p && float64(int64(x/(10*p)))*10*p == x {
		p *= 10
	}
	return p
}
