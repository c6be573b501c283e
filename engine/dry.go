package engine

import (
	"fmt"
	"math"
	"strings"
)

// repetitions finds what DRY lowers. The buffers are kept from token to token.
type repetitions struct {
	d        DRY
	breakers []bool // by token id
	match    []int  // see lengths
	longest  map[int32]int
	before   []candidate
}

func (d DRY) check() error {
	if bad := func(x float32) bool { return math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) || x < 0 }; bad(d.Multiplier) || bad(d.Base) || d.AllowedLength < 0 || d.Window < 0 {
		return fmt.Errorf("DRY with multiplier %g, base %g, length %d, window %d", d.Multiplier, d.Base, d.AllowedLength, d.Window)
	}
	return nil
}

func (r *repetitions) prepare(m *Model, d DRY) {
	r.d = d
	if d.Multiplier == 0 {
		return
	}
	if d.Base == 0 {
		r.d.Base = 1.75
	}
	if d.AllowedLength == 0 {
		r.d.AllowedLength = 2
	}
	r.breakers = m.breakerTable(d.Breakers)
	if r.longest == nil {
		r.longest = map[int32]int{}
	}
}

// breakerTable says of every token whether its text contains one of the
// breakers; control tokens always break.
func (m *Model) breakerTable(breakers []string) []bool {
	key := strings.Join(breakers, "\x00")
	if table, ok := m.breakers[key]; ok {
		return table
	}
	if m.pieces == nil {
		m.pieces = make([]string, len(m.control))
		for id := range m.pieces {
			m.pieces[id] = m.piece(int32(id))
		}
	}
	table := make([]bool, len(m.control))
	for id, piece := range m.pieces {
		table[id] = m.control[id]
		for _, b := range breakers {
			if b != "" && strings.Contains(piece, b) {
				table[id] = true
			}
		}
	}
	if len(m.breakers) > 16 { // a caller that changes them all the time
		clear(m.breakers)
	}
	m.breakers[key] = table
	return table
}

// lower lowers the logits of tokens that would go on with a repetition, and
// returns what they were.
func (r *repetitions) lower(ids []int32, logits []float32) []candidate {
	r.before = r.before[:0]
	if r.d.Multiplier == 0 {
		return nil
	}
	for id, n := range r.find(ids) {
		r.before = append(r.before, candidate{id, logits[id]})
		logits[id] -= r.d.Multiplier * float32(math.Pow(float64(r.d.Base), float64(n-r.d.AllowedLength)))
	}
	return r.before
}

// find is, for each token that would go on with a repetition, the length of the
// longest one.
func (r *repetitions) find(ids []int32) map[int32]int {
	clear(r.longest)
	if r.d.Window > 0 && len(ids) > r.d.Window {
		ids = ids[len(ids)-r.d.Window:]
	}
	last := len(ids) - 1
	limit := 0 // tokens since the last breaker
	for limit <= last && !r.breakers[ids[last-limit]] {
		limit++
	}
	if limit < r.d.AllowedLength {
		return r.longest
	}
	for i, n := range r.lengths(ids, limit) {
		if n < r.d.AllowedLength || i == 0 {
			continue
		}
		if id := ids[last-i+1]; n > r.longest[id] && !r.breakers[id] {
			r.longest[id] = n
		}
	}
	return r.longest
}

// lengths is, for every i, how many tokens that end i before the end equal those
// at the end, at most limit: the Z function of the reversed ids, in linear time.
func (r *repetitions) lengths(ids []int32, limit int) []int {
	last := len(ids) - 1
	z := append(r.match[:0], make([]int, len(ids))...)
	r.match = z
	left, right := 0, 0
	for i := 1; i < len(z); i++ {
		n := 0
		if i < right {
			n = min(right-i, z[i-left])
		}
		for n < limit && i+n <= last && ids[last-n] == ids[last-i-n] {
			n++
		}
		if z[i] = n; i+n > right {
			left, right = i, i+n
		}
	}
	return z
}
