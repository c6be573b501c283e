package devicetest

import (
	"longhand/rl/model"
)

// attentionOperations are every shape of a batch: segments alone, prompts shared
// by completions in any order, completions without a row, queries in groups.
func attentionOperations() []operation {
	var list []operation
	for _, c := range []struct {
		about           string
		segments        []model.Segment
		heads, kv, size int
		spread          float64 // of the queries
		large           bool
	}{
		{"one row", []model.Segment{{Rows: 1}}, 1, 1, 3, 1, false},
		{"one segment", []model.Segment{{Rows: 7}}, 2, 2, 5, 1, false},
		{"segments beside one another", []model.Segment{{Rows: 5}, {Start: 5, Rows: 1}, {Start: 6, Rows: 9}}, 4, 2, 8, 1, false},
		{"a shared prompt", []model.Segment{{Rows: 6}, {Start: 6, Rows: 4, PrefixRows: 6}, {Start: 10, PrefixRows: 6}, {Start: 10, Rows: 1, PrefixRows: 6}, {Start: 11, Rows: 9, PrefixRows: 6}}, 6, 2, 12, 1, false},
		{"two groups, all queries on one key", []model.Segment{{Rows: 3}, {Start: 3, Rows: 5, PrefixRows: 3}, {Start: 8, Rows: 2, PrefixRows: 3}, {Start: 10, Rows: 7}, {Start: 17, Rows: 1, Prefix: 10, PrefixRows: 7}, {Start: 18, Rows: 4, Prefix: 10, PrefixRows: 7}}, 5, 1, 16, 1, false},
		{"completions before their prompt", []model.Segment{{Rows: 4, Prefix: 9, PrefixRows: 3}, {Start: 4, Rows: 5, Prefix: 9, PrefixRows: 3}, {Start: 9, Rows: 3}}, 2, 1, 4, 1, false},
		{"a prefix that is part of a segment", []model.Segment{{Rows: 8}, {Start: 8, Rows: 3, Prefix: 2, PrefixRows: 4}}, 4, 4, 6, 1, false},
		{"sharp", []model.Segment{{Rows: 9}, {Start: 9, Rows: 9, PrefixRows: 9}}, 2, 2, 16, 50, false},
		{"head size 128", []model.Segment{{Rows: 20}, {Start: 20, Rows: 13, PrefixRows: 20}}, 2, 1, 128, 1, false},
		{"across tiles", []model.Segment{{Rows: 70}, {Start: 70, Rows: 33, PrefixRows: 70}, {Start: 103, Rows: 64, PrefixRows: 70}, {Start: 167, Rows: 1, PrefixRows: 70}, {Start: 168, Rows: 97, PrefixRows: 70}}, 3, 1, 64, 1, true},
		{"one long segment", []model.Segment{{Rows: 200}}, 4, 2, 20, 1, true},
	} {
		b := attentive{heads: c.heads, kv: c.kv, size: c.size, segments: c.segments}
		for _, s := range c.segments {
			b.rows = max(b.rows, s.Start+s.Rows)
		}
		b.spread = c.spread
		for _, op := range []operation{b.forward(), b.backward()} {
			op.about, op.large, op.slack = c.about, c.large, c.spread
			op.pos, op.segments = count(b.rows, 0), c.segments
			list = append(list, op)
		}
	}
	return byMethod(list)
}

// attentive is a batch that attention works on.
type attentive struct {
	rows, heads, kv, size int
	spread                float64
	segments              []model.Segment
}

// inputs are q, k, v.
func (b attentive) inputs() []operand {
	keys := b.kv * b.size
	return []operand{
		{name: "q", rows: b.rows, cols: b.heads * b.size, spread: b.spread},
		{name: "k", rows: b.rows, cols: keys},
		{name: "v", rows: b.rows, cols: keys},
	}
}

func (b attentive) forward() operation {
	return operation{
		method: "Attention",
		operands: append(b.inputs(), operand{name: "dst", rows: b.rows, cols: b.heads * b.size, role: writes},
			operand{name: "lse", rows: b.rows, cols: b.heads, role: writes, f32: true}),
		call: func(d model.Device, a *arguments) {
			d.Attention(a.b("dst"), a.b("lse"), a.b("q"), a.b("k"), a.b("v"), a.layout, b.heads, b.kv)
		},
	}
}

func (b attentive) backward() operation {
	wide, keys := b.heads*b.size, b.kv*b.size
	return operation{
		method: "AttentionBackward",
		operands: append(b.inputs(),
			operand{name: "dq", rows: b.rows, cols: wide, role: writes, size: 1},
			operand{name: "dk", rows: b.rows, cols: keys, role: writes, size: 1},
			operand{name: "dv", rows: b.rows, cols: keys, role: writes},
			operand{name: "dout", rows: b.rows, cols: wide}, operand{name: "out", rows: b.rows, cols: wide},
			operand{name: "lse", rows: b.rows, cols: b.heads, f32: true}),
		settle: b.settle,
		call: func(d model.Device, a *arguments) {
			d.AttentionBackward(a.b("dq"), a.b("dk"), a.b("dv"), a.b("dout"), a.b("out"), a.b("q"), a.b("k"), a.b("v"), a.b("lse"), a.layout, b.heads, b.kv)
		},
	}
}

// settle makes out and lse what Attention gave.
func (b attentive) settle(values map[string][]float64) {
	d := NewOracle()
	buffers := map[string]model.Buffer{}
	for _, o := range b.forward().operands {
		buffers[o.name] = d.Alloc(model.F32, o.rows, o.cols)
		if o.role == reads {
			d.Upload(buffers[o.name], values[o.name])
		}
	}
	l := d.Layout(count(b.rows, 0), b.segments)
	d.Attention(buffers["dst"], buffers["lse"], buffers["q"], buffers["k"], buffers["v"], l, b.heads, b.kv)
	for name, from := range map[string]string{"out": "dst", "lse": "lse"} {
		if err := d.Download(values[name], buffers[from]); err != nil {
			panic(err) // the oracle has none
		}
	}
}
