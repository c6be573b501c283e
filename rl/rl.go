// Package rl continues the training of a language model on the writer's own
// prompts: GRPO (group relative policy optimisation), where the completions of one
// prompt are compared with one another by the rewards of package rewards.
//
// It knows no device and no tensor: a Policy scores tokens and takes gradients by
// their log-probabilities. What follows from what:
//
//	job.go        what to do, its defaults and limits; prompts.go its files
//	train.go      the run: preflight.go, warmup.go, step.go, eval.go, save.go
//	step.go       rollouts (rollout.go), rewards, advantages, loss, update
//	advantage.go  rewards of a group -> advantages
//	loss.go       log-probs and advantages -> loss and gradients
//	update.go     a batch through the policy, micro-batch by micro-batch
//	replay.go     the same gradients on given tokens, for whoever checks them
//	process.go    Train in a process of its own; serve.go its side
//	state.go      what lies in a run's folder
package rl
