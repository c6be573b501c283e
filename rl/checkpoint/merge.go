package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"strings"
	"sync"
)

// MergeType is what a merged file's changed matrices are stored as.
type MergeType uint8

const (
	MergeKeep MergeType = iota // each in its own type
	MergeF16
	MergeQ8_0 // F16 where rows are not whole blocks of 32
)

// MergeEvent says that one more tensor is written.
type MergeEvent struct {
	Name    string
	Type    Type  // as written
	Changed bool  // the adapter has a pair for it; else it was copied byte for byte
	Done    int64 // bytes of tensors written so far
	Total   int64
	// Of a changed tensor, with D the wanted and D' the stored change of the matrix:
	Kept  float64 // (D . D') / (D . D): 1 where the change is there in full, 0 where rounding undid it
	Error float64 // ||D' - D|| / ||D||
}

// mergeRows is how many rows of a matrix are merged at a time.
const mergeRows = 256

// Merge writes base with the adapter added to its matrices as a GGUF file of one part. It goes through
// the tensors row by row and holds a few hundred rows at a time. A block of a quantised matrix keeps
// its scales where they serve the new numbers better than newly chosen ones. The file lies beside
// path until it is whole, then takes its name; breaking off or an error leaves what was there.
func Merge(ctx context.Context, base *File, a *Adapter, path string, as MergeType) iter.Seq2[MergeEvent, error] {
	return func(yield func(MergeEvent, error) bool) {
		m, err := newMerge(base, a, path, as)
		if err != nil {
			yield(MergeEvent{}, fmt.Errorf("checkpoint: merge into %s: %w", path, err))
			return
		}
		half, err := beside(path)
		if err != nil {
			yield(MergeEvent{}, fmt.Errorf("checkpoint: write %s: %w", path, err))
			return
		}
		defer half.drop()
		going := true
		err = m.write(ctx, half, func(e MergeEvent) bool {
			going = yield(e, nil)
			return going
		})
		switch {
		case !going:
		case err != nil:
			yield(MergeEvent{}, fmt.Errorf("checkpoint: merge into %s: %w", path, sentence(err)))
		default:
			if err := half.take(); err != nil {
				yield(MergeEvent{}, err)
			}
		}
	}
}

// merge is the plan of a merged file.
type merge struct {
	base    *File
	adapter *Adapter
	pairs   map[string]*Pair
	tensors []*Tensor // as they will be; of changed ones Data is nil
	head    []byte
	align   int
	total   int64
}

func newMerge(base *File, a *Adapter, path string, as MergeType) (*merge, error) {
	if err := a.fits(base); err != nil {
		return nil, err
	}
	if here, err := os.Stat(path); err == nil {
		if there, err := os.Stat(base.Path()); err == nil && os.SameFile(here, there) {
			return nil, errors.New("this is the base itself, which stays as it is")
		}
	}
	m := &merge{base: base, adapter: a, pairs: map[string]*Pair{}}
	for i := range a.Pairs {
		m.pairs[a.Pairs[i].Name] = &a.Pairs[i]
	}
	for _, t := range base.Tensors() {
		if m.pairs[t.Name] != nil {
			if err := t.Check(); err != nil {
				return nil, err
			}
			c := *t
			c.Type, c.Data, c.file = mergedType(t, as), nil, nil
			t = &c
		}
		m.tensors = append(m.tensors, t)
		m.total += t.bytes()
	}
	var err error
	m.head, m.align, err = encodeHeader(mergedEntries(base, as), m.tensors)
	return m, err
}

// bytes is what the tensor takes, also where its Data is yet to come.
func (t *Tensor) bytes() int64 {
	if t.Data != nil {
		return int64(len(t.Data))
	}
	return t.Type.Bytes(t.Cols) * int64(t.Rows)
}

func mergedType(t *Tensor, as MergeType) Type {
	switch {
	case as == MergeKeep:
		return t.Type
	case as == MergeQ8_0 && t.Cols%Q8_0.Block() == 0:
		return Q8_0
	}
	return F16
}

