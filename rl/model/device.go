package model

import "longhand/rl/checkpoint"

// Device is where a model is computed: buffers, frozen weights, and the dozen
// operations that a decoder with LoRA needs, forward and backward. The decoder is
// written once over it; devicetest holds every Device to the same plain loops.
//
// Calls may be queued: a result is there after Download or Sync. The first error
// sticks, later calls do nothing, and Download and Sync return it. Wrong shapes are
// the caller's fault and panic. Operations leave what they only read untouched, and
// are deterministic: the same calls give the same bits. A Device is used by one
// goroutine at a time.
//
// Shapes are rows x columns, row-major. T is the number of rows (tokens) at hand.
type Device interface {
	// Name says what computes: the device, its library, its threads.
	Name() string
	// Memory is what the device has free, and in all, in bytes.
	Memory() (free, total int64)
	// Bytes is what a buffer of a kind takes.
	Bytes(k Kind, rows, cols int) int64
	// WeightBytes is what Weight will take for these tensors, resident and at its
	// largest scratch (shared by all weights).
	WeightBytes(tensors ...*checkpoint.Tensor) (resident, scratch int64)

	Alloc(k Kind, rows, cols int) Buffer // zeroed
	Free(b Buffer)                       // of Alloc; views end with it; nil is fine
	Upload(dst Buffer, src []float64)
	Download(dst []float64, src Buffer) error
	Ints(v []int32) Ints
	FreeInts(v Ints)
	// Layout prepares what attention and RoPE must know of the rows at hand.
	Layout(pos []int32, segments []Segment) Layout
	FreeLayout(l Layout)
	// Weight takes in frozen matrices of the same width, joined below one another
	// to one of all their rows. The device decides whether it stays quantised.
	Weight(tensors ...*checkpoint.Tensor) (Weight, error)
	FreeWeight(w Weight)

	Zero(dst Buffer)
	Copy(dst, src Buffer)                      // dst = src, of either kind
	Add(dst, src Buffer)                       // dst += src, of either kind
	ScaleRows(dst, src, g Buffer)              // dst[t,:] = g[t] src[t,:], g T x 1; dst may be src
	GatherRows(dst, src Buffer, rows Ints)     // dst[i,:] = src[rows[i],:]
	ScatterAddRows(dst, src Buffer, rows Ints) // dst[rows[i],:] += src[i,:], in the order of i; rows may repeat
	SumSquares(dst, src Buffer)                // dst, 1 x 1 F32, += the sum of src's squares

	// Embed writes rows ids of the token embedding: dst[t,:] = w[ids[t],:].
	Embed(dst Buffer, w Weight, ids Ints)
	// Linear is dst = x Wᵀ + bias, dst T x out, x T x in, W out x in; bias 1 x out or
	// nil. With add, dst += the same.
	Linear(dst, x Buffer, w Weight, bias Buffer, add bool)
	// LinearT is the gradient of Linear's input: dx = dy W; with add, dx += dy W.
	LinearT(dx, dy Buffer, w Weight, add bool)
	// MatMul is dst = s op(a) op(b); with add, dst += the same. op transposes where
	// asked. Products are summed in float32 or better, whatever a and b are.
	MatMul(dst, a, b Buffer, transA, transB bool, s float64, add bool)

	// RMSNorm works on each of heads equal parts of a row, n wide:
	// inv = 1 / sqrt(mean(x²) + eps), dst = x inv gain. inv is T x heads F32 and kept
	// for the backward; gain is 1 x n F32. dst may be x.
	RMSNorm(dst, inv, x, gain Buffer, heads int, eps float64)
	// RMSNormBackward: dx = inv (gain dy - x inv² mean(x gain dy)); with add,
	// dx += the same. dx may be dy.
	RMSNormBackward(dx, dy, x, inv, gain Buffer, heads int, add bool)
	// RoPE rotates the heads of x in place by the rows' positions, or back.
	RoPE(x Buffer, l Layout, heads int, r *RoPE, inverse bool)
	// SwiGLU is dst = silu(gate) up, silu(z) = z / (1 + exp(-z)).
	SwiGLU(dst, gate, up Buffer)
	// SwiGLUBackward gives the gradients of both; dgate may be gate, dup may be up.
	SwiGLUBackward(dgate, dup, dy, gate, up Buffer)
	// Attention is causal within a segment and sees all of its prefix:
	// dst = softmax(q kᵀ / sqrt(head size)) v for each of heads; q and dst are
	// T x heads*size, k and v T x kvHeads*size, head h reads kv head h*kvHeads/heads.
	// lse, T x heads F32, is the log of each row's sum of exponentials.
	Attention(dst, lse, q, k, v Buffer, l Layout, heads, kvHeads int)
	// AttentionBackward writes dq, dk and dv from dout; out and lse are Attention's.
	AttentionBackward(dq, dk, dv, dout, out, q, k, v, lse Buffer, l Layout, heads, kvHeads int)
	// Head scores each row against its target over the whole vocabulary, in tiles of
	// rows: with z = x Wᵀ and p = softmax(z), logp[t] = z[target[t]] - logsumexp(z),
	// entropy[t] = -sum p log p, and, unless u is nil, u[t,:] = (onehot(target[t]) - p) W,
	// which is the gradient of logp[t] by x[t,:]. logp and entropy are T x 1 F32.
	Head(logp, entropy, u, x Buffer, w Weight, target Ints)
	// AdamW moves p by its gradient g; m and v are the moments. All are F32.
	AdamW(p, g, m, v Buffer, o AdamW)

	// Mark names what is computed from here on, for Times.
	Mark(name string)
	// Times is seconds by the names of Mark, since the start.
	Times() map[string]float64
	// Sync waits and returns the first error since the start.
	Sync() error
	Close() error
}

