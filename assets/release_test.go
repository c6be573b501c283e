package assets

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// releases serves llama.cpp's release pages: files by path.
func releases(t *testing.T, files map[string][]byte) (*httptest.Server, releaseAddress) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write(b)
	}))
	t.Cleanup(s.Close)
	return s, releaseAddress{upstream: s.URL + "/up", builder: s.URL + "/builder", digests: s.URL + "/digests"}
}

func digests(tag, name string, body []byte) []byte {
	return fmt.Appendf(nil, `{"version":1,"tag":%q,"sources":{"ggml-org/llama.cpp":{"tag":%q,"assets":{%q:{"sha256":%q}}}}}`, LlamaVersion, tag, name, sum(body))
}

func releaseArtefact() Artefact {
	return Artefact{Name: "llama.cpp-cpu", Kind: "library", Library: "cpu", Version: LlamaVersion, Sources: []Source{{Packs: []Pack{{Release: true}}}}}
}

func TestReleaseArchives(t *testing.T) {
	linux := tgz(t, member{name: "llama-b7/libllama.so", link: "libllama.so.0"}, member{name: "llama-b7/libllama.so.0", body: "L"},
		member{name: "llama-b7/libggml.so", body: "G"}, member{name: "llama-b7/llama-cli", body: "C"})
	windows := zipped(t, member{name: "llama.dll", body: "L"}, member{name: "ggml.dll", body: "G"}, member{name: "llama-cli.exe", body: "C"})
	for _, c := range []struct {
		system, name string
		body         []byte
		want         string
	}{
		{"linux/amd64", "llama-b7-bin-ubuntu-x64.tar.gz", linux, "libggml.so libllama.so libllama.so.0 longhand.json"},
		{"windows/amd64", "llama-b7-bin-win-cpu-x64.zip", windows, "ggml.dll llama.dll longhand.json"},
	} {
		t.Run(c.system, func(t *testing.T) {
			f := testFetcher(t)
			f.system = c.system
			_, f.release = releases(t, map[string][]byte{
				"/up/v0.5.0/nightly-tag.txt": []byte("b7\n"),
				"/digests/v0.5.0.json":       digests("b7", c.name, c.body), // the release itself has none: the second address
				"/up/b7/" + c.name:           c.body,
			})
			if _, err := all(f, releaseArtefact()); err != nil {
				t.Fatal(err)
			}
			found, _ := filepath.Glob(filepath.Join(LibraryFolder(f.Home, "cpu"), "*"))
			for i := range found {
				found[i] = filepath.Base(found[i])
			}
			if got := strings.Join(found, " "); got != c.want {
				t.Errorf("installed %q, want %q", got, c.want)
			}
		})
	}
}

func TestReleaseRefusals(t *testing.T) {
	const name = "llama-b7-bin-ubuntu-x64.tar.gz"
	body := tgz(t, member{name: "llama-b7/libllama.so", body: "L"}, member{name: "llama-b7/libggml.so", body: "G"})
	for title, c := range map[string]struct {
		tag     string
		digests []byte
		system  string
		error   string
	}{
		"other bytes":         {"b7", digests("b7", name, []byte("other")), "linux/amd64", "it was removed"},
		"digest of other tag": {"b7", digests("b6", name, body), "linux/amd64", "no digest is published"},
		"not named":           {"b7", digests("b7", "other.tar.gz", body), "linux/amd64", "no digest is published"},
		"no digests":          {"b7", nil, "linux/amd64", "404"},
		"not a tag":           {"b7/../..", digests("b7", name, body), "linux/amd64", "not a build's tag"},
		"no such system":      {"b7", digests("b7", name, body), "plan9/mips", "no release archive"},
	} {
		t.Run(title, func(t *testing.T) {
			files := map[string][]byte{"/up/v0.5.0/nightly-tag.txt": []byte(c.tag), "/up/b7/" + name: body}
			if c.digests != nil {
				files["/builder/v0.5.0/v0.5.0.json"] = c.digests
			}
			f := testFetcher(t)
			f.system = c.system
			_, f.release = releases(t, files)
			_, err := all(f, releaseArtefact())
			if err == nil || !strings.Contains(err.Error(), c.error) {
				t.Errorf("error %v, want %q", err, c.error)
			}
		})
	}
}
