package model

// FLOPs are the floating-point operations of a micro-batch's matrix products, two for
// each multiplication with its addition: those of Forward, with the head's two
// products, and those of Backward, with what the plan has computed again. A
// Reference or Score costs Forward less one product of the head and, for Reference, the
// pairs'.
func (m *Model) FLOPs(groups []Group, micro []Part) (forward, backward float64) {
	c := m.cfg
	p := pack(groups, micro, m.opts.NoShare)
	rows, scores := float64(len(p.ids)), float64(len(p.scored))
	var pairs float64 // of a query with a key
	for _, s := range p.segments {
		n := float64(s.Rows)
		pairs += n*float64(s.PrefixRows) + n*(n+1)/2
	}
	attention := 4 * pairs * float64(c.q())
	var layer, layerBack, again float64
	for place, j := range c.projections() {
		base := 2 * rows * float64(j.rows()) * float64(j.in)
		narrow := 2 * rows * float64(len(j.outs)*m.opts.Rank) * float64(j.in)
		lora := narrow + 2*rows*float64(j.rows())*float64(m.opts.Rank)
		layer += base + lora
		layerBack += base + 2*lora
		if place != ffnDown {
			again += base + lora
		} else {
			again += narrow
		}
	}
	// The first layer's q, k and v give no gradient to their input.
	first := c.projections()[attnQKV]
	spared := 2 * rows * float64(first.in) * float64(first.rows()+len(first.outs)*m.opts.Rank)
	head := 2 * scores * float64(c.vocabulary) * float64(c.width)
	layers := float64(c.layers)
	forward = layers*(layer+attention) + 2*head
	backward = layers*(layerBack+2.5*attention) - spared + float64(m.plan.Recomputed)*(again+attention)
	return forward, backward
}
