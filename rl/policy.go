package rl

import "longhand/rl/model"

// Policy is the model that is trained: a *model.Model, with two ways out of it. Token ids
// go in, log-probs come out, and gradients are taken by them.
type Policy interface {
	Info() model.Info
	Plan() model.Plan
	Split(groups []model.Group) ([][]model.Part, error)
	Forward(groups []model.Group, micro []model.Part) (model.Scores, error)
	Reference(groups []model.Group, micro []model.Part) (model.Scores, error)
	Score(groups []model.Group, micro []model.Part) (model.Scores, error)
	Backward(g [][]float64) error
	Update(s model.Step) (norm float64, err error)
	Params() []model.Param
	ResetMoments()
	Save(dir string) error
	Load(dir string) error

	// WriteAdapter writes the adapter as a GGUF that a sampler loads.
	WriteAdapter(path string) error
	// Export adds the adapter to a checkpoint folder in the form that PEFT loads.
	Export(dir string) error
}
