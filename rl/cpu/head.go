package cpu

import (
	"math"

	"longhand/rl/model"
)

// The head is computed for tiles of at most headTile rows, and of the vocabulary for headChunk
// tokens at a time: the logits of a chunk fit the second cache, and are used up there.
const (
	headTile  = 512
	headChunk = 1024
)

// Head goes through the vocabulary once. Of each row it keeps the largest logit so far, the
// sums of exp(z - top) and exp(z - top) (z - top), and in u the sum of exp(z - top) W. When
// the largest moves they are rescaled; so no row's logits are ever there as a whole.
func (d *Device) Head(logp, entropy, u, x model.Buffer, w model.Weight, target model.Ints) {
	h := head{d: d, x: cells(x), w: w.(*weight), logp: cells(logp), entropy: cells(entropy)}
	must(h.x.cols == h.w.cols && target.Len() == h.x.rows && h.logp.rows == h.x.rows && h.logp.cols == 1 &&
		h.entropy.rows == h.x.rows && h.entropy.cols == 1, "Head")
	if u != nil {
		h.u = cells(u)
		must(h.u.rows == h.x.rows && h.u.cols == h.x.cols, "Head")
		h.gradient = true
	}
	if d.err != nil || h.x.rows == 0 {
		return
	}
	list, ok := d.within(target, h.w.rows, "token")
	if !ok {
		return
	}
	n := h.x.rows
	h.target, h.logit = list, make([]float32, n)
	h.sums = running{make([]float32, n), make([]float64, n), make([]float64, n), make([]float32, n)}
	tiles := up((n+headTile-1)/headTile, d.threads)
	rows := max(64, up((n+tiles-1)/tiles, 16))
	d.panels(h.w, func(panel matrix, row int) {
		d.each((n+rows-1)/rows, func(worker, i int) {
			h.tile(worker, i*rows, min(n, (i+1)*rows), panel, row)
		})
	})
	d.each(n, h.finish)
}

// head is one call.
type head struct {
	d             *Device
	x, u          matrix
	logp, entropy matrix
	gradient      bool // u is wanted
	w             *weight
	target        []int32
	logit         []float32 // of the target
	sums          running
}

// tile takes the rows from up to to through a panel of the vocabulary that begins at token row.
func (h *head) tile(worker, from, to int, panel matrix, row int) {
	sums := h.sums.between(from, to)
	for first := 0; first < panel.rows; first += headChunk {
		chunk := panel.between(first, min(panel.rows, first+headChunk))
		z := newMatrix(h.d.workspace(worker, (to-from)*chunk.rows), to-from, chunk.rows)
		h.d.blas.sgemm(z, h.x.between(from, to), chunk, false, true, 1, false)
		for t := range z.rows {
			if token := int(h.target[from+t]) - row - first; token >= 0 && token < z.cols {
				h.logit[from+t] = z.row(t)[token]
			}
		}
		h.d.kern.head(z, sums)
		if !h.gradient {
			continue
		}
		begun := row+first > 0
		for t, f := range sums.rescale {
			if begun && f != 1 {
				one := h.u.between(from+t, from+t+1)
				h.d.kern.scaleRows(one, one, newMatrix(sums.rescale[t:], 1, 1))
			}
		}
		h.d.blas.sgemm(h.u.between(from, to), z, chunk, false, false, 1, begun)
	}
}

// finish turns a row's sums into its results: log p = z - log sum exp z, the entropy
// log sum - weighted / sum, and u = W[target] - sum(exp(z - top) W) / sum.
func (h *head) finish(worker, t int) {
	sum := h.sums.sum[t]
	h.logp.row(t)[0] = float32(float64(h.logit[t]) - float64(h.sums.top[t]) - math.Log(sum))
	h.entropy.row(t)[0] = float32(math.Log(sum) - h.sums.weighted[t]/sum)
	if h.gradient {
		one := h.u.between(t, t+1)
		h.d.kern.scaleRows(one, one, newMatrix([]float32{float32(-1 / sum)}, 1, 1))
		h.d.row(one, h.w, int(h.target[t]), h.d.workspace(worker, h.w.cols), true)
	}
}