// Offloader is a Device with memory of its own that can lay buffers into the machine's.
type Offloader interface {
	Device
	// AllocHost makes a buffer of kind F32 in the machine's memory, of which the device's Copy
	// reaches whole rows from the first on, and nothing else does. Free gives it back.
	AllocHost(rows, cols int) Buffer
}

// Kind is what a buffer is for; the device decides how it holds it.
type Kind uint8

const (
	F32 Kind = iota // residual stream, statistics, log-probs, adapter, gradients, moments
	Act             // what matrix products read: F32 on the CPU, BF16 on CUDA
)

// Buffer is a matrix on a device. A view shares its cells with the buffer it is
// of, and every operation takes views, but for AdamW (whole buffers).
type Buffer interface {
	Kind() Kind
	Rows() int
	Cols() int
	// View is the part of rows x cols that begins at row, col.
	View(row, rows, col, cols int) Buffer
}

// Weight is a frozen matrix on a device, out x in.
type Weight interface {
	Rows() int // out
	Cols() int // in
}

// Ints are token ids, targets or row numbers on a device.
type Ints interface{ Len() int }

// Layout is a batch's positions and segments as a device wants them.
type Layout interface{ Rows() int }

// Segment is a run of rows which attend to PrefixRows rows from Prefix on, to all
// of them, and causally to one another. A prompt is a segment without a prefix;
// the completions of a group share it as theirs. Every row belongs to one segment.
type Segment struct {
	Start, Rows        int
	Prefix, PrefixRows int
}

// RoPE is a rotary position embedding: pair j of a head turns by position * Freq[j].
// The pairs are neighbours (2j, 2j+1) where Pairwise (llama), else (j, j+n) with n
// pairs (qwen2, qwen3). What a head has beyond 2n columns is left as it is.
type RoPE struct {
	Freq     []float64 // radians per position, n of them
	Pairwise bool
}

// AdamW is one step: with g' = Scale g, m = Beta1 m + (1-Beta1) g',
// v = Beta2 v + (1-Beta2) g'², p = p - Rate (m/Correction1 / (sqrt(v/Correction2) + Eps) + Decay p).
// CorrectionN is 1 - BetaN^step. (Loshchilov and Hutter, arXiv 1711.05101, as PyTorch has it.)
type AdamW struct {
	Rate, Beta1, Beta2, Eps, Decay, Scale float64
	Correction1, Correction2              float64
}
