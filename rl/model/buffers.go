package model

// buffers hands out the buffers of a model and adds up what they take, by part of the
// plan. A dry one only adds up, so that plan and allocation cannot differ.
type buffers struct {
	d     Device
	dry   bool
	bytes map[string]int64
	all   []Buffer
}

// get is a zeroed buffer of the device for a part of the plan; nil when dry or without columns.
func (b *buffers) get(part string, k Kind, rows, cols int) Buffer {
	if rows == 0 || cols == 0 {
		return nil
	}
	if b.bytes == nil {
		b.bytes = map[string]int64{}
	}
	b.bytes[part] += b.d.Bytes(k, rows, cols)
	if b.dry {
		return nil
	}
	buf := b.d.Alloc(k, rows, cols)
	b.all = append(b.all, buf)
	return buf
}

// host is a buffer in the machine's memory.
func (b *buffers) host(rows, cols int) Buffer {
	if b.bytes == nil {
		b.bytes = map[string]int64{}
	}
	b.bytes["host"] += 4 * int64(rows) * int64(cols)
	if b.dry {
		return nil
	}
	buf := b.d.(Offloader).AllocHost(rows, cols)
	b.all = append(b.all, buf)
	return buf
}

// free gives every buffer back.
func (b *buffers) free() {
	for _, buf := range b.all {
		b.d.Free(buf)
	}
	b.all = nil
}

// trace is what a layer's forward leaves for its backward. T are the rows of the
// micro-batch; buffers are made for MaxRows.
type trace struct {
	in         Buffer // T x width F32, the residual stream before the layer
	away       Buffer // the same in the machine's memory, where in is one of two that all layers share; else nil
	inv1       Buffer // T x 1 F32, of the norm before attention
	xaQKV      Buffer // T x 3 rank Act, the norm's output times the joined A
	raw        Buffer // T x (q + 2 kv) Act, the joined product; rotated in place unless q and k are normed
	rot        Buffer // T x (q + kv) Act, normed and rotated (qwen3); nil: the columns of raw
	invQ, invK Buffer // T x heads, T x kvHeads F32 (qwen3)
	out        Buffer // T x q Act, of attention
	lse        Buffer // T x heads F32
	xaOut      Buffer // T x rank Act
	mid        Buffer // T x width F32, the residual stream after attention
	inv2       Buffer // T x 1 F32, of the norm before the feed-forward part
	xaGateUp   Buffer // T x 2 rank Act
	gateUp     Buffer // T x 2 ff Act, before SwiGLU; nil: computed again by block
	xaDown     Buffer // T x rank Act
}

// work is what all layers share.
type work struct {
	grad      Buffer // MaxRows x width F32: the gradient of the residual stream; the stream itself when nothing is kept
	x, dx     Buffer // MaxRows x width Act: a product's input, and a gradient; x has q + kv columns where that is more and q and k are normed
	dqkv      Buffer // MaxRows x (q + 2 kv) Act
	dout      Buffer // MaxRows x q Act
	t         Buffer // MaxRows x 3 rank Act, gradients between B and A
	gateUp    Buffer // Block x 2 ff Act, where it is not kept
	gated, dg Buffer // Block x ff Act, SwiGLU's output and its gradient
	spare     trace  // of a layer that is computed again, and of passes that keep nothing
	plain     trace  // of passes that keep nothing: the gradients' buffers hold the layer
	// The head's, for scored rows:
	scored, u       Buffer // MaxRows x width F32: the stream of the scored rows; the gradient of their log-probability
	inv             Buffer // MaxRows x 1 F32
	logp, entropy   Buffer // MaxRows x 1 F32
	weight, squares Buffer // MaxRows x 1 F32, dL/dlogp; 1 x 1 F32
}

