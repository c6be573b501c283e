package assets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// transport gives up early on a server that does not answer; a transfer that
// runs may take as long as it likes.
var transport = func() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	t.ResponseHeaderTimeout = 60 * time.Second
	return t
}()

// client follows redirects, but never from HTTPS to plain HTTP, and notes the
// hash that Hugging Face sends with its redirect.
func (f Fetcher) client(rec *partRecord) *http.Client {
	c := http.Client{Transport: transport}
	if f.HTTP != nil {
		c = *f.HTTP
	}
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) > 10 {
			return errors.New("too many redirects")
		}
		if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
			return fmt.Errorf("the server leads to %s, which is not encrypted", req.URL)
		}
		if req.Response != nil {
			rec.SHA256 = first(rec.SHA256, linkedHash(req.Response.Header))
		}
		return nil
	}
	return &c
}

var sha256Pattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// linkedHash is the SHA-256 a host sends: Hugging Face's ETag of a large file is its hash.
func linkedHash(h http.Header) string {
	for _, name := range []string{"X-Linked-Etag", "ETag"} {
		if v := strings.Trim(h.Get(name), `"`); sha256Pattern.MatchString(v) {
			return v
		}
	}
	return ""
}

// text gets a small file.
func (f Fetcher) text(ctx context.Context, address string, limit int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("assets: fetch %s: %w", address, err)
	}
	resp, err := f.client(&partRecord{}).Do(req)
	if err != nil {
		return nil, fmt.Errorf("assets: fetch %s: %w", address, brief(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("assets: fetch %s: the server answered %s", address, resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("it is larger than %d bytes", limit)
	}
	if err != nil {
		return nil, fmt.Errorf("assets: fetch %s: %w", address, err)
	}
	return b, nil
}

// unreachable says that the name or the address does not answer at all, so
// that asking five times only wastes a person's time.
func unreachable(err error) bool { return errors.As(err, new(*net.OpError)) }

// brief drops the request that Go's client repeats in front of its errors.
func brief(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
