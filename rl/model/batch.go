package model

// Group is a prompt and the completions drawn for it. The prompt is computed
// once, whatever their number. Neither may be empty.
type Group struct {
	Prompt      []int32
	Completions [][]int32 // every token of them is scored, the end token too
}

// Part is some completions of a group, From up to but without To. A micro-batch is a list of
// parts: what is computed and held in memory at once.
type Part struct{ Group, From, To int }

// Scores are per token of each completion of a micro-batch, parts in order,
// completions in order.
type Scores struct {
	Logp    [][]float64 // natural log of the token's probability, temperature 1
	Entropy [][]float64 // of the distribution the token was drawn from, in nat
}
