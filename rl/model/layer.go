package model

import (
	"fmt"

	"longhand/rl/checkpoint"
)

// layer is what is frozen in one of the decoder's layers.
type layer struct {
	w                 [4]Weight // by the places of projections()
	bias              Buffer    // of q, k and v, 1 x (q + 2 kv) F32; nil without
	attnNorm, ffnNorm Buffer    // 1 x width F32
	qNorm, kNorm      Buffer    // 1 x head size F32; nil without
}

// load puts the base onto the device. What it took is in m also after an error.
func (m *Model) load() error {
	c := m.cfg
	var err error
	if m.embedding, err = m.weight("token_embd.weight"); err != nil {
		return err
	}
	if !c.tied {
		if m.head, err = m.weight("output.weight"); err != nil {
			return err
		}
	}
	m.finalNorm = m.vector("output_norm.weight")
	for i := range c.layers {
		l := &layer{attnNorm: m.vector(block(i, "attn_norm.weight")), ffnNorm: m.vector(block(i, "ffn_norm.weight"))}
		m.layers = append(m.layers, l)
		if c.hasBias {
			l.bias = m.vector(block(i, "attn_q.bias"), block(i, "attn_k.bias"), block(i, "attn_v.bias"))
		}
		if c.norms {
			l.qNorm, l.kNorm = m.vector(block(i, "attn_q_norm.weight")), m.vector(block(i, "attn_k_norm.weight"))
		}
		for j, p := range c.projections() {
			if l.w[j], err = m.weight(p.tensors(i)...); err != nil {
				return err
			}
		}
	}
	return m.file.Err()
}

// weight is a frozen matrix of tensors below one another.
func (m *Model) weight(names ...string) (Weight, error) {
	tensors := make([]*checkpoint.Tensor, len(names))
	for i, name := range names {
		tensors[i] = m.file.Tensor(name)
	}
	w, err := m.d.Weight(tensors...)
	if err != nil {
		return nil, fmt.Errorf("model: load %s: %w", names[0], err)
	}
	return w, nil
}

// vector is a row of tensors beside one another, in F32.
func (m *Model) vector(names ...string) Buffer {
	var all []float64
	for _, name := range names {
		t := m.file.Tensor(name)
		v := make([]float32, t.Cols)
		t.Dequant(v, 0, 1)
		all = append(all, widen(v)...)
	}
	b := m.buffers.get("base", F32, 1, len(all))
	m.d.Upload(b, all)
	return b
}

// free gives the layer's weights back; its vectors are among the model's buffers.
func (l *layer) free(d Device) {
	for i, w := range l.w {
		if w != nil {
			d.FreeWeight(w)
		}
		l.w[i] = nil
	}
}

// pass is one walk of a micro-batch through the layers.
type pass struct {
	m       *Model
	b       *batch
	adapter bool
	keeps   bool // each layer has buffers of its own; else the stream is one buffer, changed in place
}

// product is dst = x Wᵀ + bias with the pairs' share, or dst += the same. xa is
// left for the backward.
func (p *pass) product(dst, x, xa Buffer, layer, place int, add bool) {
	m, l := p.m, p.m.layers[layer]
	var bias Buffer
	if place == attnQKV {
		bias = l.bias
	}
	m.d.Mark("linear")
	m.d.Linear(dst, x, l.w[place], bias, add)
	if p.adapter {
		m.pair(layer, place).forward(m.d, dst, x, xa, m.scale)
	}
}

// heads are the rotated queries and keys, and the values, of a trace.
func (p *pass) heads(t trace) (q, k, v Buffer) {
	nq, nk := p.m.cfg.q(), p.m.cfg.kv()
	qk := t.raw
	if t.rot != nil {
		qk = t.rot
	}
	return cols(qk, 0, nq), cols(qk, nq, nk), cols(t.raw, nq+nk, nk)
}

