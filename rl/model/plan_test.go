package model_test

import (
	"math/rand/v2"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"longhand/rl/checkpoint"
	"longhand/rl/model"
	"longhand/rl/model/devicetest"
)

// TestPlanIsWhatIsTaken compares the plan with what the device then has less, and sees that training
// takes nothing more.
func TestPlanIsWhatIsTaken(t *testing.T) {
	for name, s := range shapes() {
		for _, r := range []model.Recompute{model.Never, model.Always} {
			d := devicetest.NewOracle()
			before, _ := d.Memory()
			m := open(t, s.write(t, 1), d, model.Options{Rank: 3, MaxRows: 70, Block: 16, Recompute: r})
			free, _ := d.Memory()
			if plan := m.Plan(); plan.Bytes != before-free {
				t.Errorf("%s, recompute %v: the plan says %d bytes, %d are gone", name, r, plan.Bytes, before-free)
			}
			groups := draw(s.vocabulary, 2, 3, 1)
			accumulate(t, m, groups, [][]model.Part{whole(groups)})
			if _, err := m.Update(model.Step{Rate: 1e-3, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8}); err != nil {
				t.Fatal(err)
			}
			if after, _ := d.Memory(); after != free {
				t.Errorf("%s: training took %d bytes more", name, free-after)
			}
			m.Close()
			if after, _ := d.Memory(); after != before {
				t.Errorf("%s: %d bytes are not given back", name, before-after)
			}
		}
	}
}

// TestPlanThatCannotFit follows the advice of the error.
func TestPlanThatCannotFit(t *testing.T) {
	s := shapes()["llama"]
	path := s.write(t, 1)
	full := open(t, path, devicetest.NewOracle(), model.Options{MaxRows: 4000, Recompute: model.Never}).Plan()
	limit := full.Bytes / 2
	_, err := tryOpen(t, path, devicetest.NewOracle(), model.Options{MaxRows: 4000, Memory: limit, Recompute: model.Never})
	most := regexp.MustCompile(`^model: micro-batches of 4000 rows need .* MB \(base .*, adapter .*, kept .*, work .*\) and .* MB may be used: at most (\d+) rows`)
	if err == nil {
		t.Fatal("half of the memory was enough")
	}
	found := most.FindStringSubmatch(err.Error())
	if found == nil {
		t.Fatalf("no advice: %v", err)
	}
	rows, _ := strconv.Atoi(found[1])
	m := open(t, path, devicetest.NewOracle(), model.Options{MaxRows: rows, Memory: limit, Recompute: model.Never})
	if m.Plan().Bytes > limit {
		t.Errorf("the plan takes %d of %d bytes", m.Plan().Bytes, limit)
	}
	if _, err = tryOpen(t, path, devicetest.NewOracle(), model.Options{MaxRows: rows + 1, Memory: limit, Recompute: model.Never}); err == nil {
		t.Errorf("%d rows fit as well", rows+1)
	}
	always := open(t, path, devicetest.NewOracle(), model.Options{MaxRows: 4000, Recompute: model.Always}).Plan()
	_, err = tryOpen(t, path, devicetest.NewOracle(), model.Options{MaxRows: 4000, Memory: always.Bytes, Recompute: model.Never})
	if err == nil || !strings.Contains(err.Error(), "computed again") {
		t.Errorf("recomputation is not advised: %v", err)
	}
	_, err = tryOpen(t, path, devicetest.NewOracle(), model.Options{Memory: 1000})
	if err == nil || !strings.Contains(err.Error(), "a smaller base") {
		t.Errorf("1,000 bytes: %v", err)
	}
}

// TestAutoPlan takes the fewest recomputed layers, and fewer rows where none are given.
func TestAutoPlan(t *testing.T) {
	s := shapes()["qwen3"]
	path := s.write(t, 1)
	plan := func(o model.Options) model.Plan {
		m := open(t, path, devicetest.NewOracle(), o)
		defer m.Close()
		return m.Plan()
	}
	last := -1
	always := plan(model.Options{MaxRows: 500, Recompute: model.Always})
	never := plan(model.Options{MaxRows: 500, Recompute: model.Never})
	for memory := always.Bytes; memory <= never.Bytes; memory += (never.Bytes - always.Bytes) / 10 {
		p := plan(model.Options{MaxRows: 500, Memory: memory})
		if p.Bytes > memory || p.MaxRows != 500 {
			t.Errorf("%d bytes for %d rows, %d allowed", p.Bytes, p.MaxRows, memory)
		}
		if last >= 0 && p.Recomputed > last {
			t.Errorf("more memory, and %d layers computed again after %d", p.Recomputed, last)
		}
		last = p.Recomputed
	}
	if p := plan(model.Options{}); p.MaxRows != 4096 || p.Recomputed != 0 {
		t.Errorf("with memory for all: %+v", p)
	}
	if p := plan(model.Options{Memory: plan(model.Options{MaxRows: 2048, Recompute: model.Never}).Bytes}); p.MaxRows != 2048 || p.Recomputed != 0 {
		t.Errorf("with memory for 2,048 rows: %+v", p)
	}
	if p := plan(model.Options{Memory: plan(model.Options{MaxRows: 512, Recompute: model.Always}).Bytes}); p.MaxRows != 512 || p.Recompute != model.Always {
		t.Errorf("with memory for 512 rows: %+v", p)
	}
}

