package rewards

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseRewards(t *testing.T) {
	judge := With{Judge: &reader{room: 4000}, Embedder: &letters{}}
	known := judge
	h, err := TrainHead(t.Context(), &letters{}, "letters", taste(60, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	known.Head = h
	for _, c := range []struct {
		spec    string
		with    With
		names   string
		weights []float64
		musts   []float64
		says    string
	}{
		{"length=1,format=1", With{}, "length format", []float64{1, 1}, []float64{0, 0}, ""},
		{" length , format! ", With{}, "length format", []float64{1, 1}, []float64{0, 0.5}, ""},
		{"length=0.5!0.8,format=2!", With{}, "length format", []float64{0.5, 2}, []float64{0.8, 0.5}, ""},
		{"writing=3", judge, "writing", []float64{3}, []float64{0}, ""},
		{"writing,checklist,pairwise,personal", known, "writing checklist pairwise personal", []float64{1, 1, 1, 1}, []float64{0, 0, 0, 0}, ""},
		{"writing", With{}, "", nil, nil, "writing: a judge is needed"},
		{"pairwise", With{}, "", nil, nil, "pairwise: a judge is needed"},
		{"personal", With{}, "", nil, nil, "personal: a model is needed"},
		{"personal", judge, "", nil, nil, "personal: not enough data"},
		{"", With{}, "", nil, nil, "there is no such reward"},
		{"beauty=1", With{}, "", nil, nil, "beauty: there is no such reward"},
		{"length=0", With{}, "", nil, nil, "not a number above 0"},
		{"length=-1", With{}, "", nil, nil, "not a number above 0"},
		{"length=NaN", With{}, "", nil, nil, "not a number above 0"},
		{"length=Inf", With{}, "", nil, nil, "not a number above 0"},
		{"length=1!2", With{}, "", nil, nil, "up to 1"},
		{"length,length", With{}, "", nil, nil, "length is there twice"},
	} {
		set, err := Parse(c.spec, c.with)
		if c.says != "" {
			if err == nil || !strings.HasPrefix(err.Error(), "rewards: ") || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q: %v, wanted %q", c.spec, err, c.says)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.spec, err)
			continue
		}
		musts := []float64{}
		for _, e := range set {
			musts = append(musts, e.Must)
		}
		if strings.Join(set.Names(), " ") != c.names || !reflect.DeepEqual(set.Weights(), c.weights) || !reflect.DeepEqual(musts, c.musts) {
			t.Errorf("%q: %v %v %v", c.spec, set.Names(), set.Weights(), musts)
		}
	}
	set, err := Parse("writing", known)
	if err != nil {
		t.Fatal(err)
	}
	s, err := set.Score(t.Context(), Prompt{Text: "p"}, Completion{taste(1, 0, 7)[0].Kept, true})
	if err != nil || !(s.Total > 0 && s.Total < 1) || !(s.Rewards[0].Part("writing.checklist") >= 0) || !(s.Rewards[0].Part("writing.personal") >= 0) {
		t.Errorf("a mix: %+v: %v", s, err)
	}
}