// attention is the first half of a layer, up to t.mid:
// mid = in + attention(norm(in)) Woᵀ.
func (p *pass) attention(layer int, t trace) {
	m, d, c, l := p.m, p.m.d, p.m.cfg, p.m.layers[layer]
	x := m.stream(m.work.x, p.b.rows)
	d.Mark("elementwise")
	d.RMSNorm(x, t.inv1, t.in, l.attnNorm, 1, c.eps)
	p.product(t.raw, x, t.xaQKV, layer, attnQKV, false)
	q, k, v := p.heads(t)
	d.Mark("elementwise")
	if c.norms {
		d.RMSNorm(q, t.invQ, cols(t.raw, 0, c.q()), l.qNorm, c.heads, c.eps)
		d.RMSNorm(k, t.invK, cols(t.raw, c.q(), c.kv()), l.kNorm, c.kvHeads, c.eps)
	}
	d.RoPE(q, p.b.layout, c.heads, &c.rope, false)
	d.RoPE(k, p.b.layout, c.kvHeads, &c.rope, false)
	d.Mark("attention")
	d.Attention(t.out, t.lse, q, k, v, p.b.layout, c.heads, c.kvHeads)
	if p.keeps {
		d.Mark("elementwise")
		d.Copy(t.mid, t.in)
	}
	p.product(t.mid, t.out, t.xaOut, layer, attnOutput, true)
}

// feedForward is the second half, block by block:
// next = mid + (silu(g) u) Wdᵀ, with g and u the halves of norm(mid) Wguᵀ.
func (p *pass) feedForward(layer int, t trace, next Buffer) {
	m, d := p.m, p.m.d
	for row, n := range m.blocks(p.b.rows) {
		_, gateUp := p.gateUp(layer, t, row, n)
		gated := p.gated(gateUp)
		dst := band(next, row, n)
		if p.keeps {
			d.Mark("elementwise")
			d.Copy(dst, band(t.mid, row, n))
		}
		p.product(dst, gated, band(t.xaDown, row, n), layer, ffnDown, true)
	}
}

// gateUp computes the norm and the joined product of a block, into the trace where it has room.
func (p *pass) gateUp(layer int, t trace, row, n int) (x, gateUp Buffer) {
	m := p.m
	x = p.ffnInput(layer, t, row, n)
	gateUp = band(t.gateUp, row, n)
	if gateUp == nil {
		gateUp = top(m.work.gateUp, n)
	}
	p.product(gateUp, x, band(t.xaGateUp, row, n), layer, ffnGateUp, false)
	return x, gateUp
}

// ffnInput is the norm of a block of t.mid.
func (p *pass) ffnInput(layer int, t trace, row, n int) Buffer {
	m := p.m
	x := band(m.stream(m.work.x, p.b.rows), row, n)
	m.d.Mark("elementwise")
	m.d.RMSNorm(x, band(t.inv2, row, n), band(t.mid, row, n), m.layers[layer].ffnNorm, 1, m.cfg.eps)
	return x
}

// gated is SwiGLU of a block.
func (p *pass) gated(gateUp Buffer) Buffer {
	m, ff := p.m, p.m.cfg.ff
	gated := top(m.work.gated, gateUp.Rows())
	m.d.Mark("elementwise")
	m.d.SwiGLU(gated, cols(gateUp, 0, ff), cols(gateUp, ff, ff))
	return gated
}

// stream is the first rows of a buffer, as wide as the model.
func (m *Model) stream(b Buffer, rows int) Buffer { return b.View(0, rows, 0, m.cfg.width) }

// blocks cuts rows evenly into blocks of at most Plan.Block, the same whether layers are kept or not.
func (m *Model) blocks(rows int) func(yield func(row, n int) bool) {
	count := (rows + m.plan.Block - 1) / m.plan.Block
	each := (rows + count - 1) / count
	return func(yield func(row, n int) bool) {
		for row := 0; row < rows; row += each {
			if !yield(row, min(each, rows-row)) {
				return
			}
		}
	}
}
