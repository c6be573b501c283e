package model_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"longhand/rl"
	"longhand/rl/checkpoint"
	"longhand/rl/model"
	"longhand/rl/model/devicetest"
)

// golden is what testdata/gen.py computed of one model with PyTorch, in float64: the batch,
// its scores, of each case loss, dL/dlogp and gradient, and ten steps of AdamW.
type golden struct {
	name      string
	Rank      int
	Alpha     float64
	Cap       float64 `json:"importance_sampling_cap"`
	MaxTokens int     `json:"max_completion_length"`
	Groups    []model.Group
	Items     []struct { // of each completion
		Advantage          float64
		Old, Near, Sampler []float64
	}
	Logps, Entropies, Refs [][]float64
	Grads                  []string // cases whose gradient by the adapter is in arrays
	Cases                  map[string]goldenCase
	Steps                  struct {
		Case                           string
		Loss, Norm                     []float64
		Rate, Beta1, Beta2, Eps, Decay float64
		MaxNorm                        float64 `json:"max_norm"`
	}
	arrays map[string][]float64 // "param.T", "CASE/grad.T" and "after.T", T such as "blk.0.attn_q.weight.lora_a"
	shapes map[string][]int
}

// goldenCase is a loss, what it is given, and what comes out.
type goldenCase struct {
	Type         string  `json:"loss_type"`
	Epsilon      float64 `json:"epsilon"`
	EpsilonHigh  float64 `json:"epsilon_high"`
	Beta         float64
	Old          string // "old", "near", or "" for none
	Sampler      bool
	Masked, Dead []int // completions
	Loss, Norm   float64
	Dlogp        [][]float64
}

// bounds are the largest differences from the goldens that pass.
type bounds struct {
	logp  float64 // of log-probs and entropies, absolute
	grad  float64 // of a tensor's gradient, ||g - g'|| / ||g'||; of one under 1e-3 of all, against all
	loss  float64 // of the ten steps' losses and norms, relative
	moved float64 // of the adapter after them, ||moved - moved'|| / ||moved'||
}

func (b bounds) String() string {
	return fmt.Sprintf("largest differences: log-probs %.2g, gradients %.2g, losses %.2g, moved %.2g", b.logp, b.grad, b.loss, b.moved)
}

var (
	inFloat64 = bounds{logp: 1e-10, grad: 1e-8, loss: 1e-9, moved: 1e-8} // a device in float64
	inFloat32 = bounds{logp: 1e-5, grad: 1e-5, loss: 1e-5, moved: 1e-3}  // one in float32
)

var goldenNames = []string{"llama", "qwen2", "qwen3"}

// readGolden reads the goldens of a model.
func readGolden(t testing.TB, name string) *golden {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{name: name}
	if err := json.Unmarshal(text, g); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("testdata/" + name + ".safetensors")
	if err != nil {
		t.Fatal(err)
	}
	g.readArrays(t, file)
	if len(g.Items) != len(g.Logps) || len(g.Grads) == 0 || len(g.Steps.Loss) != 10 {
		t.Fatalf("testdata/%s.json is not what gen.py writes", name)
	}
	return g
}

