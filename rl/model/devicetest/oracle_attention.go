package devicetest

import (
	"math"
	"slices"

	"longhand/rl/model"
)

// layout is the rows at hand: the position of each, and its segment.
type layout struct {
	pos []int32
	of  []model.Segment // by row
}

func (l *layout) Rows() int { return len(l.pos) }

// sees lists the rows that row t attends to: its prefix, then its segment up to
// itself.
func (l *layout) sees(t int) []int {
	s := l.of[t]
	var rows []int
	for i := s.Prefix; i < s.Prefix+s.PrefixRows; i++ {
		rows = append(rows, i)
	}
	for i := s.Start; i <= t; i++ {
		rows = append(rows, i)
	}
	return rows
}

// Layout keeps positions and segments. Every row belongs to one segment; a prefix
// lies outside the segment that sees it.
func (d *Oracle) Layout(pos []int32, segments []model.Segment) model.Layout {
	l := &layout{slices.Clone(pos), make([]model.Segment, len(pos))}
	owned := make([]bool, len(pos))
	for _, s := range segments {
		must(s.Start >= 0 && s.Rows >= 0 && s.Start+s.Rows <= len(pos) && s.Prefix >= 0 && s.PrefixRows >= 0 && s.Prefix+s.PrefixRows <= len(pos),
			"Layout: segment %+v of %d rows", s, len(pos))
		must(s.Rows == 0 || s.PrefixRows == 0 || s.Prefix+s.PrefixRows <= s.Start || s.Start+s.Rows <= s.Prefix,
			"Layout: segment %+v is its own prefix", s)
		for i := s.Start; i < s.Start+s.Rows; i++ {
			must(!owned[i], "Layout: row %d is in two segments", i)
			owned[i], l.of[i] = true, s
		}
	}
	must(!slices.Contains(owned, false), "Layout: row %d is in no segment", slices.Index(owned, false))
	return l
}

// FreeLayout has nothing to give back.
func (d *Oracle) FreeLayout(l model.Layout) {
	if l != nil {
		places(l)
	}
}

// places is a layout as the oracle holds it.
func places(l model.Layout) *layout {
	p, ok := l.(*layout)
	must(ok, "%T is not a layout of this device", l)
	return p
}

// heads cuts rows into heads and finds the key and value head of each.
type heads struct{ q, kv, size int }

func (h heads) query(row []float64, head int) []float64 { return row[head*h.size : (head+1)*h.size] }

func (h heads) key(row []float64, head int) []float64 {
	shared := head * h.kv / h.q
	return row[shared*h.size : (shared+1)*h.size]
}

// headsOf checks the shapes of attention.
func headsOf(op string, l *layout, n, kv int, q, k, v, out, lse *matrix) heads {
	T := len(l.pos)
	must(n > 0 && kv > 0 && n%kv == 0 && q.cols%n == 0, "%s: %v in %d heads, %d for keys", op, q, n, kv)
	h := heads{n, kv, q.cols / n}
	must(q.is(T, n*h.size) && out.is(T, n*h.size) && k.is(T, kv*h.size) && v.is(T, kv*h.size) && lse.isF32(T, n),
		"%s: q %v, k %v, v %v, out %v, lse %v of %d rows in %d heads, %d for keys", op, q, k, v, out, lse, T, n, kv)
	return h
}

// Attention is dst = softmax(q kᵀ / sqrt(size)) v over what each row sees.
func (d *Oracle) Attention(dst, lse, q, k, v model.Buffer, l model.Layout, heads, kvHeads int) {
	lay, out, sum, qm, km, vm := places(l), in(dst), in(lse), in(q), in(k), in(v)
	h := headsOf("Attention", lay, heads, kvHeads, qm, km, vm, out, sum)
	apart("Attention", out, sum, qm, km, vm)
	apart("Attention", sum, qm, km, vm)
	if d.err != nil {
		return
	}
	out.clear()
	scale := 1 / math.Sqrt(float64(h.size))
	for t := range lay.pos {
		seen := lay.sees(t)
		score := make([]float64, len(seen))
		for a := range heads {
			for i, s := range seen {
				score[i] = scale * dot(h.query(qm.at(t), a), h.key(km.at(s), a))
			}
			whole := logSumExp(score)
			sum.at(t)[a] = whole
			for i, s := range seen {
				addScaled(h.query(out.at(t), a), math.Exp(score[i]-whole), h.key(vm.at(s), a))
			}
		}
	}
}

// AttentionBackward is, with p a row's probabilities: dv += p dout,
// ds = p (dout v - dout out), dq += ds k / sqrt(size), dk += ds q / sqrt(size).
func (d *Oracle) AttentionBackward(dq, dk, dv, dout, out, q, k, v, lse model.Buffer, l model.Layout, heads, kvHeads int) {
	lay, om, qm, km, vm, sum := places(l), in(out), in(q), in(k), in(v), in(lse)
	h := headsOf("AttentionBackward", lay, heads, kvHeads, qm, km, vm, om, sum)
	dqm, dkm, dvm, dom := in(dq), in(dk), in(dv), in(dout)
	must(dqm.is(qm.rows, qm.cols) && dkm.is(km.rows, km.cols) && dvm.is(vm.rows, vm.cols) && dom.is(om.rows, om.cols),
		"AttentionBackward: dq %v, dk %v, dv %v, dout %v for %d rows in %d heads, %d for keys", dqm, dkm, dvm, dom, qm.rows, heads, kvHeads)
	for i, w := range []*matrix{dqm, dkm, dvm} {
		apart("AttentionBackward", w, append([]*matrix{dom, om, qm, km, vm, sum}, []*matrix{dqm, dkm, dvm}[:i]...)...)
	}
	if d.err != nil {
		return
	}
	dqm.clear()
	dkm.clear()
	dvm.clear()
	scale := 1 / math.Sqrt(float64(h.size))
	for t := range lay.pos {
		seen := lay.sees(t)
		for a := range heads {
			query, g := h.query(qm.at(t), a), h.query(dom.at(t), a)
			mean := dot(g, h.query(om.at(t), a))
			for _, s := range seen {
				p := math.Exp(scale*dot(query, h.key(km.at(s), a)) - sum.at(t)[a])
				ds := p * (dot(g, h.key(vm.at(s), a)) - mean)
				addScaled(h.key(dvm.at(s), a), p, g)
				addScaled(h.query(dqm.at(t), a), scale*ds, h.key(km.at(s), a))
				addScaled(h.key(dkm.at(s), a), scale*ds, query)
			}
		}
	}
}
