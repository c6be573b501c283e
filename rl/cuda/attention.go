//go:build cuda

package cuda

import (
	"math"
	"slices"

	"gorgonia.org/cu"

	"longhand/rl/model"
)

// layout is a batch as the kernels of attention see it (kernels/attention.cu).
type layout struct {
	rows, positions int
	tiles, keys     int // of queries, of keys
	on              *memory
	at              [5]int // where each table begins
}

// The tables of a layout, and what each of their lines has.
const (
	tablePos     = iota // position
	tableQueries        // first row, rows, the segment's first row, prefix, rows of the prefix
	tableKeys           // first row, rows, first visit, visits
	tableVisits         // first query, its end, whether causal
	tableRows           // the segment's first row, prefix, rows of the prefix, 0
)

// table is where one lies.
func (l *layout) table(which int) cu.DevicePtr { return l.on.ptr + cu.DevicePtr(4*l.at[which]) }

func (l *layout) Rows() int { return l.rows }

// tileRows is how many queries, and how many keys, a block takes.
const tileRows = 64

// Layout cuts the segments into tiles, and lists for each tile of keys which queries see it.
func (d *Device) Layout(pos []int32, segments []model.Segment) model.Layout {
	l := &layout{rows: len(pos), on: &memory{}}
	var queryTiles, keyTiles, visits []int32
	table := make([]int32, 4*len(pos))
	owned := make([]bool, len(pos))
	cuts := []int{0, len(pos)} // tiles of keys do not cross these: all of a tile is seen by the same queries
	for _, s := range segments {
		must(s.Start >= 0 && s.Rows >= 0 && s.Start <= len(pos)-s.Rows && s.Prefix >= 0 && s.PrefixRows >= 0 && s.Prefix <= len(pos)-s.PrefixRows, "Layout")
		for row := s.Start; row < s.Start+s.Rows; row++ {
			must(!owned[row], "Layout")
			owned[row] = true
			copy(table[4*row:], []int32{int32(s.Start), int32(s.Prefix), int32(s.PrefixRows)})
		}
		cuts = append(cuts, s.Start, s.Start+s.Rows, s.Prefix, s.Prefix+s.PrefixRows)
		for row := s.Start; row < s.Start+s.Rows; row += tileRows {
			queryTiles = append(queryTiles, int32(row), int32(min(tileRows, s.Start+s.Rows-row)), int32(s.Start), int32(s.Prefix), int32(s.PrefixRows))
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	for i := 1; i < len(cuts); i++ {
		for row := cuts[i-1]; row < cuts[i]; row += tileRows {
			n := min(tileRows, cuts[i]-row)
			first := len(visits) / 3
			for _, s := range segments {
				if s.Rows > 0 && row >= s.Prefix && row < s.Prefix+s.PrefixRows {
					visits = append(visits, int32(s.Start), int32(s.Start+s.Rows), 0)
				}
				if row >= s.Start && row < s.Start+s.Rows {
					visits = append(visits, int32(row), int32(s.Start+s.Rows), 1)
				}
			}
			keyTiles = append(keyTiles, int32(row), int32(n), int32(first), int32(len(visits)/3-first))
		}
	}
	for _, p := range pos {
		l.positions = max(l.positions, int(p)+1)
	}
	must(!slices.Contains(owned, false), "Layout")
	l.tiles, l.keys = len(queryTiles)/5, len(keyTiles)/4
	var all []int32 // in one piece: each is taken from the driver for every micro-batch
	for i, t := range [][]int32{tablePos: pos, tableQueries: queryTiles, tableKeys: keyTiles, tableVisits: visits, tableRows: table} {
		l.at[i] = len(all)
		all = append(all, t...)
	}
	d.queue.add(func() error { return d.number(l.on, all) })
	return l
}

// FreeLayout gives its tables back.
func (d *Device) FreeLayout(l model.Layout) {
	lay, ok := l.(*layout)
	if !ok || lay == nil {
		return
	}
	d.queue.must(func() { d.drop(lay.on) })
}

// attended is the shape of a call.
type attended struct {
	heads, kvHeads, size int
	scale                float32
	lay                  *layout
}

func shape(q, k, v matrix, l model.Layout, heads, kvHeads int, operation string) attended {
	a := attended{heads: heads, kvHeads: kvHeads, lay: l.(*layout)}
	must(heads > 0 && kvHeads > 0 && heads%kvHeads == 0 && q.cols%heads == 0 && q.rows == a.lay.rows, operation)
	a.size = q.cols / heads
	must(k.is(q.rows, kvHeads*a.size) && v.is(q.rows, kvHeads*a.size), operation)
	a.scale = float32(1 / math.Sqrt(float64(a.size)))
	return a
}

// fast says whether the kernels on tensor cores take these inputs: BF16, heads of at most 128; and whether they may read
// and write 16 bytes at a time.
func (a attended) fast(inputs, results []matrix) (instance string, aligned, ok bool) {
	for _, m := range inputs {
		if m.kind != act {
			return "", false, false
		}
	}
	aligned = a.size%8 == 0
	for _, m := range slices.Concat(inputs, results) {
		aligned = aligned && m.stride%8 == 0 && m.at%8 == 0
	}
	if a.size <= 64 {
		return "_64", aligned, true
	}
	return "_128", aligned, a.size <= 128
}

// Attention is the FlashAttention forward over tiles of queries.
func (d *Device) Attention(dst, lse, q, k, v model.Buffer, l model.Layout, heads, kvHeads int) {
	to, logs, qs, ks, vs := cellsOf(dst), cellsOf(lse), cellsOf(q), cellsOf(k), cellsOf(v)
	a := shape(qs, ks, vs, l, heads, kvHeads, "Attention")
	must(to.is(qs.rows, qs.cols) && logs.isF32(qs.rows, heads), "Attention")
	d.do("Attention", func() error {
		if to.empty() {
			return nil
		}
		return d.attend(a, to, logs, qs, ks, vs)
	})
}

// AttentionBackward computes the scores again, for the gradients of the queries by their tiles and for those of keys and
// values by theirs, so that nothing is added atomically.
func (d *Device) AttentionBackward(dq, dk, dv, dout, out, q, k, v, lse model.Buffer, l model.Layout, heads, kvHeads int) {
	g := gradients{
		dq: cellsOf(dq), dk: cellsOf(dk), dv: cellsOf(dv), dout: cellsOf(dout), out: cellsOf(out),
		q: cellsOf(q), k: cellsOf(k), v: cellsOf(v), lse: cellsOf(lse),
	}
	g.attended = shape(g.q, g.k, g.v, l, heads, kvHeads, "AttentionBackward")
	for _, m := range []matrix{g.dq, g.dout, g.out} {
		must(m.is(g.q.rows, g.q.cols), "AttentionBackward")
	}
	for _, m := range []matrix{g.dk, g.dv} {
		must(m.is(g.k.rows, g.k.cols), "AttentionBackward")
	}
	must(g.lse.isF32(g.q.rows, heads), "AttentionBackward")
	d.do("AttentionBackward", func() error {
		if g.q.empty() {
			return nil
		}
		return g.compute(d)
	})
}

// gradients are the matrices of AttentionBackward.
type gradients struct {
	attended
	dq, dk, dv, dout, out, q, k, v, lse matrix
}

// The kernels on tensor cores have 4 warps a block, and the plain ones 8, each a row of a head.
const fastThreads, plainRows = 128, 8

// tileBytes is the shared memory of a block: tiles of 64 rows, of which the backward of wide heads needs more.
func tileBytes(instance string, backward bool) int {
	if instance == "_64" {
		return 512 * 64
	}
	if backward {
		return 768 * 128
	}
	return 512 * 128
}

func (d *Device) attend(a attended, to, lse, q, k, v matrix) error {
	if instance, aligned, ok := a.fast([]matrix{q, k, v}, []matrix{to}); ok {
		return d.launch("attn_fwd"+instance, [2]int{a.lay.tiles, a.heads}, [2]int{fastThreads, 1}, tileBytes(instance, false),
			to, vector{lse}, lse.stride, bare{q}, bare{k}, bare{v}, a.lay.table(tableQueries), a.heads, a.kvHeads, a.size, a.scale, aligned)
	}
	return d.launch("attn_plain_fwd", [2]int{(q.rows*a.heads + plainRows - 1) / plainRows, 1}, [2]int{32 * plainRows, 1}, 0,
		to, vector{lse}, lse.stride, q, k, v, a.lay.table(tableRows), q.rows, a.heads, a.kvHeads, a.size, a.scale)
}

func (g *gradients) compute(d *Device) error {
	rows, warps := g.q.rows, (g.q.rows*g.heads+plainRows-1)/plainRows
	delta, err := d.scratchMatrix(scratchRows, f32, rows, g.heads)
	if err != nil {
		return err
	}
	if err := d.launch("attn_delta", [2]int{warps, 1}, [2]int{32 * plainRows, 1}, 0, vector{delta}, delta.stride, g.dout, g.out, rows, g.heads, g.size); err != nil {
		return err
	}
	stats := []any{vector{delta}, delta.stride, vector{g.lse}, g.lse.stride}
	last := []any{g.heads, g.kvHeads, g.size, g.scale}
	instance, aligned, ok := g.fast([]matrix{g.q, g.k, g.v, g.dout}, []matrix{g.dq, g.dk, g.dv})
	if ok {
		inputs := []any{bare{g.q}, bare{g.k}, bare{g.v}}
		bytes := tileBytes(instance, true)
		last = append(last, aligned)
		if err := d.launch("attn_dq"+instance, [2]int{g.lay.tiles, g.heads}, [2]int{fastThreads, 1}, bytes,
			slices.Concat([]any{g.dq, bare{g.dout}}, stats, inputs, []any{g.lay.table(tableQueries)}, last)...); err != nil {
			return err
		}
		return d.launch("attn_dkv"+instance, [2]int{g.lay.keys, g.kvHeads}, [2]int{fastThreads, 1}, bytes+1024,
			slices.Concat([]any{g.dk, g.dv, bare{g.dout}}, stats, inputs, []any{g.lay.table(tableKeys), g.lay.table(tableVisits)}, last)...)
	}
	inputs := []any{g.q, g.k, g.v}
	if err := d.launch("attn_plain_dq", [2]int{warps, 1}, [2]int{32 * plainRows, 1}, 0,
		slices.Concat([]any{g.dq, g.dout}, stats, inputs, []any{g.lay.table(tableRows), rows}, last)...); err != nil {
		return err
	}
	return d.launch("attn_plain_dkv", [2]int{g.lay.keys * g.kvHeads * tileRows / plainRows, 1}, [2]int{32 * plainRows, 1}, 0,
		slices.Concat([]any{g.dk, g.dv, g.dout}, stats, inputs, []any{g.lay.table(tableKeys), g.lay.table(tableVisits)}, last)...)
}
