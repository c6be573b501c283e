package model

// The backward of a layer. m.work.grad, T x width, is the gradient of the residual
// stream: it comes in as that of the layer's output and leaves as that of its input.

// productT adds the gradients of a pair from dy, and gives the gradient of the product's
// input in dx, unless that is nil. x is the input, xa its product with A.
func (p *pass) productT(dx, dy, x, xa Buffer, layer, place int) {
	m, pr := p.m, p.m.pair(layer, place)
	if dx != nil {
		m.d.Mark("linear")
		m.d.LinearT(dx, dy, m.layers[layer].w[place], false)
	}
	t := m.work.t.View(0, dy.Rows(), 0, len(pr.outs)*pr.rank)
	pr.backward(m.d, dx, dy, x, xa, t, m.scale)
}

// backward walks back through a layer. What the trace lacks is computed again first, by
// the same operations on the same blocks, so with the same bits.
func (p *pass) backward(layer int, t trace) {
	again := t.gateUp == nil
	if t.away != nil {
		p.m.d.Mark("offload")
		p.m.d.Copy(t.in, t.away)
	}
	if again {
		p.attention(layer, t)
	}
	for row, n := range p.m.blocks(p.b.rows) {
		p.feedForwardBackward(layer, t, row, n, again)
	}
	p.attentionBackward(layer, t)
}

// feedForwardBackward is a block of the second half.
func (p *pass) feedForwardBackward(layer int, t trace, row, n int, again bool) {
	m, d, ff := p.m, p.m.d, p.m.cfg.ff
	var x, gateUp Buffer
	if again {
		x, gateUp = p.gateUp(layer, t, row, n)
	} else {
		x, gateUp = p.ffnInput(layer, t, row, n), band(t.gateUp, row, n)
	}
	gated := p.gated(gateUp)
	xaDown := band(t.xaDown, row, n)
	if again {
		m.pair(layer, ffnDown).narrow(d, xaDown, gated)
	}
	grad := band(m.stream(m.work.grad, p.b.rows), row, n)
	dx := band(m.stream(m.work.dx, p.b.rows), row, n)
	d.Mark("elementwise")
	d.Copy(dx, grad)
	dgated := top(m.work.dg, n)
	p.productT(dgated, dx, gated, xaDown, layer, ffnDown)
	d.Mark("elementwise")
	gate, up := cols(gateUp, 0, ff), cols(gateUp, ff, ff)
	d.SwiGLUBackward(gate, up, dgated, gate, up)
	p.productT(dx, gateUp, x, band(t.xaGateUp, row, n), layer, ffnGateUp)
	d.Mark("elementwise")
	d.RMSNormBackward(grad, dx, band(t.mid, row, n), band(t.inv2, row, n), m.layers[layer].ffnNorm, 1, true)
}

// attentionBackward is the first half. Below the pairs of the first layer nothing is
// trained, so there the gradient ends.
func (p *pass) attentionBackward(layer int, t trace) {
	m, d, c, l := p.m, p.m.d, p.m.cfg, p.m.layers[layer]
	rows := p.b.rows
	grad, dx := m.stream(m.work.grad, rows), m.stream(m.work.dx, rows)
	d.Mark("elementwise")
	d.Copy(dx, grad)
	dout := top(m.work.dout, rows)
	p.productT(dout, dx, t.out, t.xaOut, layer, attnOutput)

	q, k, v := p.heads(t)
	dqkv := top(m.work.dqkv, rows)
	dq, dk, dv := cols(dqkv, 0, c.q()), cols(dqkv, c.q(), c.kv()), cols(dqkv, c.q()+c.kv(), c.kv())
	d.Mark("attention")
	d.AttentionBackward(dq, dk, dv, dout, t.out, q, k, v, t.lse, p.b.layout, c.heads, c.kvHeads)
	d.Mark("elementwise")
	d.RoPE(dq, p.b.layout, c.heads, &c.rope, true)
	d.RoPE(dk, p.b.layout, c.kvHeads, &c.rope, true)
	if c.norms {
		d.RMSNormBackward(dq, dq, cols(t.raw, 0, c.q()), t.invQ, l.qNorm, c.heads, false)
		d.RMSNormBackward(dk, dk, cols(t.raw, c.q(), c.kv()), t.invK, l.kNorm, c.kvHeads, false)
	}
	x := m.stream(m.work.x, rows)
	d.RMSNorm(x, t.inv1, t.in, l.attnNorm, 1, c.eps)
	if layer == 0 {
		p.productT(nil, dqkv, x, t.xaQKV, layer, attnQKV)
		return
	}
	p.productT(dx, dqkv, x, t.xaQKV, layer, attnQKV)
	d.Mark("elementwise")
	d.RMSNormBackward(grad, dx, t.in, t.inv1, l.attnNorm, 1, true)
}
