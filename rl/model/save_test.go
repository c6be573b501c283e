package model_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"longhand/rl/model"
	"longhand/rl/model/devicetest"
)

// single is the oracle with parameters and moments held in float32, as real devices do.
type single struct{ *devicetest.Oracle }

func (d single) AdamW(p, g, m, v model.Buffer, o model.AdamW) {
	d.Oracle.AdamW(p, g, m, v, o)
	for _, b := range []model.Buffer{p, m, v} {
		cells := make([]float64, b.Rows()*b.Cols())
		if err := d.Download(cells, b); err != nil {
			return
		}
		for i, x := range cells {
			cells[i] = float64(float32(x))
		}
		d.Upload(b, cells)
	}
}

// train takes steps on the same groups.
func train(t *testing.T, m *model.Model, groups []model.Group, steps int) {
	t.Helper()
	for range steps {
		accumulate(t, m, groups, [][]model.Part{whole(groups)})
		if _, err := m.Update(model.Step{Rate: 0.01, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, MaxNorm: 1}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSaveAndLoad: a run that is saved, ended and loaded has the bits of one that
// went on.
func TestSaveAndLoad(t *testing.T) {
	for name, s := range shapes() {
		path := s.write(t, 1)
		for on, device := range devices(t) {
			t.Run(name+"/"+on, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "run", "checkpoint")
				o := model.Options{Rank: 2, Alpha: 0.3, Seed: 9, MaxRows: 60}
				m := open(t, path, device(), o)
				groups := draw(s.vocabulary, 2, 3, 5)
				train(t, m, groups, 2)
				if err := m.Save(dir); err != nil {
					t.Fatal(err)
				}
				train(t, m, groups, 2)
				o.Seed = 10
				other := open(t, path, device(), o)
				train(t, other, groups, 1)
				accumulate(t, other, groups, [][]model.Part{whole(groups)}) // gradients that must not stay
				if err := other.Load(dir); err != nil {
					t.Fatal(err)
				}
				train(t, other, groups, 2)
				params := other.Params()
				for i, p := range m.Params() {
					if !slices.Equal(p.Value(), params[i].Value()) {
						t.Errorf("%s has other bits", p.Name)
					}
				}
				rows, identity, err := model.SavedPlan(dir)
				if err != nil || rows != 60 || identity != m.Plan().Identity {
					t.Errorf("saved plan: %d, %q, %v", rows, identity, err)
				}
				if files, _ := os.ReadDir(dir); len(files) != 2 {
					t.Errorf("%v lie in the folder", files)
				}
			})
		}
	}
}

// TestLoadRefuses wants a sentence, and the model as it was, where a folder does not fit.
func TestLoadRefuses(t *testing.T) {
	s := shapes()["llama"]
	path, dir := s.write(t, 1), t.TempDir()
	o := model.Options{Rank: 2, MaxRows: 60}
	m := open(t, path, single{devicetest.NewOracle()}, o)
	groups := draw(s.vocabulary, 2, 3, 5)
	train(t, m, groups, 1)
	early, late := filepath.Join(dir, "early"), filepath.Join(dir, "late")
	if err := m.Save(early); err != nil {
		t.Fatal(err)
	}
	train(t, m, groups, 1)
	if err := m.Save(late); err != nil {
		t.Fatal(err)
	}
	mixed := func(adapter, optimizer string) string {
		to := t.TempDir()
		for from, name := range map[string]string{adapter: "adapter.gguf", optimizer: "optimizer.safetensors"} {
			if from == "" {
				continue
			}
			data, err := os.ReadFile(filepath.Join(from, name))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(to, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return to
	}
	before := m.Params()[1].Value()
	wider := open(t, path, devicetest.NewOracle(), model.Options{Rank: 3, MaxRows: 60})
	other := shapes()["qwen2"]
	for _, c := range []struct {
		m         *model.Model
		dir, want string
	}{
		{m, mixed(early, late), "of different steps"},
		{m, mixed(early, ""), "optimizer.safetensors"},
		{m, mixed("", late), "adapter.gguf"},
		{wider, late, "has rank 2 and alpha 4, the run 3 and 6"},
		{open(t, other.write(t, 1), devicetest.NewOracle(), o), late, "is for llama, the model is qwen2"},
	} {
		if err := c.m.Load(c.dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("wanted %q, got %v", c.want, err)
		}
	}
	if !slices.Equal(m.Params()[1].Value(), before) {
		t.Error("the adapter changed")
	}
	if err := m.Load(late); err != nil {
		t.Error(err)
	}
}
