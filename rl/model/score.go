package model

import (
	"errors"
	"fmt"
	"math"
)

// Forward scores a micro-batch with the adapter on, and keeps what Backward needs.
// Reference and Score may come in between, another Forward forgets it.
func (m *Model) Forward(groups []Group, micro []Part) (Scores, error) {
	m.forget()
	b, err := m.send(groups, micro)
	if err != nil {
		return Scores{}, err
	}
	p := &pass{m: m, b: b, adapter: true, keeps: true}
	m.embed(b, m.traces[0].in)
	for l := range m.cfg.layers {
		t := m.traces[l].rows(b.rows)
		if t.away != nil {
			m.d.Mark("offload")
			m.d.Copy(t.away, t.in)
		}
		p.attention(l, t)
		p.feedForward(l, t, top(m.traces[l+1].in, b.rows))
	}
	s, err := m.scores(b, m.traces[m.cfg.layers].in, m.stream(m.work.u, b.scores))
	if err != nil {
		m.drop(b)
		return Scores{}, err
	}
	m.kept = b
	return s, nil
}

// Reference scores a micro-batch with the adapter off, as the base alone does. It keeps nothing.
func (m *Model) Reference(groups []Group, micro []Part) (Scores, error) {
	return m.plain(groups, micro, false)
}

// Score scores a micro-batch with the adapter on. It keeps nothing.
func (m *Model) Score(groups []Group, micro []Part) (Scores, error) {
	return m.plain(groups, micro, true)
}

// plain walks through the layers with the stream in one buffer.
func (m *Model) plain(groups []Group, micro []Part, adapter bool) (Scores, error) {
	b, err := m.send(groups, micro)
	if err != nil {
		return Scores{}, err
	}
	defer m.drop(b)
	p := &pass{m: m, b: b, adapter: adapter}
	t := m.work.plain.rows(b.rows)
	m.embed(b, t.in)
	for l := range m.cfg.layers {
		p.attention(l, t)
		p.feedForward(l, t, t.in)
	}
	return m.scores(b, t.in, nil)
}

// embed begins the residual stream.
func (m *Model) embed(b *batch, dst Buffer) {
	m.d.Mark("elementwise")
	m.d.Embed(top(dst, b.rows), m.embedding, b.ids)
}

// scores is the head on the scored rows of the stream. u, unless nil, is the gradient of
// each row's log-probability by the normed row, scores x width F32: it costs one more product
// here and saves two in the backward, which only multiplies by dL/dlogp.
func (m *Model) scores(b *batch, stream, u Buffer) (Scores, error) {
	d, n := m.d, b.scores
	x := m.normScored(b, stream)
	d.Mark("head")
	logp, entropy := top(m.work.logp, n), top(m.work.entropy, n)
	d.Head(logp, entropy, u, x, m.headWeight(), b.targets)
	flat := make([]float64, 2*n)
	if err := errors.Join(d.Download(flat[:n], logp), d.Download(flat[n:], entropy)); err != nil {
		return Scores{}, fmt.Errorf("model: score: %w", err)
	}
	for i, v := range flat {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			if err := m.file.Err(); err != nil {
				return Scores{}, fmt.Errorf("model: score: %w", err)
			}
			return Scores{}, fmt.Errorf("model: the score of token %d of %d of the micro-batch is %g", i%n, n, v)
		}
	}
	return Scores{Logp: shaped(flat[:n], b.lengths), Entropy: shaped(flat[n:], b.lengths)}, nil
}

// normScored gathers the scored rows into work.scored and gives their final norm;
// work.inv is left for the norm's backward.
func (m *Model) normScored(b *batch, stream Buffer) Buffer {
	rows, x := m.stream(m.work.scored, b.scores), m.stream(m.work.x, b.scores)
	m.d.Mark("elementwise")
	m.d.GatherRows(rows, top(stream, b.rows), b.scored)
	m.d.RMSNorm(x, top(m.work.inv, b.scores), rows, m.finalNorm, 1, m.cfg.eps)
	return x
}

// headWeight is the output matrix, or the embedding where the head is tied to it.
func (m *Model) headWeight() Weight {
	if m.head != nil {
		return m.head
	}
	return m.embedding
}

// shaped cuts a flat list into one of each completion.
func shaped(flat []float64, lengths []int) [][]float64 {
	parts := make([][]float64, len(lengths))
	for i, n := range lengths {
		parts[i], flat = flat[:n:n], flat[n:]
	}
	return parts
}

// Backward adds to the adapter's gradients those of a loss whose derivative by each
// log-probability of the last Forward is g, in the shape of Scores.Logp. It uses up
// what that Forward kept.
func (m *Model) Backward(g [][]float64) error {
	b := m.kept
	if b == nil {
		return errors.New("model: Backward without a Forward before it")
	}
	flat := make([]float64, 0, b.scores)
	for i, row := range g {
		if i >= len(b.lengths) || len(row) != b.lengths[i] {
			return fmt.Errorf("model: the gradient does not have the shape of the scores, at completion %d", i)
		}
		flat = append(flat, row...)
	}
	if len(g) != len(b.lengths) {
		return fmt.Errorf("model: the gradient is of %d completions, the scores of %d", len(g), len(b.lengths))
	}
	zero := true
	for _, v := range flat {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("model: a gradient of %g was asked for", v)
		}
		zero = zero && v == 0
	}
	defer m.forget()
	if zero {
		return nil
	}
	m.headBackward(b, flat)
	p := &pass{m: m, b: b, adapter: true, keeps: true}
	for l := m.cfg.layers - 1; l >= 0; l-- {
		p.backward(l, m.traces[l].rows(b.rows))
	}
	if err := m.d.Sync(); err != nil {
		return fmt.Errorf("model: backward: %w", err)
	}
	return nil
}

// headBackward begins the gradient of the stream: g u through the final norm, added
// up where several tokens are scored from one row.
func (m *Model) headBackward(b *batch, g []float64) {
	d := m.d
	m.normScored(b, m.traces[m.cfg.layers].in)
	weight, u, grad := top(m.work.weight, b.scores), m.stream(m.work.u, b.scores), m.stream(m.work.grad, b.rows)
	d.Upload(weight, g)
	d.ScaleRows(u, u, weight)
	d.RMSNormBackward(u, u, m.stream(m.work.scored, b.scores), top(m.work.inv, b.scores), m.finalNorm, 1, false)
	d.Zero(grad)
	d.ScatterAddRows(grad, u, b.scored)
}

// forget drops what the last Forward kept.
func (m *Model) forget() {
	if m.kept != nil {
		m.drop(m.kept)
		m.kept = nil
	}
}
