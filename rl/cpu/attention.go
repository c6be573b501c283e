package cpu

import (
	"math"

	"longhand/rl/model"
)

// attention is the buffers of one call.
type attention struct {
	heads, kvHeads int
	size           int // of a head
	scale          float32
}

// shape checks q against k and v.
func shape(q, k, v matrix, l *layout, heads, kvHeads int) attention {
	must(heads > 0 && kvHeads > 0 && kvHeads <= heads && q.cols%heads == 0 && k.cols == q.cols/heads*kvHeads && v.cols == k.cols &&
		q.rows == len(l.pos) && k.rows == q.rows && v.rows == q.rows, "Attention")
	size := q.cols / heads
	return attention{heads, kvHeads, size, float32(1 / math.Sqrt(float64(size)))}
}

// readers are the heads that read a kv head: from up to but without to.
func (a *attention) readers(kv int) (from, to int) {
	return (kv*a.heads + a.kvHeads - 1) / a.kvHeads, ((kv+1)*a.heads + a.kvHeads - 1) / a.kvHeads
}

// queryTile is the rows of queries whose scores are held at once.
const queryTile = 32

// columns is the width of a worker's matrices over keys: whole vectors, so that no
// product has a ragged edge. Columns without a key hold zeros. An odd number of vectors, so that
// the rows of a tile do not all fall on the same lines of the first cache.
func columns(keys int) int { return up(keys, 32) + 16 }

// gather copies a head's columns of the rows that a job sees, in their order; rows behind them are zero.
func (j *job) gather(dst, src matrix, head int) {
	size := dst.cols
	for i := range j.prefixRows {
		copy(dst.row(i), src.row(j.prefix + i)[head*size:])
	}
	own := j.to - j.start
	for i := range own {
		copy(dst.row(j.prefixRows+i), src.row(j.start + i)[head*size:])
	}
	clear(dst.data[(j.prefixRows+own)*size:])
}

// carve takes matrices from a worker's space.
type carve struct{ space []float32 }

func (c *carve) matrix(rows, cols int) matrix {
	m := newMatrix(c.space, rows, cols)
	c.space = c.space[rows*cols:]
	return m
}

// small is c = s op(a) b for the tiles of attention: the kernels' own, else the BLAS.
func (d *Device) small(c, a, b matrix, transA bool, s float32, add bool) {
	if !d.kern.gemm(c, a, b, transA, s, add) {
		d.blas.sgemm(c, a, b, transA, false, s, add)
	}
}

// Attention goes through the jobs and kv heads. A worker copies the keys, turned, and the
// values of a head, and then takes a tile of queries of each head that reads them: scores
// over all that the tile sees, softmax, and the product with the values.
func (d *Device) Attention(dst, lse, q, k, v model.Buffer, l model.Layout, heads, kvHeads int) {
	to, logs, qs, ks, vs, lay := cells(dst), cells(lse), cells(q), cells(k), cells(v), l.(*layout)
	a := shape(qs, ks, vs, lay, heads, kvHeads)
	must(to.rows == qs.rows && to.cols == qs.cols && logs.rows == qs.rows && logs.cols == heads, "Attention")
	if d.err != nil || to.empty() {
		return
	}
	if !lay.covers {
		d.Zero(dst)
		d.Zero(lse)
	}
	d.each(len(lay.jobs)*kvHeads, func(worker, i int) {
		j, kv := &lay.jobs[i/kvHeads], i%kvHeads
		width := columns(j.keys())
		room := carve{d.workspace(worker, (2*a.size+queryTile)*width+queryTile)}
		values, turned := room.matrix(width, a.size), room.matrix(a.size, width)
		j.gather(values, ks, kv)
		d.kern.transpose(turned, values, 1, false)
		j.gather(values, vs, kv)
		scores, inv := room.matrix(queryTile, width), room.matrix(queryTile, 1)
		first, last := a.readers(kv)
		for from := j.from; from < j.to; from += queryTile {
			rows := min(queryTile, j.to-from)
			seen := j.prefixRows + from - j.start + 1
			cols := up(seen+rows-1, 16)
			s := scores.part(0, rows, 0, cols)
			for h := first; h < last; h++ {
				d.small(s, qs.part(from, rows, h*a.size, a.size), turned.part(0, a.size, 0, cols), false, a.scale, false)
				d.kern.softmax(s, inv.data, logs.part(from, rows, h, 1), seen)
				out := to.part(from, rows, h*a.size, a.size)
				d.small(out, s, values.between(0, cols), false, 1, false)
				d.kern.scaleRows(out, out, inv.between(0, rows))
			}
		}
	})
}

// contributions is the most bytes that jobs may write of the gradients of keys and values
// before they are added up.
const contributions = 64 << 20

