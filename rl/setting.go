package rl

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// settings are what Set can set, by TRL's names where TRL has one.
func (j *Job) settings() map[string]any {
	return map[string]any{
		"loss_type": &j.Loss, "epsilon": &j.Epsilon, "epsilon_high": &j.EpsilonHigh, "beta": &j.Beta,
		"importance_sampling_cap": &j.Cap, "num_iterations": &j.Iterations,
		"scale_rewards": &j.Scale, "multi_objective_aggregation": &j.Aggregation, "mask_truncated_completions": &j.MaskTruncated,
		"weight_decay": &j.Decay, "max_grad_norm": &j.MaxNorm, "learning_rate": &j.Rate, "lr_warmup_steps": &j.RateWarmup,
		"adam_beta1": &j.Beta1, "adam_beta2": &j.Beta2, "adam_epsilon": &j.AdamEps,
		"num_generations": &j.Group, "max_completion_length": &j.MaxTokens, "form": &j.Form,
		"warmup_batch_size": &j.WarmupBatch, "warmup_learning_rate": &j.WarmupRate, "eval_samples": &j.EvalSamples,
		"save_steps": &j.SaveEvery, "save_total_limit": &j.Keep, "log_completions": &j.Samples,
		"threads": &j.Threads, "slots": &j.Slots, "rollout_weights": &j.Rollout, "max_rows": &j.MaxRows, "recompute": &j.Recompute, "blas": &j.BLAS,
	}
}

// Set sets an option by its name: the --set of `longhand train`. Check looks at the
// value's range.
func (j *Job) Set(name, value string) error {
	all := j.settings()
	at, ok := all[name]
	if !ok {
		var names []string
		for n := range all {
			names = append(names, n)
		}
		slices.Sort(names)
		return fmt.Errorf("rl: there is no option %q; there are %s", name, strings.Join(names, ", "))
	}
	if name == "scale_rewards" { // TRL takes truth values, too
		switch strings.ToLower(value) {
		case "true":
			value = ScaleGroup
		case "false":
			value = ScaleNone
		}
	}
	if err := assign(at, value); err != nil {
		return fmt.Errorf("rl: the option %s=%s: %w", name, value, err)
	}
	return nil
}

func assign(at any, value string) (err error) {
	switch p := at.(type) {
	case *string:
		*p = value
	case *int:
		if *p, err = strconv.Atoi(value); err != nil {
			return fmt.Errorf("%q is not a whole number", value)
		}
	case *float64:
		if *p, err = strconv.ParseFloat(value, 64); err != nil {
			return fmt.Errorf("%q is not a number", value)
		}
	case **float64:
		x, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", value)
		}
		*p = &x
	case **bool:
		x, err := strconv.ParseBool(strings.ToLower(value))
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", value)
		}
		*p = &x
	default:
		panic(fmt.Sprintf("rl: an option of the type %T", at))
	}
	return nil
}
