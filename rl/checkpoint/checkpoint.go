// Package checkpoint reads and writes what a training run lives on: base models
// (GGUF), LoRA adapters (GGUF as llama.cpp loads them, and PEFT folders), plain
// arrays (safetensors), and a base with an adapter merged into it.
//
// Files are taken to be hostile: whatever stands in them, reading one gives a value or
// an error of one sentence, never a crash, a read out of bounds, or memory and time
// beyond what the file's own size justifies. What is written comes whole or not at
// all: under another name, synced, then renamed; a full disk leaves the old file.
package checkpoint
