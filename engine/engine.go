// Package engine runs one GGUF model in llama.cpp.
//
// A *Model is the model in this process; a *Process is the same model in a
// child process that is started again when llama.cpp takes it down. Both have
// the same methods, so drafting and training declare the few they need as an
// interface of their own.
//
// The engine keeps no conversation. A caller sends the whole transcript as
// token ids each time; what agrees with the KV cache from the start is not
// decoded again. Token ids are made here and nowhere else (Tokenize), and
// nothing re-tokenises what was sampled.
//
// The engine does not know what a draft, a reward or a training run is.
package engine

import "errors"

// Options say how a model is opened. The zero value is usable.
type Options struct {
	Library        string  `json:"library"`         // folder with libllama and the ggml back ends
	Context        int     `json:"context"`         // KV cells shared by all sequences; 0: min(model, 8192 on a GPU, 4096 on a CPU)
	Sequences      int     `json:"sequences"`       // sequences at once; 0: 4
	Split          bool    `json:"split"`           // Context is dealt out to the sequences: Sample is faster, but a prompt's cells are copied and not shared
	GPULayers      int     `json:"gpu_layers"`      // 0: as many as fit the free memory; -1: none; n: exactly n, or an error
	KVType         string  `json:"kv_type"`         // "" or "f16", "q8_0"
	FlashAttention string  `json:"flash_attention"` // "" or "auto", "on", "off"
	RopeScaling    string  `json:"rope_scaling"`    // "" from the model; "none", "linear", "yarn"
	RopeFreqBase   float32 `json:"rope_freq_base"`  // 0: from the model
	RopeFreqScale  float32 `json:"rope_freq_scale"` // 0: from the model
	Threads        int     `json:"threads"`         // 0: all physical cores, one fewer (at least 1) with Window
	Window         bool    `json:"window"`          // a window shares the machine
	Adapter        string  `json:"adapter"`         // LoRA GGUF, or a checkpoint folder with adapter.gguf; "": none
}

// Info describes an opened model.
type Info struct {
	Path         string  `json:"path"`
	Name         string  `json:"name"`         // general.name, or the file's
	Architecture string  `json:"architecture"` // general.architecture
	Description  string  `json:"description"`  // llama.cpp's own: "llama 135M Q4_1"
	Parameters   uint64  `json:"parameters"`
	Bytes        uint64  `json:"bytes"` // of the tensors
	Layers       int     `json:"layers"`
	GPULayers    int     `json:"gpu_layers"`
	Width        int     `json:"width"` // of an embedding
	Vocabulary   int     `json:"vocabulary"`
	Context      int     `json:"context"`       // KV cells; of one sequence where they are split
	ContextTrain int     `json:"context_train"` // as trained
	Threads      int     `json:"threads"`
	Device       string  `json:"device"`  // "CPU", or the GPU's name
	Backend      string  `json:"backend"` // the ggml back ends in use: "CPU (sapphirerapids)"
	Adapter      string  `json:"adapter"`
	Chat         Chat    `json:"chat"`
	End          []int32 `json:"end"` // ids that end a generation
}

// Piece is text to be tokenised. Special pieces come from the template: their
// control tokens are recognised. A person's text is never special.
type Piece struct {
	Text    string `json:"text"`
	Special bool   `json:"special"`
}

// Request asks for a continuation of Prompt + Completion.
type Request struct {
	Prompt     []int32  `json:"prompt"`               // the whole transcript
	Completion []int32  `json:"completion,omitempty"` // what this request has sampled already: it goes on from there, with the grammar, the DRY state and the random stream where they were
	MaxTokens  int      `json:"max_tokens"`           // of the completion in all; 0: until the context is full
	Sampling   Sampling `json:"sampling"`
	Grammar    string   `json:"grammar,omitempty"` // GBNF with a rule "root"
	Fork       bool     `json:"fork,omitempty"`    // work in a sequence that shares the transcript's cells and is dropped at the end
	LogProbs   bool     `json:"log_probs,omitempty"`
}

// Sampling says how a token is drawn. The zero value is greedy.
//
// Order: Ban and NoEnd, DRY, grammar, TopK, TopP, MinP, temperature, draw. The
// draw for the i-th token of a completion uses a random number made from Seed
// and i alone, so a completion that is cut and resumed goes on as it would have.
type Sampling struct {
	Temperature float32 `json:"temperature"` // 0: greedy
	TopK        int     `json:"top_k"`       // 0: off
	TopP        float32 `json:"top_p"`       // 0 or 1: off
	MinP        float32 `json:"min_p"`       // 0: off
	Seed        uint64  `json:"seed"`
	DRY         DRY     `json:"dry"`
	Ban         []int32 `json:"ban,omitempty"`    // never drawn
	NoEnd       bool    `json:"no_end,omitempty"` // no end token and no other control token is drawn
}

// DRY lowers the logit of a token that would continue a repetition:
//
//	logit -= Multiplier * Base^(n - AllowedLength)
//
// for the longest n >= AllowedLength such that the last n tokens stand earlier
// in the last Window tokens of prompt and completion and were followed there by
// that token. A repetition does not reach across a breaker, and a breaker is
// never lowered. Control tokens are breakers, too.
type DRY struct {
	Multiplier    float32  `json:"multiplier"`     // 0: off
	Base          float32  `json:"base"`           // 0: 1.75
	AllowedLength int      `json:"allowed_length"` // 0: 2
	Window        int      `json:"window"`         // 0: everything
	Breakers      []string `json:"breakers"`       // a token whose text contains one of them breaks
}

// Token is one sampled token.
type Token struct {
	ID      int32   `json:"id"`
	Text    string  `json:"text"`              // whole UTF-8; bytes of an unfinished character come with the token that ends it
	LogProb float32 `json:"logprob,omitempty"` // log softmax at temperature 1, untruncated; only on request
	End     bool    `json:"end,omitempty"`     // an end token or another control token: the completion is over

	// On the first token of a request, and on the first after a restart:
	Decoded int     `json:"decoded,omitempty"` // prompt tokens decoded for it
	Reused  int     `json:"reused,omitempty"`  // prompt tokens found in the cache
	Seconds float64 `json:"seconds,omitempty"` // from the request to this token

	Restarts int `json:"restarts,omitempty"` // how often the child process was started again before this token
}

var (
	// ErrContextFull says that prompt and completion fill the context.
	ErrContextFull = errors.New("engine: the context is full")
	// ErrDied says that the child process ended and could not be kept alive.
	ErrDied = errors.New("engine: the engine process died")
)