// allocate makes every buffer that training takes, or adds them up.
func (m *Model) allocate(b *buffers, rows, block, recomputed int, offload bool) {
	c, rank := m.cfg, m.opts.Rank
	m.pairs = nil
	for l := range c.layers {
		for _, p := range c.projections() {
			m.pairs = append(m.pairs, newPair(b, l, p, rank))
		}
	}
	width, qkv := c.width, c.q()+2*c.kv()
	act := func(cols int) Buffer { return b.get("work", Act, rows, cols) }
	f32 := func(cols int) Buffer { return b.get("work", F32, rows, cols) }
	m.work = work{
		grad: f32(width), x: act(max(width, m.normed(c.q()+c.kv()))), dx: act(width), dqkv: act(qkv), dout: act(c.q()), t: act(3 * rank),
		gateUp: b.get("work", Act, block, 2*c.ff), gated: b.get("work", Act, block, c.ff), dg: b.get("work", Act, block, c.ff),
		scored: f32(width), u: f32(width), inv: f32(1), logp: f32(1), entropy: f32(1), weight: f32(1), squares: b.get("work", F32, 1, 1),
	}
	spare := m.smallTrace(b, "work", rows)
	m.work.plain = spare
	m.work.plain.in, m.work.plain.mid = m.work.grad, m.work.grad
	m.work.plain.raw, m.work.plain.out = m.work.dqkv, m.work.dout
	if c.norms {
		m.work.plain.rot = m.work.x
	}
	if recomputed > 0 {
		m.largeTrace(b, "work", rows, &spare)
	}
	m.work.spare = spare
	var shared [2]Buffer
	if offload { // only where every layer is computed again
		shared = [2]Buffer{f32(width), f32(width)}
	}
	m.traces = make([]*trace, c.layers+1)
	for l := range m.traces {
		t := &trace{}
		if l >= recomputed && l < c.layers {
			*t = m.smallTrace(b, "kept", rows)
			m.largeTrace(b, "kept", rows, t)
			t.gateUp = b.get("kept", Act, rows, 2*c.ff)
		} else {
			*t = spare
		}
		if offload {
			t.in = shared[l%2]
			if l < c.layers {
				t.away = b.host(rows, width)
			}
		} else {
			t.in = b.get("kept", F32, rows, width) // of the last, the stream after all layers
		}
		m.traces[l] = t
	}
}

// normed is n where q and k are normed, else 0.
func (m *Model) normed(n int) int {
	if m.cfg.norms {
		return n
	}
	return 0
}

// smallTrace makes the parts of a trace that are a few columns wide.
func (m *Model) smallTrace(b *buffers, part string, rows int) trace {
	c, rank := m.cfg, m.opts.Rank
	f32 := func(cols int) Buffer { return b.get(part, F32, rows, cols) }
	act := func(cols int) Buffer { return b.get(part, Act, rows, cols) }
	return trace{
		inv1: f32(1), xaQKV: act(3 * rank), invQ: f32(m.normed(c.heads)), invK: f32(m.normed(c.kvHeads)),
		lse: f32(c.heads), xaOut: act(rank), inv2: f32(1), xaGateUp: act(2 * rank), xaDown: act(rank),
	}
}

// largeTrace makes the rest but for the layer's input and gateUp.
func (m *Model) largeTrace(b *buffers, part string, rows int, t *trace) {
	c := m.cfg
	t.raw = b.get(part, Act, rows, c.q()+2*c.kv())
	t.rot = b.get(part, Act, rows, m.normed(c.q()+c.kv()))
	t.out = b.get(part, Act, rows, c.q())
	t.mid = b.get(part, F32, rows, c.width)
}

// top is the first rows of a buffer; nil stays nil.
func top(b Buffer, rows int) Buffer {
	if b == nil || b.Rows() == rows {
		return b
	}
	return b.View(0, rows, 0, b.Cols())
}

// cols is a view of some columns of every row.
func cols(b Buffer, col, n int) Buffer { return b.View(0, b.Rows(), col, n) }

// band is a view of some rows; nil stays nil.
func band(b Buffer, row, n int) Buffer {
	if b == nil || (row == 0 && b.Rows() == n) {
		return b
	}
	return b.View(row, n, 0, b.Cols())
}

// rows is the trace of the first n rows.
func (t trace) rows(n int) trace {
	for _, b := range []*Buffer{
		&t.in, &t.away, &t.inv1, &t.xaQKV, &t.raw, &t.rot, &t.invQ, &t.invK, &t.out, &t.lse, &t.xaOut,
		&t.mid, &t.inv2, &t.xaGateUp, &t.gateUp, &t.xaDown,
	} {
		*b = top(*b, n)
	}
	return t
}
