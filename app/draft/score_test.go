package draft

import (
	"context"
	"strings"
	"testing"
	"time"

	"longhand/rewards"
)

// TestSectionsAndDraftAreScored: by length and format, with no writing, since no
// judge is asked; what is told again has the same scores.
func TestSectionsAndDraftAreScored(t *testing.T) {
	p, records, events := write(t, newToy(), plannedDraft(5, 200))
	sections := 0
	for _, ev := range append(events, p.Tell()...) {
		done, ok := ev.(SectionDone)
		if !ok {
			continue
		}
		sections++
		s := done.Scores
		if s == nil || s.Total == nil || s.Length == nil || s.Format == nil || s.Writing != nil {
			t.Fatalf("section %d: %+v", done.Index, s)
		}
		share := float64(done.Words) / float64(done.Target)
		if within := share >= 0.9 && share <= 1.1; within != (*s.Length == 1) || *s.Total > 1 || *s.Format < 0 || *s.Total != (*s.Length+*s.Format)/2 {
			t.Errorf("section %d, %d words of %d: %g %g %g", done.Index, done.Words, done.Target, *s.Total, *s.Length, *s.Format)
		}
	}
	if sections != 10 {
		t.Errorf("%d sections were told", sections)
	}
	f := events[len(events)-1].(Finished)
	if f.Scores == nil || f.Scores.Length == nil || *f.Scores.Length != 1 || f.Scores.Format == nil {
		t.Fatalf("the whole: %+v", f.Scores)
	}
	again, err := Replay(records)
	if err != nil || *again.Finished.Scores.Total != *f.Scores.Total || again.Sections[2].Scores == nil {
		t.Errorf("replayed: %+v: %v", again.Finished.Scores, err)
	}
}

// TestScoresSeeWhatIsWrong with a section and with the whole.
func TestScoresSeeWhatIsWrong(t *testing.T) {
	p, _, _ := write(t, newToy(), plannedDraft(3, 200))
	r := &run{Writer: &Writer{}, ctx: t.Context(), p: p}
	score := func(rec Record) *Scores {
		rec, err := r.scored(rec)
		if err != nil {
			t.Fatal(err)
		}
		if done, ok := rec.(SectionDone); ok {
			return done.Scores
		}
		return rec.(Finished).Scores
	}
	good, whole := score(SectionDone{Index: 1, Target: 200}), score(Finished{})
	text := p.Sections[1].Text
	p.Sections[1].Text = text[:len(text)/2]
	if s := score(SectionDone{Index: 1, Target: 200}); *s.Length > 0.7 {
		t.Errorf("half a section: %g", *s.Length)
	}
	p.Sections[1].Text = strings.Repeat("The same is said again and again here. ", 26)
	if s := score(SectionDone{Index: 1, Target: 200}); *s.Format > *good.Format-0.2 {
		t.Errorf("a loop: %g, the section as it was %g", *s.Format, *good.Format)
	}
	p.Sections[1].Text = ""
	if s := score(Finished{}); *s.Format > *whole.Format*0.7 {
		t.Errorf("a section is missing: %g of %g", *s.Format, *whole.Format)
	}
	p.Target = 0
	if s := score(Finished{}); s.Length != nil || s.Total == nil {
		t.Errorf("no target: %+v", s)
	}
}

// slowJudge stands for a reward that asks a model.
type slowJudge struct{ asked int }

func (j *slowJudge) Score(context.Context, rewards.Prompt, rewards.Completion) (rewards.Score, error) {
	j.asked++
	return rewards.Score{Value: 0.25}, nil
}

func TestAJudgeIsAskedWhereThereIsOne(t *testing.T) {
	j := &slowJudge{}
	p, _, _ := write(t, newToy(), plannedDraft(2, 100))
	r := &run{Writer: &Writer{Rewards: append(plainRewards[:2:2], rewards.Entry{Name: "writing", Reward: j, Weight: 1})}, ctx: t.Context(), p: p}
	rec, err := r.scored(Finished{})
	if s := rec.(Finished).Scores; err != nil || j.asked != 1 || *s.Writing != 0.25 {
		t.Errorf("%+v: %v", s, err)
	}
}

// TestScoringIsQuick for a whole book.
func TestScoringIsQuick(t *testing.T) {
	p, _, _ := write(t, newToy(), plannedDraft(10, 250))
	p.Outline.Sections = append(p.Outline.Sections, p.Outline.Sections...)
	for range 39 {
		p.Sections = append(p.Sections, p.Sections[:10]...)
	}
	for len(p.Outline.Sections) < len(p.Sections) {
		p.Outline.Sections = append(p.Outline.Sections, p.Outline.Sections[0])
	}
	r := &run{Writer: &Writer{}, ctx: t.Context(), p: p}
	began := time.Now()
	if _, err := r.scored(Finished{}); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	t.Logf("%d words in %v", p.Words(), took)
	if took > 5*time.Second { // 50 ms on a machine with nothing else to do; see the benchmark of rewards
		t.Errorf("%d words took %v", p.Words(), took)
	}
}