// AttentionBackward computes the scores again and from them the gradients. Several jobs
// see the same keys; each writes what it gives to their gradients into a place of its own, and
// these are added in the order of the jobs, for as many jobs at a time as there is room for.
func (d *Device) AttentionBackward(dq, dk, dv, dout, out, q, k, v, lse model.Buffer, l model.Layout, heads, kvHeads int) {
	g := gradients{dq: cells(dq), dk: cells(dk), dv: cells(dv), dout: cells(dout), out: cells(out), q: cells(q), k: cells(k), v: cells(v), lse: cells(lse)}
	lay := l.(*layout)
	g.attention = shape(g.q, g.k, g.v, lay, heads, kvHeads)
	for _, m := range []matrix{g.dq, g.dout, g.out} {
		must(m.rows == g.q.rows && m.cols == g.q.cols, "AttentionBackward")
	}
	for _, m := range []matrix{g.dk, g.dv} {
		must(m.rows == g.k.rows && m.cols == g.k.cols, "AttentionBackward")
	}
	must(g.lse.rows == g.q.rows && g.lse.cols == heads, "AttentionBackward")
	if d.err != nil || g.q.empty() {
		return
	}
	d.Zero(dk)
	d.Zero(dv)
	if !lay.covers {
		d.Zero(dq)
	}
	for jobs := lay.jobs; len(jobs) > 0; {
		n, offsets := g.fit(jobs, d.room)
		if room := offsets[n]; len(d.given) < room {
			d.given = make([]float32, room)
		}
		d.each(n*kvHeads, func(worker, i int) {
			part := 2 * columns(jobs[i/kvHeads].keys()) * g.size
			at := offsets[i/kvHeads] + i%kvHeads*part
			g.job(d, worker, &jobs[i/kvHeads], i%kvHeads, d.given[at:at+part])
		})
		g.collect(d, jobs[:n], offsets)
		jobs = jobs[n:]
	}
}

// gradients are the buffers of one call.
type gradients struct {
	attention
	dq, dk, dv, dout, out, q, k, v, lse matrix
}

// fit counts the jobs whose contributions there is room for, at least one, and where each job's begin.
func (g *gradients) fit(jobs []job, bytes int) (n int, offsets []int) {
	offsets = []int{0}
	for i := range jobs {
		end := offsets[i] + 2*g.kvHeads*columns(jobs[i].keys())*g.size
		if i > 0 && 4*end > bytes {
			break
		}
		offsets = append(offsets, end)
	}
	return len(offsets) - 1, offsets
}

// job writes dq of a job's queries for the heads of a kv head, and into given what
// they give to the gradients of the keys they see, and behind them of the values.
func (g *gradients) job(d *Device, worker int, j *job, kv int, given []float32) {
	width := columns(j.keys())
	room := carve{d.workspace(worker, (3*g.size+2*queryTile)*width)}
	keys, turnedKeys, turnedValues := room.matrix(width, g.size), room.matrix(g.size, width), room.matrix(g.size, width)
	j.gather(keys, g.v, kv)
	d.kern.transpose(turnedValues, keys, 1, false)
	j.gather(keys, g.k, kv)
	d.kern.transpose(turnedKeys, keys, 1, false)
	dk, dv := newMatrix(given, width, g.size), newMatrix(given[width*g.size:], width, g.size)
	clear(given)
	scores, slopes := room.matrix(queryTile, width), room.matrix(queryTile, width)
	first, last := g.readers(kv)
	for from := j.from; from < j.to; from += queryTile {
		rows := min(queryTile, j.to-from)
		seen := j.prefixRows + from - j.start + 1
		cols := up(seen+rows-1, 16)
		p, ds := scores.part(0, rows, 0, cols), slopes.part(0, rows, 0, cols)
		for h := first; h < last; h++ {
			q, dout := g.q.part(from, rows, h*g.size, g.size), g.dout.part(from, rows, h*g.size, g.size)
			d.small(p, q, turnedKeys.part(0, g.size, 0, cols), false, g.scale, false)
			d.small(ds, dout, turnedValues.part(0, g.size, 0, cols), false, 1, false)
			d.kern.softmaxBack(p, ds, g.lse.part(from, rows, h, 1), dout, g.out.part(from, rows, h*g.size, g.size), seen)
			d.small(dv.between(0, cols), p, dout, true, 1, true)
			d.small(dk.between(0, cols), ds, q, true, g.scale, true)
			d.small(g.dq.part(from, rows, h*g.size, g.size), ds, keys.between(0, cols), false, g.scale, false)
		}
	}
}

// collect adds what jobs gave to dk and dv, rows divided among the workers.
func (g *gradients) collect(d *Device, jobs []job, offsets []int) {
	const run = 64
	d.each((g.k.rows+run-1)/run, func(_, i int) {
		from, to := i*run, min(g.k.rows, (i+1)*run)
		for n := range jobs {
			j := &jobs[n]
			g.take(d, j, d.given[offsets[n]:], j.prefix, 0, j.prefixRows, from, to)
			g.take(d, j, d.given[offsets[n]:], j.start, j.prefixRows, j.to-j.start, from, to)
		}
	})
}

// take adds a job's gradients of count rows from row on, which begin at its key first: those
// between from and to.
func (g *gradients) take(d *Device, j *job, given []float32, row, first, count, from, to int) {
	from, to = max(from, row), min(to, row+count)
	if from >= to {
		return
	}
	width := columns(j.keys())
	for kv := range g.kvHeads {
		dk := newMatrix(given[2*kv*width*g.size:], width, g.size)
		dv := newMatrix(given[(2*kv+1)*width*g.size:], width, g.size)
		at := first + from - row
		d.kern.add(g.dk.part(from, to-from, kv*g.size, g.size), dk.between(at, at+to-from))
		d.kern.add(g.dv.part(from, to-from, kv*g.size, g.size), dv.between(at, at+to-from))
	}
}
