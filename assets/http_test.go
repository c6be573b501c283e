package assets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// host is a file server that misbehaves on request and keeps what it was asked.
type host struct {
	*httptest.Server
	body     []byte
	etag     string
	linked   string // X-Linked-Etag, on a redirect as Hugging Face sends it
	cut      []int  // for each request: bytes after which the connection breaks; 0: never
	status   int    // answered instead of a file
	noRange  bool
	requests []http.Header
}

func newHost(t *testing.T, bytes int) *host {
	t.Helper()
	h := &host{body: random(bytes), etag: `"one"`}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func sum(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.linked != "" && strings.HasPrefix(r.URL.Path, "/resolve/") {
		w.Header().Set("X-Linked-Etag", `"`+h.linked+`"`)
		http.Redirect(w, r, "/cdn/x.gguf", http.StatusFound)
		return
	}
	h.requests = append(h.requests, r.Header.Clone())
	if h.status != 0 {
		w.WriteHeader(h.status)
		return
	}
	if h.noRange {
		r.Header.Del("Range")
	}
	w.Header().Set("ETag", h.etag)
	if n := len(h.requests); n <= len(h.cut) && h.cut[n-1] > 0 {
		w = &breaking{ResponseWriter: w, left: h.cut[n-1]}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(h.body))
}

// breaking drops the connection in the middle of a body.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left <= 0 {
		b.ResponseWriter.Write(p[:len(p)+b.left])
		b.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return b.ResponseWriter.Write(p)
}

// artefact is a model of one file on the host.
func (h *host) artefact() Artefact {
	return Artefact{Name: "m", Kind: "model", Files: []File{{Name: "x.gguf", Bytes: int64(len(h.body)), SHA256: sum(h.body)}},
		Sources: []Source{{Packs: []Pack{{URL: h.URL + "/resolve/"}}}}}
}

func testFetcher(t *testing.T) Fetcher {
	return Fetcher{Home: t.TempDir(), Pause: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Free: func(string) (int64, error) { return 1 << 40, nil }}
}

// all fetches and returns the states that were reported.
func all(f Fetcher, a Artefact) (states []State, err error) {
	for p, err := range f.Fetch(context.Background(), a) {
		if err != nil {
			return states, err
		}
		if len(states) == 0 || states[len(states)-1] != p.State {
			states = append(states, p.State)
		}
	}
	return states, nil
}

// expect is an error that says so much, and files that are there or not.
func expect(t *testing.T, err error, want string, f Fetcher, there ...string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("error %v, want %q", err, want)
	}
	found, _ := filepath.Glob(filepath.Join(f.Home, "models", "*"))
	var names []string
	for _, p := range found {
		names = append(names, filepath.Base(p))
	}
	if fmt.Sprint(names) != fmt.Sprint(there) {
		t.Errorf("in the folder: %v, want %v", names, there)
	}
}

func TestDownload(t *testing.T) {
	h, f := newHost(t, 3<<20), testFetcher(t)
	states, err := all(f, h.artefact())
	expect(t, err, "", f, "m.json", "x.gguf")
	if fmt.Sprint(states) != "[asking downloading checking done]" {
		t.Errorf("states %v", states)
	}
	models, err := Models(f.Home)
	if err != nil || len(models) != 1 || models[0].HashFrom != "catalogue" || models[0].Files[0].SHA256 != sum(h.body) || models[0].Missing {
		t.Errorf("installed: %+v, %v", models, err)
	}
	if states, err = all(f, h.artefact()); err != nil || len(h.requests) != 1 || fmt.Sprint(states) != "[done]" {
		t.Errorf("a second fetch: %v, %v after %d requests", states, err, len(h.requests))
	}
}

func TestBrokenTransferGoesOn(t *testing.T) {
	h, f := newHost(t, 3<<20), testFetcher(t)
	h.cut = []int{1 << 20, 1 << 19}
	_, err := all(f, h.artefact())
	expect(t, err, "", f, "m.json", "x.gguf")
	if len(h.requests) != 3 {
		t.Fatalf("%d requests, want 3", len(h.requests))
	}
	if r := h.requests[1]; r.Get("Range") == "" || r.Get("If-Range") != `"one"` {
		t.Errorf("second request asks for %q if %q", r.Get("Range"), r.Get("If-Range"))
	}
}

func TestInterruptedFetchResumes(t *testing.T) {
	h, f := newHost(t, 3<<20), testFetcher(t)
	for p, err := range f.Fetch(context.Background(), h.artefact()) {
		if err != nil {
			t.Fatal(err)
		}
		if p.State == Downloading && p.Done > 0 {
			break
		}
	}
	expect(t, nil, "", f, "x.gguf.part", "x.gguf.part.json")
	kept := size(filepath.Join(f.Home, "models", "x.gguf.part"))
	_, err := all(f, h.artefact())
	expect(t, err, "", f, "m.json", "x.gguf")
	if got, want := h.requests[1].Get("Range"), fmt.Sprintf("bytes=%d-", kept); kept == 0 || got != want {
		t.Errorf("resumed with %q, want %q", got, want)
	}
}

