package assets

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// SHA256 reads a file and returns its hash in hexadecimal. progress, if not
// nil, is told how many bytes have been read.
func SHA256(ctx context.Context, path string, progress func(done int64) error) (string, error) {
	h := sha256.New()
	if err := hashFile(ctx, path, h, progress); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func hashFile(ctx context.Context, path string, h hash.Hash, progress func(int64) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("assets: hash %s: %w", path, err)
	}
	defer f.Close()
	buf := make([]byte, 1<<20)
	var done int64
	for {
		n, err := f.Read(buf)
		h.Write(buf[:n])
		done += int64(n)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("assets: hash %s: %w", path, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if progress != nil {
			if err := progress(done); err != nil {
				return err
			}
		}
	}
}

// checkIntegrity compares a package with "sha512-BASE64" or "sha256:HEX" and
// removes it if it differs.
func checkIntegrity(ctx context.Context, path, want string) error {
	var h hash.Hash
	var encode func([]byte) string
	var sum string
	switch {
	case strings.HasPrefix(want, "sha512-"):
		h, encode, sum = sha512.New(), base64.StdEncoding.EncodeToString, want[len("sha512-"):]
	case strings.HasPrefix(want, "sha256:"):
		h, encode, sum = sha256.New(), hex.EncodeToString, want[len("sha256:"):]
	default:
		return fmt.Errorf("assets: check %s: no hash is known for it", filepath.Base(path))
	}
	if err := hashFile(ctx, path, h, nil); err != nil {
		return err
	}
	if got := encode(h.Sum(nil)); got != sum {
		os.Remove(path)
		return fmt.Errorf("assets: check %s: its hash is %s, expected %s; it was removed", filepath.Base(path), got, sum)
	}
	return nil
}

// hashed is one remembered hash; it holds while size and time of the file do.
type hashed struct {
	Size   int64  `json:"size"`
	Time   int64  `json:"time"` // modification, in ns
	SHA256 string `json:"sha256"`
}

func hashCache(home string) string { return filepath.Join(home, "hashes.json") }

// CachedSHA256 is SHA256, remembered under home by path, size and modification
// time: a model of 20 GB is read once.
func CachedSHA256(ctx context.Context, home, path string, progress func(done int64) error) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("assets: hash %s: %w", path, err)
	}
	st, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("assets: hash %s: %w", path, err)
	}
	if h, ok := readHashes(home)[path]; ok && h.Size == st.Size() && h.Time == st.ModTime().UnixNano() {
		return h.SHA256, nil
	}
	sum, err := SHA256(ctx, path, progress)
	if err == nil {
		remember(home, path, sum)
	}
	return sum, err
}

// remember keeps a hash. Losing it costs time, never truth: errors are dropped.
func remember(home, path, sum string) {
	path, err := filepath.Abs(path)
	if err != nil {
		return
	}
	st, err := os.Stat(path)
	if err != nil {
		return
	}
	known := readHashes(home)
	for p := range known {
		if _, err := os.Stat(p); err != nil {
			delete(known, p)
		}
	}
	known[path] = hashed{Size: st.Size(), Time: st.ModTime().UnixNano(), SHA256: sum}
	_ = writeJSON(hashCache(home), known)
}

func readHashes(home string) map[string]hashed {
	known := map[string]hashed{}
	if b, err := os.ReadFile(hashCache(home)); err == nil {
		if json.Unmarshal(b, &known) != nil {
			known = map[string]hashed{}
		}
	}
	return known
}

// writeJSON writes beside and renames, so that a reader sees the old file or the new.
func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("assets: write %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("assets: write %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("assets: write %s: %w", path, err)
	}
	_, err = f.Write(append(b, '\n'))
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("assets: write %s: %w", path, err)
	}
	return nil
}
