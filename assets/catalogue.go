package assets

import (
	_ "embed"
	"encoding/json"
	"runtime"
	"strings"
	"sync"
)

// LlamaVersion is the llama.cpp release that the engine's binding fits.
const LlamaVersion = "v0.5.0"

// Artefact is something that can be fetched: one build of llama.cpp, or one model.
type Artefact struct {
	Name       string   `json:"name"` // what a person types
	Kind       string   `json:"kind"` // "library" or "model"
	Title      string   `json:"title"`
	Version    string   `json:"version"` // llama.cpp's release, or a model's quantisation
	Licence    string   `json:"licence"`
	Note       string   `json:"note"`
	Sample     bool     `json:"sample"`     // shows how Longhand works, not how well it writes
	Untested   bool     `json:"untested"`   // nobody of ours has fetched and run it
	Restricted bool     `json:"restricted"` // the licence forbids commercial use; never recommended
	Library    string   `json:"library"`    // libraries: "cpu", "cuda", "vulkan"
	Files      []File   `json:"files"`      // models: what is installed; several for a split GGUF
	Layers     int      `json:"layers"`     // models: for the size of the KV cache
	KVWidth    int      `json:"kv_width"`   // models: KV heads x head size
	Sources    []Source `json:"sources"`    // in order of preference
}

// File is one file of a model. An empty hash was not read anywhere.
type File struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Source is one way to get a whole artefact; every pack of it is needed.
type Source struct {
	On    string `json:"on"` // "linux/amd64"; "": everywhere
	Packs []Pack `json:"packs"`
}

// Pack is one package or address. Exactly one of NPM, Wheel, URL and Release is set.
type Pack struct {
	NPM       string `json:"npm"`       // name@version, through npm
	Wheel     string `json:"wheel"`     // name==version, through pip
	URL       string `json:"url"`       // an archive, or with a slash at the end the folder of the artefact's files
	Release   bool   `json:"release"`   // llama.cpp's release archives for this system
	Bytes     int64  `json:"bytes"`     // of the package
	Integrity string `json:"integrity"` // of the package: "sha512-BASE64" as npm writes it, or "sha256:HEX"
	Inside    string `json:"inside"`    // the folder in the package that holds the files
}

// String names the pack in messages.
func (p Pack) String() string {
	switch {
	case p.NPM != "":
		return "npm " + p.NPM
	case p.Wheel != "":
		return "pip " + p.Wheel
	case p.Release:
		return "llama.cpp release archives"
	}
	return p.URL
}

//go:embed catalogue.json
var catalogueJSON []byte

// Catalogue lists every artefact, the models for writing from the best to the smallest.
var Catalogue = sync.OnceValue(func() []Artefact {
	var list []Artefact
	if err := json.Unmarshal(catalogueJSON, &list); err != nil {
		panic("assets: the embedded catalogue: " + err.Error()) // a test reads it
	}
	return list
})

// Find returns the artefact of that name.
func Find(name string) (Artefact, bool) {
	for _, a := range Catalogue() {
		if strings.EqualFold(a.Name, name) {
			return a, true
		}
	}
	return Artefact{}, false
}

// Bytes is the size of the installed model, or of a library's first source; 0 if unknown.
func (a Artefact) Bytes() int64 {
	var sum int64
	for _, f := range a.Files {
		sum += f.Bytes
	}
	if sources := a.sources(runtime.GOOS, runtime.GOARCH); len(a.Files) == 0 && len(sources) > 0 {
		for _, p := range sources[0].Packs {
			sum += p.Bytes
		}
	}
	return sum
}

// sources are those that serve a system.
func (a Artefact) sources(goos, goarch string) []Source {
	var list []Source
	for _, s := range a.Sources {
		if s.On == "" || s.On == goos+"/"+goarch {
			list = append(list, s)
		}
	}
	return list
}