func TestCancelledFetchKeepsItsPart(t *testing.T) {
	h, f := newHost(t, 3<<20), testFetcher(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var last error
	for p, err := range f.Fetch(ctx, h.artefact()) {
		if last = err; p.State == Downloading {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("ended with %v", last)
	}
	expect(t, nil, "", f, "x.gguf.part", "x.gguf.part.json")
}

func TestChangedFileStartsOver(t *testing.T) {
	for _, noRange := range []bool{false, true} {
		h, f := newHost(t, 2<<20), testFetcher(t)
		a := h.artefact()
		a.Files[0].SHA256 = "" // only the validator can tell
		h.cut = []int{1 << 20}
		f.Pause = func(context.Context, time.Duration) error {
			h.body, h.etag, h.noRange = append(random(1 << 20)[:1<<19], random(3<<19)...), `"two"`, noRange
			return nil
		}
		_, err := all(f, a)
		expect(t, err, "", f, "m.json", "x.gguf")
		if b, _ := os.ReadFile(filepath.Join(f.Home, "models", "x.gguf")); sum(b) != sum(h.body) {
			t.Error("what was installed is a mixture of two files")
		}
	}
}

func TestHostsHash(t *testing.T) {
	h, f := newHost(t, 1<<20), testFetcher(t)
	h.linked = sum(h.body)
	a := h.artefact()
	a.Files[0].SHA256, a.Files[0].Bytes = "", 0
	_, err := all(f, a)
	expect(t, err, "", f, "m.json", "x.gguf")
	if models, _ := Models(f.Home); len(models) != 1 || models[0].HashFrom != "host" {
		t.Errorf("the hash is said to be from %+v", models)
	}
	f = testFetcher(t)
	h.linked = sum([]byte("another"))
	_, err = all(f, a)
	expect(t, err, "expected "+h.linked, f)
}

func TestRefusals(t *testing.T) {
	const n = 1 << 20
	for name, c := range map[string]struct {
		host  func(*host)
		want  func(*Artefact)
		free  int64
		error string
	}{
		"wrong hash":           {want: func(a *Artefact) { a.Files[0].SHA256 = sum(nil) }, error: "it was removed"},
		"host says other hash": {host: func(h *host) { h.linked = sum(nil) }, error: "the catalogue says"},
		"other size":           {want: func(a *Artefact) { a.Files[0].Bytes++ }, error: "the catalogue says 1048577"},
		"404":                  {host: func(h *host) { h.status = 404 }, error: "does not have it (404)"},
		"401":                  {host: func(h *host) { h.status = 401 }, error: "401 Unauthorized"},
		"busy":                 {host: func(h *host) { h.status = 503 }, error: "503 Service Unavailable"},
		"no space":             {free: 100 << 20, error: "not enough free disk space"},
	} {
		t.Run(name, func(t *testing.T) {
			h, f := newHost(t, n), testFetcher(t)
			a := h.artefact()
			if c.host != nil {
				c.host(h)
			}
			if c.want != nil {
				c.want(&a)
			}
			if c.free > 0 {
				f.Free = func(string) (int64, error) { return c.free, nil }
			}
			_, err := all(f, a)
			expect(t, err, c.error, f)
		})
	}
}

func TestTruncatedForGood(t *testing.T) {
	h, f := newHost(t, 1<<20), testFetcher(t)
	h.cut = []int{1000, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
	pauses := 0
	f.Pause = func(context.Context, time.Duration) error {
		if pauses++; pauses == 3 {
			h.status = 500
		}
		return nil
	}
	_, err := all(f, h.artefact())
	expect(t, err, "are kept, run it again", f, "x.gguf.part", "x.gguf.part.json")
}

func TestRedirectToPlainHTTPIsRefused(t *testing.T) {
	plain := newHost(t, 100)
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer secure.Close()
	f := testFetcher(t)
	f.HTTP = secure.Client()
	a := plain.artefact()
	a.Sources[0].Packs[0].URL = secure.URL + "/"
	_, err := all(f, a)
	expect(t, err, "not encrypted", f)
	if len(plain.requests) > 0 {
		t.Error("the plain server was asked")
	}
}

func TestSplitModel(t *testing.T) {
	parts := map[string][]byte{"/x-00001-of-00002.gguf": random(1000), "/x-00002-of-00002.gguf": random(500)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(parts[r.URL.Path]) }))
	defer s.Close()
	f := testFetcher(t)
	a := Artefact{Name: "m", Kind: "model", Sources: []Source{{Packs: []Pack{{URL: s.URL + "/"}}}}}
	for _, name := range []string{"x-00001-of-00002.gguf", "x-00002-of-00002.gguf"} {
		b := parts["/"+name]
		a.Files = append(a.Files, File{Name: name, Bytes: int64(len(b)), SHA256: sum(b)})
	}
	_, err := all(f, a)
	expect(t, err, "", f, "m.json", "x-00001-of-00002.gguf", "x-00002-of-00002.gguf")
	models, _ := Models(f.Home)
	if len(models) != 1 || models[0].Bytes() != 1500 || filepath.Base(models[0].Path()) != "x-00001-of-00002.gguf" {
		t.Errorf("installed: %+v", models)
	}
	if err := RemoveModel(f.Home, models[0]); err != nil {
		t.Error(err)
	}
	expect(t, nil, "", f)
}

func TestTwoAtOnce(t *testing.T) {
	h, f := newHost(t, 2<<20), testFetcher(t)
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() { _, err := all(f, h.artefact()); errs <- err }()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	expect(t, nil, "", f, "m.json", "x.gguf")
	if len(h.requests) != 1 {
		t.Errorf("fetched %d times", len(h.requests))
	}
}

func TestNoConnectionWithoutFetch(t *testing.T) {
	old, oldDefault := transport, http.DefaultTransport
	transport, http.DefaultTransport = refusing{t}, refusing{t}
	defer func() { transport, http.DefaultTransport = old, oldDefault }()
	home := t.TempDir()
	Catalogue()
	Models(home)
	Library(home, "cpu")
	m := Probe(context.Background())
	m.Recommend()
	for range Import(context.Background(), home, filepath.Join(home, "none.gguf"), false) {
	}
}

type refusing struct{ t *testing.T }

func (r refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	r.t.Errorf("a connection to %s", req.URL)
	return nil, errors.New("no network")
}
