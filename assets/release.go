package assets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// releaseAddress is where llama.cpp's builds lie. A tagged release holds no
// binaries: a small file in it names the nightly build that does. A second
// project builds what upstream does not (CUDA for Linux, Linux on ARM) and
// publishes the SHA-256 of every archive of both.
type releaseAddress struct {
	upstream string // releases of ggml-org/llama.cpp
	builder  string // releases of hybridgroup/llama-cpp-builder
	digests  string // the same digests on a plain site
}

var githubReleases = releaseAddress{
	upstream: "https://github.com/ggml-org/llama.cpp/releases/download",
	builder:  "https://github.com/hybridgroup/llama-cpp-builder/releases/download",
	digests:  "https://hybridgroup.github.io/llama-cpp-builder/digests",
}

// archive is one release archive; fromBuilder says which project publishes it.
type archive struct {
	name        string // TAG stands for the tag
	fromBuilder bool
}

// releaseTable lists the archives by system and kind.
var releaseTable = map[string][]archive{
	"linux/amd64 cpu":      {{name: "llama-TAG-bin-ubuntu-x64.tar.gz"}},
	"linux/amd64 cuda":     {{name: "llama-TAG-bin-ubuntu-cuda-13-x64.tar.gz", fromBuilder: true}},
	"linux/amd64 vulkan":   {{name: "llama-TAG-bin-ubuntu-vulkan-x64.tar.gz"}},
	"linux/arm64 cpu":      {{name: "llama-TAG-bin-ubuntu-cpu-arm64.tar.gz", fromBuilder: true}},
	"linux/arm64 vulkan":   {{name: "llama-TAG-bin-ubuntu-vulkan-arm64.tar.gz", fromBuilder: true}},
	"darwin/arm64 cpu":     {{name: "llama-TAG-bin-macos-arm64.tar.gz"}},
	"darwin/amd64 cpu":     {{name: "llama-TAG-bin-macos-x64.tar.gz"}},
	"windows/amd64 cpu":    {{name: "llama-TAG-bin-win-cpu-x64.zip"}},
	"windows/amd64 cuda":   {{name: "cudart-llama-bin-win-cuda-13.3-x64.zip"}, {name: "llama-TAG-bin-win-cuda-13.3-x64.zip"}},
	"windows/amd64 vulkan": {{name: "llama-TAG-bin-win-vulkan-x64.zip"}},
	"windows/arm64 cpu":    {{name: "llama-TAG-bin-win-cpu-arm64.zip"}},
}

// manifest is the list of digests, by project, tag and archive.
type manifest struct {
	Tag     string `json:"tag"`
	Sources map[string]struct {
		Tag    string `json:"tag"`
		Assets map[string]struct {
			SHA256 string `json:"sha256"`
		} `json:"assets"`
	} `json:"sources"`
}

var nightlyPattern = regexp.MustCompile(`^b[0-9]{1,8}$`)

// releaseArchives downloads the archives of this system into dir. One without
// a published digest is refused: it is code that will run.
func (f Fetcher) releaseArchives(ctx context.Context, a Artefact, dir string, report func(Progress) error) ([]string, error) {
	goos, goarch := f.target()
	table, ok := releaseTable[goos+"/"+goarch+" "+a.Library]
	if !ok {
		return nil, fmt.Errorf("assets: fetch %s: there is no release archive for %s/%s", a.Name, goos, goarch)
	}
	at := f.release
	if at == (releaseAddress{}) {
		at = githubReleases
	}
	if err := report(Progress{State: Asking, Source: at.upstream}); err != nil {
		return nil, err
	}
	b, err := f.text(ctx, at.upstream+"/"+LlamaVersion+"/nightly-tag.txt", 64)
	if err != nil {
		return nil, err
	}
	nightly := strings.TrimSpace(string(b))
	if !nightlyPattern.MatchString(nightly) {
		return nil, fmt.Errorf("assets: fetch %s: %q is not a build's tag", a.Name, nightly)
	}
	m, err := f.manifest(ctx, at)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, ar := range table {
		project, base, tag := "ggml-org/llama.cpp", at.upstream, nightly
		if ar.fromBuilder {
			project, base, tag = "hybridgroup/llama-cpp-builder", at.builder, LlamaVersion
		}
		name := strings.ReplaceAll(ar.name, "TAG", tag)
		sum := m.digest(project, tag, name)
		if sum == "" {
			return nil, fmt.Errorf("assets: fetch %s: no digest is published for %s, so it is not installed", a.Name, name)
		}
		path := filepath.Join(dir, name)
		if _, _, err := f.download(ctx, remote{url: base + "/" + tag + "/" + name, sha256: sum}, path, report); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

func (f Fetcher) manifest(ctx context.Context, at releaseAddress) (manifest, error) {
	var failures []error
	for _, url := range []string{at.builder + "/" + LlamaVersion + "/" + LlamaVersion + ".json", at.digests + "/" + LlamaVersion + ".json"} {
		b, err := f.text(ctx, url, 8<<20)
		var m manifest
		if err == nil {
			if err = json.Unmarshal(b, &m); err != nil {
				err = fmt.Errorf("assets: read %s: %w", url, err)
			}
		}
		if err == nil && m.Tag == LlamaVersion {
			return m, nil
		}
		failures = append(failures, err)
	}
	return manifest{}, fmt.Errorf("assets: the digests of llama.cpp %s: %w", LlamaVersion, errors.Join(failures...))
}

// digest is "" unless project and tag agree: the same name can stand for
// different bytes in the two projects.
func (m manifest) digest(project, tag, name string) string {
	s := m.Sources[project]
	sum := strings.ToLower(s.Assets[name].SHA256)
	if s.Tag != tag || !sha256Pattern.MatchString(sum) {
		return ""
	}
	return sum
}
