// Package assets is what Longhand brings along and what it fetches: the icon,
// and a catalogue of artefacts (llama.cpp's libraries, models) with version,
// licence, files, hashes and an ordered list of places to get each from.
//
// Start at Catalogue for what there is, at Fetcher.Fetch for how it comes, at
// Library and Models for what is installed under a home folder:
//
//	home/lib/llama-v0.5.0/cpu    libllama and the ggml back ends (also cuda, vulkan)
//	home/models/NAME.gguf        weights
//	home/models/NAME.json        where they came from, or where an imported file lies
//
// Everything is written under another name and renamed when it is whole, and a
// lock keeps two processes from fetching the same artefact at once.
//
// The package knows nothing of engines, drafts or windows. It opens a
// connection only inside Fetch, for the artefact it was asked for.
package assets

import _ "embed"

// Icon is the program's icon, a PNG of 512 x 512.
//
//go:embed icon.png
var Icon []byte
