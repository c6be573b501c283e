package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"longhand/rl"
	"longhand/rl/checkpoint"
)

// replay takes gradients on given tokens and dumps them. No engine is opened.
func replay(ctx context.Context, job rl.Job, yield func(rl.Event, error) bool) (err error) {
	begin := time.Now()
	if err := job.Check(); err != nil {
		return err
	}
	lines, err := rl.ReadReplay(job.Replay)
	if err != nil {
		return err
	}
	w := &workshop{job: job}
	defer func() {
		if closed := w.close(); err == nil {
			err = closed
		}
	}()
	if err := w.openBase(ctx); err != nil {
		return err
	}
	if err := w.openPolicy(); err != nil {
		return err
	}
	p := w.parts.Policy
	steps := max(1, job.Steps)
	if !yield(rl.Started{Dir: job.Dump, Seed: job.Seed, Device: p.Info().Device, Model: job.Base, ModelSHA256: rl.OrNull(w.parts.SHA256), Steps: steps}, nil) {
		return errBroken
	}
	var dump rl.Dump
	for ev, err := range rl.Replay(ctx, p, job, lines, &dump) {
		if err != nil {
			return err
		}
		if !yield(ev, nil) {
			return errBroken
		}
	}
	peak := memoryOf("VmHWM")
	dump.Meta["base_sha256"] = w.parts.SHA256
	if err := write(job.Dump, dump); err != nil {
		return err
	}
	if !yield(rl.Finished{Step: steps, Dir: job.Dump, Seconds: rl.Number(time.Since(begin).Seconds()), PeakBytes: peak}, nil) {
		return errBroken
	}
	return nil
}

// write writes a dump as safetensors.
func write(path string, d rl.Dump) error {
	names := make([]string, len(d.Arrays))
	arrays := map[string]checkpoint.Array{}
	for i, a := range d.Arrays {
		names[i] = a.Name
		arrays[a.Name] = checkpoint.Array{Shape: a.Shape, F32: a.F32}
	}
	return checkpoint.WriteSafetensors(path, names, arrays, d.Meta)
}

// cacheFolder is where copies of bases lie that can be made again.
func cacheFolder() (string, error) {
	folder := os.Getenv("LONGHAND_HOME")
	if folder == "" {
		var err error
		if folder, err = os.UserCacheDir(); err != nil {
			return "", err
		}
		folder = filepath.Join(folder, "longhand")
	}
	folder = filepath.Join(folder, "rollout")
	return folder, os.MkdirAll(folder, 0o755)
}
