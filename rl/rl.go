// Package rl continues the training of a language model on the writer's own
// prompts: GRPO (group relative policy optimisation), where the completions of one
// prompt are compared with one another by the rewards of package rewards.
//
// It knows no device and no tensor: a Policy scores tokens and takes gradients by
// their log-probabilities. What follows from what:
//
//	job.go        what to do, its defaults and limits; prompts.go its prompts
//	loop.go       the step: rollouts, rewards, advantages, loss, update, checkpoint
//	advantage.go  rewards of a group -> advantages
//	loss.go       log-probs and advantages -> loss and gradients
//	process.go    the same loop in a child process
package rl