// TestOffload: where not even the layers' inputs fit, they lie in the machine's memory, and everything has the bits
// that it has without.
func TestOffload(t *testing.T) {
	s := shapes()["llama"]
	s.layers = 5
	path := s.write(t, 1)
	groups := draw(s.vocabulary, 2, 3, 1)
	on := open(t, path, devicetest.NewOracle(), model.Options{MaxRows: 300, Recompute: model.Always})
	o := model.Options{MaxRows: 300, Memory: on.Plan().Bytes - 1}
	away := open(t, path, devicetest.NewOracle(), o)
	p := away.Plan()
	if on.Plan().Host != 0 || p.Host != int64(5*300*s.width*4) || p.Bytes > o.Memory || !strings.Contains(p.Message, "of the machine's memory") {
		t.Errorf("%+v", p)
	}
	logp, grads := accumulate(t, on, groups, [][]model.Part{whole(groups)})
	logpAway, gradsAway := accumulate(t, away, groups, [][]model.Part{whole(groups)})
	if !reflect.DeepEqual(logp, logpAway) || !reflect.DeepEqual(grads, gradsAway) {
		t.Error("other bits")
	}
	o.Recompute = model.Never
	if _, err := tryOpen(t, path, devicetest.NewOracle(), o); err == nil {
		t.Error("offloaded, though nothing may be computed again")
	}
}

// TestSplit cuts random groups: everything once, within the plan, whole groups where they
// fit, the same again.
func TestSplit(t *testing.T) {
	s := shapes()["qwen2"]
	path := s.write(t, 1)
	for _, alone := range []bool{false, true} {
		m := open(t, path, devicetest.NewOracle(), model.Options{Rank: 1, MaxRows: 24, NoShare: alone})
		r := rand.New(rand.NewPCG(5, 5))
		for seed := range uint64(200) {
			groups := draw(s.vocabulary, 1+r.IntN(5), 1+r.IntN(9), seed)
			micro, err := m.Split(groups)
			if err != nil {
				t.Fatal(err)
			}
			checkSplit(t, groups, micro, 24, alone)
			again, _ := m.Split(groups)
			if !reflect.DeepEqual(micro, again) {
				t.Fatal("another cut of the same groups")
			}
		}
	}
	m := open(t, path, devicetest.NewOracle(), model.Options{Rank: 1, MaxRows: 8})
	long := []model.Group{{Prompt: make([]int32, 3), Completions: [][]int32{{1}, make([]int32, 7)}}}
	if _, err := m.Split(long); err == nil || !strings.HasPrefix(err.Error(), "model: completion 1 of group 0 takes 9 rows with its prompt of 3 tokens, the memory plan holds 8") {
		t.Errorf("a completion that cannot fit: %v", err)
	}
	many := []model.Group{{Prompt: []int32{1}, Completions: make([][]int32, 20)}}
	for i := range many[0].Completions {
		many[0].Completions[i] = []int32{2}
	}
	micro, err := m.Split(many) // one row, but twenty scores
	if err != nil || len(micro) != 3 {
		t.Fatalf("%v, %v", micro, err)
	}
	for _, parts := range micro {
		if _, err := m.Forward(many, parts); err != nil {
			t.Error(err)
		}
	}
	if micro, err := m.Split(nil); err != nil || len(micro) != 0 {
		t.Errorf("no groups: %v, %v", micro, err)
	}
}

