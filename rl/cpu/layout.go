package cpu

import (
	"slices"

	"longhand/rl/model"
)

// layout is a batch with the queries of its segments cut into jobs.
type layout struct {
	pos    []int32
	jobs   []job
	covers bool // every row is in a segment
	turns  []turn
}

func (l *layout) Rows() int { return len(l.pos) }

// turn is a layout's table for the embedding of some frequencies.
type turn struct {
	freq  []float64
	table ropeTable
}

// job is queries of a segment that one worker takes: rows from up to but without to. They see the prefix and the
// segment's rows up to themselves.
type job struct {
	prefix, prefixRows int
	start              int // of the segment
	from, to           int
}

// keys is how many rows the last query of the job sees.
func (j *job) keys() int { return j.prefixRows + j.to - j.start }

// jobRows is the most queries of a job. The keys are copied for each job, which is little
// beside what as many queries compute with them, and jobs keep workers busy.
const jobRows = 256

// Layout cuts the segments into jobs.
func (d *Device) Layout(pos []int32, segments []model.Segment) model.Layout {
	l := &layout{pos: slices.Clone(pos)}
	rows := 0
	for _, s := range segments {
		must(s.Start >= 0 && s.Rows >= 0 && s.Start <= len(pos)-s.Rows &&
			s.Prefix >= 0 && s.PrefixRows >= 0 && s.Prefix <= len(pos)-s.PrefixRows, "Layout")
		rows += s.Rows
		for from := s.Start; from < s.Start+s.Rows; from += jobRows {
			l.jobs = append(l.jobs, job{s.Prefix, s.PrefixRows, s.Start, from, min(s.Start+s.Rows, from+jobRows)})
		}
	}
	l.covers = rows == len(pos) // segments do not overlap
	return l
}

// FreeLayout leaves it to the garbage collector.
func (d *Device) FreeLayout(model.Layout) {}