// mergedEntries are the base's header values, but for what is said of parts.
func mergedEntries(base *File, as MergeType) []Entry {
	var entries []Entry
	for _, key := range base.Keys() {
		value := any(raw(base.header.values[key].raw))
		switch {
		case strings.HasPrefix(key, "split."):
			continue
		case key == "general.file_type" && as == MergeF16:
			value = uint32(1) // mostly F16
		case key == "general.file_type" && as == MergeQ8_0:
			value = uint32(7) // mostly Q8_0
		}
		entries = append(entries, Entry{key, value})
	}
	return entries
}

func (m *merge) write(ctx context.Context, w *halfFile, told func(MergeEvent) bool) error {
	if _, err := w.Write(m.head); err != nil {
		return err
	}
	var done int64
	for _, t := range m.tensors {
		e := MergeEvent{Name: t.Name, Type: t.Type, Total: m.total}
		var err error
		if p := m.pairs[t.Name]; p != nil {
			e.Changed = true
			e.Kept, e.Error, err = m.change(ctx, w, m.base.Tensor(t.Name), t.Type, p)
		} else {
			err = t.copyTo(w)
		}
		if err == nil {
			_, err = w.Write(padding(int(t.bytes()), m.align))
		}
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = m.base.Err()
		}
		if err != nil {
			return err
		}
		done += t.bytes()
		if e.Done = done; !told(e) {
			return nil
		}
	}
	return nil
}

// change writes one matrix with its pair added, as type typ.
func (m *merge) change(ctx context.Context, w *halfFile, t *Tensor, typ Type, p *Pair) (kept, off float64, err error) {
	to := int(typ.Bytes(t.Cols))
	out := make([]byte, min(mergeRows, t.Rows)*to)
	sums := make([][3]float64, min(mergeRows, t.Rows)) // D.D, D.D', (D'-D).(D'-D) of a row
	var all [3]float64
	scratch := sync.Pool{New: func() any {
		s := &mergeScratch{old: make([]float32, t.Cols), delta: make([]float32, t.Cols), sum: make([]float32, t.Cols)}
		if typ == t.Type {
			s.base = make([]byte, to)
		}
		return s
	}}
	for first := 0; first < t.Rows; first += mergeRows {
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		n := min(mergeRows, t.Rows-first)
		inParallel(n, func(i int) {
			s := scratch.Get().(*mergeScratch)
			defer scratch.Put(s)
			t.Dequant(s.old, first+i, 1)
			if s.base != nil {
				t.copyRow(s.base, first+i)
			}
			sums[i] = m.row(out[i*to:(i+1)*to], typ, s, p, first+i)
		})
		if _, err := w.Write(out[:n*to]); err != nil {
			return 0, 0, err
		}
		for _, s := range sums[:n] {
			for i := range all {
				all[i] += s[i]
			}
		}
	}
	switch {
	case m.base.Err() != nil:
		return 0, 0, m.base.Err()
	case all[2]-all[2] != 0:
		return 0, 0, fmt.Errorf("%.100q holds or becomes numbers that %s has no room for", t.Name, typ)
	case all[0] == 0:
		return 1, 0, nil
	}
	return all[1] / all[0], math.Sqrt(all[2] / all[0]), nil
}

// mergeScratch is a row of the base, its change, and their sum; base is the row's blocks where
// they can serve again.
type mergeScratch struct {
	old, delta, sum []float32
	base            []byte
}

// row adds a row of the pair to the base's and quantises the sum.
func (m *merge) row(dst []byte, typ Type, s *mergeScratch, p *Pair, row int) (sums [3]float64) {
	clear(s.delta)
	rank := m.adapter.Rank
	scale := m.adapter.Alpha / float32(rank)
	for r, b := range p.B[row*rank : (row+1)*rank] {
		for i, v := range p.A[r*p.In : (r+1)*p.In] {
			s.delta[i] += b * v
		}
	}
	for i := range s.sum {
		s.delta[i] *= scale
		s.sum[i] = s.old[i] + s.delta[i]
	}
	quantize(typ, dst, s.sum, s.base)
	dequant(typ, s.sum, dst)
	for i, d := range s.delta {
		stored := float64(s.sum[i]) - float64(s.old[i])
		sums[0] += float64(d) * float64(d)
		sums[1] += float64(d) * stored
		sums[2] += (stored - float64(d)) * (stored - float64(d))
	}
	return sums
}
