package engine

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unsafe"

	"github.com/hybridgroup/yzma/pkg/llama"
)

// A grammar is llama.cpp's. It ends the process when it is made to accept a
// token that it forbids, so every token is asked for first.

// openGrammar reads a grammar and takes it to where a completion has left it.
func (s *sampler) openGrammar(m *Model, grammar string, completion []int32) error {
	if strings.IndexByte(grammar, 0) >= 0 {
		return errors.New("the grammar holds a zero byte")
	}
	mark := nativeLog.mark()
	s.grammar = llama.SamplerInitGrammar(m.vocab, grammar, "root")
	if s.grammar == 0 {
		return errors.New(strings.TrimSuffix("the grammar is not valid: "+nativeLog.since(mark), ": "+noReason))
	}
	for i, id := range completion {
		if m.control[id] || !s.permits(id) {
			s.release()
			return fmt.Errorf("token %d of the completion does not follow the grammar", i)
		}
		llama.SamplerAccept(s.grammar, llama.Token(id))
	}
	return nil
}

// obey accepts id if the grammar permits it, else draws again among what the
// grammar permits. The two draws together follow the permitted distribution:
// p + (1 - P) p / P = p / P, where P is the probability of all that is permitted.
func (s *sampler) obey(id int32, logits []float32, i int) (int32, error) {
	if !s.permits(id) {
		var err error
		if id, err = s.redraw(logits, random(s.s.Seed, i, 1)); err != nil {
			return 0, err
		}
	}
	llama.SamplerAccept(s.grammar, llama.Token(id))
	return id, nil
}

// redraw draws among what the grammar permits. To ask for the whole vocabulary
// is slow, so with a top-k the likeliest are asked for first: if k of them are
// permitted, they are the k best.
func (s *sampler) redraw(logits []float32, u float64) (id int32, err error) {
	need := s.s.TopK
	if s.s.Temperature == 0 {
		need = 1
	}
	if need > 0 {
		if s.best, err = topK(s.best[:0], logits, max(256, 4*need)); err != nil {
			return 0, err
		}
		if s.best = s.permitted(s.best); len(s.best) >= need {
			s.best = s.best[:need]
			if s.s.Temperature == 0 {
				return s.best[0].id, nil
			}
			return s.draw(u)
		}
	}
	s.best = s.best[:0]
	for id, l := range logits {
		if l > float32(math.Inf(-1)) {
			s.best = append(s.best, candidate{int32(id), l})
			logits[id] = float32(math.Inf(-1))
		}
	}
	for _, c := range s.permitted(s.best) {
		logits[c.id] = c.logit
	}
	return s.choose(logits, u)
}

// permits asks the grammar about one token.
func (s *sampler) permits(id int32) bool {
	s.rows = append(s.rows[:0], llama.TokenData{Id: llama.Token(id)})
	s.ask()
	return s.rows[0].Logit == 0
}

// permitted keeps the candidates that the grammar permits.
func (s *sampler) permitted(list []candidate) []candidate {
	s.rows = s.rows[:0]
	for _, c := range list {
		s.rows = append(s.rows, llama.TokenData{Id: llama.Token(c.id)})
	}
	s.ask()
	kept := list[:0]
	for i, c := range list {
		if s.rows[i].Logit == 0 {
			kept = append(kept, c)
		}
	}
	return kept
}

// ask lets the grammar set the logits of forbidden rows to minus infinity.
func (s *sampler) ask() {
	if len(s.rows) == 0 {
		return
	}
	array := &llama.TokenDataArray{Data: unsafe.SliceData(s.rows), Size: uint64(len(s.rows)), Selected: -1}
	llama.SamplerApply(s.grammar, array)
}
