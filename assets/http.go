package assets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// remote is a file on a server and what is known of it beforehand.
type remote struct {
	url    string
	bytes  int64  // 0: unknown
	sha256 string // "": unknown; then the hash the host sends is used
}

// partRecord stands beside a part: it says which file the part is the beginning of.
type partRecord struct {
	URL          string `json:"url"`
	ETag         string `json:"etag"`
	LastModified string `json:"last_modified"`
	SHA256       string `json:"sha256"` // what the host said, if it did
}

// attempts is how often a broken transfer is taken up again in one Fetch.
const attempts = 5

// errRestart says that a part does not belong to what the server has now.
var errRestart = errors.New("the file on the server has changed")

// download gets a file by HTTP into dest: a part is taken up where it stopped,
// the whole is hashed at the end and renamed when it is right. hashFrom says
// what the hash was compared with: "catalogue", "host" or "" (nothing was known).
func (f Fetcher) download(ctx context.Context, r remote, dest string, report func(Progress) error) (sum, hashFrom string, err error) {
	part := dest + ".part"
	var rec partRecord
	for attempt := 1; ; attempt++ {
		before := size(part)
		rec, err = f.transfer(ctx, r, part, report)
		if err == nil {
			break
		}
		if errors.Is(err, errRestart) {
			os.Remove(part)
		} else if !broken(err) || ctx.Err() != nil {
			return "", "", fetchError(r, err)
		}
		if size(part) > before {
			attempt = 1 // it moves: go on as long as it does
		}
		if attempt == attempts || attempt > 1 && unreachable(err) {
			if size(part) > 0 {
				err = fmt.Errorf("%w; the %s that came are kept, run it again to go on", err, Size(size(part)))
			}
			return "", "", fetchError(r, err)
		}
		if err := f.pause(ctx, time.Duration(attempt)*time.Second); err != nil {
			return "", "", err
		}
	}
	want, hashFrom := r.sha256, "catalogue"
	if want == "" {
		want, hashFrom = rec.SHA256, "host"
	}
	sum, err = checkHash(ctx, part, want, filepath.Base(dest), r.url, report)
	if err != nil {
		return "", "", fetchError(r, err)
	}
	if want == "" {
		hashFrom = ""
	}
	if err := os.Rename(part, dest); err != nil {
		return "", "", fetchError(r, err)
	}
	os.Remove(part + ".json")
	return sum, hashFrom, nil
}

func fetchError(r remote, err error) error {
	if errors.Is(err, errStopped) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("assets: fetch %s: %w", r.url, err)
}

// checkHash hashes a whole part and removes it if another hash is wanted.
func checkHash(ctx context.Context, part, want, file, source string, report func(Progress) error) (string, error) {
	total := size(part)
	tick := ticker()
	got, err := SHA256(ctx, part, func(done int64) error {
		if !tick() {
			return nil
		}
		return report(Progress{State: Checking, File: file, Source: source, Done: done, Total: total})
	})
	if err != nil {
		return "", err
	}
	if want != "" && !strings.EqualFold(got, want) {
		os.Remove(part)
		os.Remove(part + ".json")
		return "", fmt.Errorf("its SHA-256 is %s, expected %s; it was removed", got, want)
	}
	return got, nil
}

// A brokenError is a transfer that stopped and may be taken up again.
type brokenError struct{ error }

func (e brokenError) Unwrap() error { return e.error }

func broken(err error) bool { return errors.As(err, new(brokenError)) }

// transfer asks once and appends what comes to the part.
func (f Fetcher) transfer(ctx context.Context, r remote, part string, report func(Progress) error) (partRecord, error) {
	if err := report(Progress{State: Asking, File: filepath.Base(strings.TrimSuffix(part, ".part")), Source: r.url}); err != nil {
		return partRecord{}, err
	}
	rec, offset := resumable(part, r)
	if r.bytes > 0 && offset == r.bytes {
		return rec, nil
	}
	resp, rec, err := f.ask(ctx, r, rec, offset)
	if err != nil {
		return rec, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		offset = 0 // the server does not resume, or the file has changed
	}
	total := resp.ContentLength + offset
	if resp.ContentLength < 0 {
		total = r.bytes
	}
	if r.bytes > 0 && total != r.bytes {
		return rec, fmt.Errorf("the server has %d bytes, the catalogue says %d", total, r.bytes)
	}
	if r.sha256 != "" && rec.SHA256 != "" && !strings.EqualFold(r.sha256, rec.SHA256) {
		return rec, fmt.Errorf("the server's file has SHA-256 %s, the catalogue says %s", rec.SHA256, r.sha256)
	}
	if err := f.space(filepath.Dir(part), r.url, total-offset); err != nil {
		return rec, err
	}
	if err := writeJSON(part+".json", rec); err != nil {
		return rec, err
	}
	return rec, appendBody(resp.Body, part, offset, total, r.url, report)
}