// readArrays reads a safetensors file without rounding float64 (checkpoint's does).
func (g *golden) readArrays(t testing.TB, file []byte) {
	t.Helper()
	size := binary.LittleEndian.Uint64(file)
	var header map[string]struct {
		Dtype   string
		Shape   []int
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(file[8:8+size], &header); err != nil {
		t.Fatal(err)
	}
	g.arrays, g.shapes = map[string][]float64{}, map[string][]int{}
	for name, h := range header {
		b := file[8+size:][h.Offsets[0]:h.Offsets[1]]
		var v []float64
		for len(b) > 0 {
			if h.Dtype == "F32" {
				v = append(v, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
				b = b[4:]
			} else {
				v = append(v, math.Float64frombits(binary.LittleEndian.Uint64(b)))
				b = b[8:]
			}
		}
		g.arrays[name], g.shapes[name] = v, h.Shape
	}
}

// adapter is the one that the goldens begin with.
func (g *golden) adapter() *checkpoint.Adapter {
	a := &checkpoint.Adapter{Architecture: g.name, Rank: g.Rank, Alpha: float32(g.Alpha)}
	for name := range g.arrays {
		tensor, ok := strings.CutSuffix(name, ".lora_a")
		if tensor, param := strings.CutPrefix(tensor, "param."); ok && param {
			in, out := g.shapes[name][1], g.shapes["param."+tensor+".lora_b"][0]
			a.Pairs = append(a.Pairs, checkpoint.Pair{
				Name: tensor, In: in, Out: out, A: float32s(g.arrays[name]), B: float32s(g.arrays["param."+tensor+".lora_b"]),
			})
		}
	}
	slices.SortFunc(a.Pairs, func(p, q checkpoint.Pair) int { return strings.Compare(p.Name, q.Name) })
	return a
}

func float32s(v []float64) []float32 {
	w := make([]float32, len(v))
	for i, x := range v {
		w[i] = float32(x)
	}
	return w
}

// options of a case's loss.
func (g *golden) options(c goldenCase) rl.LossOptions {
	return rl.LossOptions{Type: c.Type, Epsilon: c.Epsilon, EpsilonHigh: c.EpsilonHigh, Beta: c.Beta, Cap: g.Cap, MaxTokens: g.MaxTokens}
}

// item is completion i as the loss of a case sees it, but for its scores.
func (g *golden) item(c goldenCase, i int) rl.Item {
	from := g.Items[i]
	it := rl.Item{Advantage: from.Advantage, Masked: slices.Contains(c.Masked, i), Dead: slices.Contains(c.Dead, i)}
	it.Old = map[string][]float64{"old": from.Old, "near": from.Near}[c.Old]
	if c.Sampler {
		it.Sampler = from.Sampler
	}
	return it
}

// size is what the loss of a case is divided by.
func (g *golden) size(c goldenCase) rl.Size {
	var z rl.Size
	for i := range g.Items {
		z.Add(g.options(c), g.item(c, i), len(g.Logps[i]))
	}
	return z
}

// TestGoldenLoss compares every loss and its gradient by the log-probs with PyTorch's, at PyTorch's
// log-probs.
func TestGoldenLoss(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range goldenNames {
		g := readGolden(t, name)
		for what, c := range g.Cases {
			if err := g.compareLoss(c, rl.Loss, 1e-12); err != nil {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			seen[c.Type] = true
		}
	}
	for _, kind := range []string{rl.DAPO, rl.GRPO, rl.DrGRPO, rl.CISPO, rl.GSPO, rl.SFT} {
		if !seen[kind] {
			t.Errorf("no golden has the loss %s", kind)
		}
	}
}

// TestGoldenCases looks at whether the goldens reach what they are for: clips on both
// sides where gradients follow, weights cut and not, a KL term, decay, a norm that is cut in some
// steps only, alpha other than the rank.
func TestGoldenCases(t *testing.T) {
	var capped, uncapped, cut, uncut int
	for _, name := range goldenNames {
		g := readGolden(t, name)
		if g.Alpha == float64(g.Rank) || g.Steps.Decay == 0 || g.Cases["dapo"].Beta == 0 {
			t.Errorf("%s: alpha %g at rank %d, decay %g, beta %g", name, g.Alpha, g.Rank, g.Steps.Decay, g.Cases["dapo"].Beta)
		}
		for _, what := range g.Grads {
			c := g.Cases[what]
			items := g.items(c, g.Logps, g.Refs)
			_, _, s := rl.Loss(g.options(c), g.size(c), items)
			if c.Old != "" && (s.ClipHigh == 0 || what != "cispo" && s.ClipLow == 0 || s.ClipHigh+s.ClipLow == s.Tokens) {
				t.Errorf("%s, %s: of %d tokens %d are clipped above and %d below", name, what, s.Tokens, s.ClipHigh, s.ClipLow)
			}
			for _, it := range items {
				for _, w := range it.Weights(g.options(c)) {
					if w == g.Cap {
						capped++
					} else {
						uncapped++
					}
				}
			}
		}
		for _, n := range g.Steps.Norm {
			if n > g.Steps.MaxNorm {
				cut++
			} else {
				uncut++
			}
		}
	}
	if capped == 0 || uncapped == 0 || cut == 0 || uncut == 0 {
		t.Errorf("%d weights are capped, %d are not; the norm is cut in %d steps, in %d it is not", capped, uncapped, cut, uncut)
	}
}

// TestGolden compares scores, gradients and ten steps with PyTorch's: in one
// micro-batch, in several with every layer computed again, and with a prompt for each completion.
func TestGolden(t *testing.T) {
	for _, name := range goldenNames {
		g := readGolden(t, name)
		for how, o := range map[string]model.Options{
			"one micro-batch":     {MaxRows: 60},
			"several, recomputed": {MaxRows: 24, Block: 7, Recompute: model.Always},
			"prompts not shared":  {MaxRows: 90, NoShare: true},
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				d := devicetest.NewOracle()
				off, err := g.compare(d, o, inFloat64, rl.Loss)
				if err != nil {
					t.Error(err)
				}
				t.Log(off)
				if free, total := d.Memory(); free != total {
					t.Errorf("the closed model holds %d bytes", total-free)
				}
			})
		}
	}
}

// path is where the model lies.
func (g *golden) path() string { return fmt.Sprintf("testdata/%s.gguf", g.name) }
