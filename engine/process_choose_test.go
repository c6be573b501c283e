package engine

import (
	"errors"
	"reflect"
	"testing"
)

func TestProcessChoosesAsTheModel(t *testing.T) {
	p, m := startToy(t, Options{})
	prefix, questions := []int32{1, 2}, [][]int32{{3}, {4, 5}}
	answers := [][][]int32{{{6}, {7}}, {{8}}}
	want, _ := m.Choose(t.Context(), prefix, questions, answers)
	if got, err := p.Choose(t.Context(), prefix, questions, answers); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, not %v: %v", got, want, err)
	}
	if _, err := p.Choose(t.Context(), make([]int32, 1<<20+1), questions, answers); !errors.Is(err, ErrContextFull) {
		t.Error(err)
	}
	if _, err := p.Choose(t.Context(), nil, questions, answers); err == nil || errors.Is(err, ErrContextFull) {
		t.Error(err)
	}
}

func TestPlainTokenizesATextBetweenTemplateStrings(t *testing.T) {
	p, m := startToy(t, Options{})
	for _, plain := range []Plain{{p}, {m}} {
		ids, err := plain.Tokenize(t.Context(), "<", "a\x00b", ">")
		want, _ := m.Tokenize(t.Context(), Piece{"<", true}, Piece{"a b", false}, Piece{">", true})
		if err != nil || !reflect.DeepEqual(ids, want) {
			t.Errorf("%v, not %v: %v", ids, want, err)
		}
		if ids, err := plain.Tokenize(t.Context(), "", "", ""); err != nil || len(ids) != 0 {
			t.Error(ids, err)
		}
		text, err := plain.Complete(t.Context(), want, "", 20)
		if err != nil || text == "" {
			t.Errorf("%q: %v", text, err)
		}
		if again, err := plain.Complete(t.Context(), want, "", 20); err != nil || again != text {
			t.Errorf("%q, then %q: %v", text, again, err)
		}
	}
}