// resumable returns what is known of a part, and its length if it is the
// beginning of the file that is wanted now.
func resumable(part string, r remote) (partRecord, int64) {
	var rec partRecord
	b, err := os.ReadFile(part + ".json")
	if err != nil || json.Unmarshal(b, &rec) != nil || rec.URL != r.url {
		return partRecord{URL: r.url}, 0
	}
	n := size(part)
	// Without a validator only the hash of the whole can tell whether the
	// rest belongs to the beginning.
	if rec.ETag == "" && rec.LastModified == "" && r.sha256 == "" || r.bytes > 0 && n > r.bytes {
		return partRecord{URL: r.url}, 0
	}
	return rec, n
}

// ask sends the request and reads the answer's head.
func (f Fetcher) ask(ctx context.Context, r remote, old partRecord, offset int64) (*http.Response, partRecord, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return nil, old, err
	}
	req.Header.Set("Accept-Encoding", "identity") // offsets count the file's own bytes
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
		if v := first(strong(old.ETag), old.LastModified); v != "" {
			req.Header.Set("If-Range", v)
		}
	}
	rec := partRecord{URL: r.url}
	resp, err := f.client(&rec).Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, old, ctx.Err()
		}
		return nil, old, brokenError{brief(err)}
	}
	rec.ETag, rec.LastModified = resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")
	rec.SHA256 = first(rec.SHA256, linkedHash(resp.Header))
	if err := checkStatus(resp, offset); err != nil {
		resp.Body.Close()
		return nil, rec, err
	}
	if resp.StatusCode == http.StatusPartialContent {
		rec.SHA256 = first(rec.SHA256, old.SHA256)
	}
	return resp, rec, nil
}

func checkStatus(resp *http.Response, offset int64) error {
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		return nil
	case code == http.StatusPartialContent:
		if start, ok := rangeStart(resp.Header.Get("Content-Range")); !ok || start != offset {
			return errRestart
		}
		return nil
	case code == http.StatusRequestedRangeNotSatisfiable && offset > 0:
		return errRestart
	case code == http.StatusTooManyRequests || code >= 500:
		return brokenError{fmt.Errorf("the server answered %s", resp.Status)}
	case code == http.StatusNotFound:
		return errors.New("the server does not have it (404)")
	}
	return fmt.Errorf("the server answered %s", resp.Status)
}

// appendBody writes the body behind the first offset bytes of the part. Every
// byte that came is kept when it breaks off.
func appendBody(body io.Reader, part string, offset, total int64, source string, report func(Progress) error) (err error) {
	f, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	if err := f.Truncate(offset); err != nil {
		return err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	name := filepath.Base(strings.TrimSuffix(part, ".part"))
	tick, buf, done := ticker(), make([]byte, 256<<10), offset
	for {
		n, rerr := body.Read(buf)
		if total > 0 && done+int64(n) > total {
			return fmt.Errorf("the server sent more than the %d bytes it announced", total)
		}
		if _, err := f.Write(buf[:n]); err != nil {
			return err
		}
		done += int64(n)
		if tick() || rerr == io.EOF {
			if err := report(Progress{State: Downloading, File: name, Source: source, Done: done, Total: total}); err != nil {
				return err
			}
		}
		if rerr == io.EOF && (total <= 0 || done == total) {
			return f.Sync()
		}
		if rerr == io.EOF {
			rerr = io.ErrUnexpectedEOF
		}
		if rerr != nil {
			return brokenError{fmt.Errorf("it ended at %d of %d bytes: %w", done, total, rerr)}
		}
	}
}

// ticker says yes at most five times a second.
func ticker() func() bool {
	var last time.Time
	return func() bool {
		if now := time.Now(); now.Sub(last) >= 200*time.Millisecond {
			last = now
			return true
		}
		return false
	}
}

func rangeStart(h string) (int64, bool) {
	rest, ok := strings.CutPrefix(h, "bytes ")
	start, _, cut := strings.Cut(rest, "-")
	n, err := strconv.ParseInt(start, 10, 64)
	return n, ok && cut && err == nil
}

// strong drops a weak ETag: it does not promise the same bytes.
func strong(etag string) string {
	if strings.HasPrefix(etag, "W/") {
		return ""
	}
	return etag
}

func first(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// size is a file's length, 0 if it is not there.
func size(path string) int64 {
	st, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return st.Size()
}
