package model

import (
	"fmt"
	"math"
)

// Step is one step of AdamW. MaxNorm is what the norm of all gradients together is cut
// to; 0 cuts nothing.
type Step struct{ Rate, Beta1, Beta2, Eps, Decay, MaxNorm float64 }

// Update moves the adapter by the gradients that Backward added up, and sets them to
// zero. The norm is of all gradients together, before the cut. Where it is not finite nothing
// moves and an error says so.
func (m *Model) Update(s Step) (norm float64, err error) {
	m.forget()
	d := m.d
	d.Mark("adamw")
	d.Zero(m.work.squares)
	for _, p := range m.pairs {
		d.SumSquares(m.work.squares, p.a.grad)
		d.SumSquares(m.work.squares, p.b.grad)
	}
	sum := make([]float64, 1)
	if err := d.Download(sum, m.work.squares); err != nil {
		return 0, fmt.Errorf("model: update: %w", err)
	}
	defer m.clear()
	norm = math.Sqrt(sum[0])
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return norm, fmt.Errorf("model: the gradient's norm is %g", norm)
	}
	scale := 1.0
	if s.MaxNorm > 0 {
		scale = min(1, s.MaxNorm/(norm+1e-6)) // as torch.nn.utils.clip_grad_norm_
	}
	m.step++
	o := AdamW{
		Rate: s.Rate, Beta1: s.Beta1, Beta2: s.Beta2, Eps: s.Eps, Decay: s.Decay, Scale: scale,
		Correction1: 1 - math.Pow(s.Beta1, float64(m.step)), Correction2: 1 - math.Pow(s.Beta2, float64(m.step)),
	}
	for _, p := range m.pairs {
		d.AdamW(p.a.value, p.a.grad, p.a.m, p.a.v, o)
		d.AdamW(p.b.value, p.b.grad, p.b.m, p.b.v, o)
	}
	m.refresh()
	if err := d.Sync(); err != nil {
		return norm, fmt.Errorf("model: update: %w", err)
	}
	return norm, nil
}

// clear sets the gradients to zero.
func (m *Model) clear() {
	for _, p := range m.pairs {
		m.d.Zero(p.a.grad)
		m.d.Zero(p.b.grad)
	}
}

// ResetMoments begins the optimizer anew, as after a supervised warm-up.
func (m *Model) ResetMoments() {
	m.step = 0
	for _, p := range m.pairs {
		for _, b := range []Buffer{p.a.m, p.a.v, p.b.m, p.b.v} {
			m.d.Zero(b)
		}
	}
}