// checkSplit counts what every micro-batch takes.
func checkSplit(t *testing.T, groups []model.Group, micro [][]model.Part, most int, alone bool) {
	t.Helper()
	seen, parts := map[[2]int]int{}, map[int]int{}
	for _, list := range micro {
		rows, scores := 0, 0
		for _, p := range list {
			parts[p.Group]++
			g := groups[p.Group]
			for c := p.From; c < p.To; c++ {
				seen[[2]int{p.Group, c}]++
				rows += len(g.Completions[c]) - 1
				scores += len(g.Completions[c])
				if alone || c == p.From {
					rows += len(g.Prompt)
				}
			}
		}
		if rows > most || scores > most || rows == 0 {
			t.Fatalf("a micro-batch of %d rows and %d scores, %d fit", rows, scores, most)
		}
	}
	for i, g := range groups {
		all, scores := len(g.Prompt), 0
		for c := range g.Completions {
			if seen[[2]int{i, c}] != 1 {
				t.Fatalf("completion %d of group %d is there %d times", c, i, seen[[2]int{i, c}])
			}
			all += len(g.Completions[c]) - 1
			scores += len(g.Completions[c])
		}
		if !alone && all <= most && scores <= most && parts[i] != 1 {
			t.Fatalf("group %d of %d rows is cut in %d", i, all, parts[i])
		}
	}
}

// counting is a device that counts the operations of matrix products.
type counting struct {
	*devicetest.Oracle
	flops float64
}

func (d *counting) Linear(dst, x model.Buffer, w model.Weight, bias model.Buffer, add bool) {
	d.flops += 2 * float64(x.Rows()) * float64(w.Rows()) * float64(w.Cols())
	d.Oracle.Linear(dst, x, w, bias, add)
}

func (d *counting) LinearT(dx, dy model.Buffer, w model.Weight, add bool) {
	d.flops += 2 * float64(dy.Rows()) * float64(w.Rows()) * float64(w.Cols())
	d.Oracle.LinearT(dx, dy, w, add)
}

func (d *counting) MatMul(dst, a, b model.Buffer, transA, transB bool, s float64, add bool) {
	inner := a.Cols()
	if transA {
		inner = a.Rows()
	}
	d.flops += 2 * float64(dst.Rows()) * float64(dst.Cols()) * float64(inner)
	d.Oracle.MatMul(dst, a, b, transA, transB, s, add)
}

// TestFLOPs compares the count with the products that are called; attention and the head are
// taken off by making them small against it: their formula is that of the notes.
func TestFLOPs(t *testing.T) {
	for name, s := range shapes() {
		for _, r := range []model.Recompute{model.Never, model.Always} {
			d := &counting{Oracle: devicetest.NewOracle()}
			m := open(t, s.write(t, 1), d, model.Options{Rank: 3, MaxRows: 100, Block: 100, Recompute: r})
			groups := draw(s.vocabulary, 1, 2, 1)
			micro := whole(groups)
			forward, backward := m.FLOPs(groups, micro)
			g := groups[0]
			p, r1, r2 := len(g.Prompt), len(g.Completions[0])-1, len(g.Completions[1])-1
			pairs := p*(p+1)/2 + p*(r1+r2) + r1*(r1+1)/2 + r2*(r2+1)/2
			attention := 4 * float64(pairs*s.heads*s.headSize*s.layers)
			forward -= attention + 4*float64((r1+r2+2)*s.vocabulary*s.width)
			backward -= 2.5 * attention
			if r == model.Always {
				backward -= attention
			}
			if _, err := m.Forward(groups, micro); err != nil {
				t.Fatal(err)
			}
			if d.flops != forward {
				t.Errorf("%s, recompute %v: forward %g operations, %g counted", name, r, forward, d.flops)
			}
			d.flops = 0
			if err := m.Backward(gradientOf(groups, micro)); err != nil {
				t.Fatal(err)
			}
			if d.flops != backward {
				t.Errorf("%s, recompute %v: backward %g operations, %g counted", name, r, backward, d.flops)
			}
		}
	}
}

// TestInfo counts parameters twice.
func TestInfo(t *testing.T) {
	for name, s := range shapes() {
		path := s.write(t, 1)
		m := open(t, path, devicetest.NewOracle(), model.Options{Rank: 3, MaxRows: 8})
		info := m.Info()
		var adapter, parameters int64
		for _, p := range m.Params() {
			adapter += int64(p.Rows * p.Cols)
		}
		f, err := checkpoint.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, tensor := range f.Tensors() {
			parameters += int64(tensor.Rows * tensor.Cols)
		}
		f.Close()
		if info.AdapterParameters != adapter || info.Parameters != parameters || len(m.Params()) != 14*s.layers {
			t.Errorf("%s: %+v, counted %d and %d", name, info, adapter, parameters)
		}
		if info.Alpha != 6 || info.Architecture != name || info.Name != "tiny" || info.Tied == s.untied {
			t.Errorf("%s: %+v", name, info)
		}
	}
}
