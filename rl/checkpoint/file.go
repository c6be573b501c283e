package checkpoint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync/atomic"
)

// File is a GGUF file, mapped into memory: header values by key, tensors by name. Its methods
// may be called from many goroutines; after Close neither they nor its tensors may be used.
type File struct {
	path    string
	header  *header  // of the first part
	parts   [][]byte // mappings
	tensors []*Tensor
	byName  map[string]*Tensor
	fault   atomic.Pointer[error]
}

// Open maps a GGUF file, version 2 or 3. Of a model in parts,
// "x-00001-of-00003.gguf", any part's name opens all.
func Open(path string) (*File, error) {
	f := &File{path: path, byName: map[string]*Tensor{}}
	var err error
	if fault := guard(func() { err = f.open() }); fault != nil {
		err = fault
	}
	if err != nil {
		f.unmap()
		return nil, fmt.Errorf("checkpoint: open %s: %w", path, err)
	}
	return f, nil
}

func (f *File) open() error {
	h, err := f.part(f.path)
	if err != nil {
		return err
	}
	f.header = h
	count := h.count("split.count")
	if count <= 1 {
		return f.take(h)
	}
	names, err := partNames(f.path, count)
	if err != nil {
		return err
	}
	f.unmap() // and begin with the first
	for i, name := range names {
		h, err := f.part(name)
		if err != nil {
			return fmt.Errorf("part %s: %w", filepath.Base(name), err)
		}
		if h.count("split.no") != i || h.count("split.count") != count {
			return fmt.Errorf("part %s is not of this model: it says it is part %d of %d", filepath.Base(name), h.count("split.no")+1, h.count("split.count"))
		}
		if i == 0 {
			f.header = h
		}
		if err := f.take(h); err != nil {
			return err
		}
	}
	if n := f.header.count("split.tensors.count"); n >= 0 && n != len(f.tensors) {
		return fmt.Errorf("its parts hold %d tensors instead of %d", len(f.tensors), n)
	}
	return nil
}

// part maps one file and reads its header.
func (f *File) part(path string) (*header, error) {
	data, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	f.parts = append(f.parts, data)
	return parseHeader(data)
}

// take adds a part's tensors.
func (f *File) take(h *header) error {
	for _, t := range h.tensors {
		if f.byName[t.Name] != nil {
			return fmt.Errorf("the tensor %.100q stands in two parts", t.Name)
		}
		t.file = f
		f.byName[t.Name] = t
	}
	f.tensors = append(f.tensors, h.tensors...)
	return nil
}

// count is a small number of the header, -1 where there is none.
func (h *header) count(key string) int {
	v := h.values[key]
	if v.array || v.data == nil {
		return -1
	}
	n, signed, ok := integer(v.kind, v.data)
	if !ok || signed < 0 || n > maxTensors {
		return -1
	}
	return int(n)
}

var partName = regexp.MustCompile(`^(.*)-([0-9]{5})-of-([0-9]{5})\.gguf$`)

// partNames are the files of a model in count parts, by the name of one of them.
func partNames(path string, count int) ([]string, error) {
	m := partName.FindStringSubmatch(filepath.Base(path))
	if m == nil {
		return nil, fmt.Errorf("it is one of %d parts, but not called like one (x-00001-of-%05d.gguf)", count, count)
	}
	if n, _ := strconv.Atoi(m[3]); n != count {
		return nil, fmt.Errorf("it says that it is one of %d parts; its name says %s", count, m[3])
	}
	names := make([]string, count)
	for i := range names {
		names[i] = filepath.Join(filepath.Dir(path), fmt.Sprintf("%s-%05d-of-%05d.gguf", m[1], i+1, count))
	}
	return names, nil
}

// mapFile maps a whole file for reading.
func mapFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, reason(err)
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a file")
	case info.Size() == 0:
		return nil, errors.New("the file is empty")
	case int64(int(info.Size())) != info.Size():
		return nil, errors.New("the file is too large for this system")
	}
	data, err := mapBytes(file, int(info.Size()))
	if err != nil {
		return nil, fmt.Errorf("mapping it into memory: %w", err)
	}
	return data, nil
}

// reason is a file error without the path, which the caller names.
func reason(err error) error {
	var pe *os.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		return pe.Err
	case errors.As(err, &le):
		return le.Err
	}
	return err
}

// Close gives the mapping back. It is always nil: nothing was written.
func (f *File) Close() error {
	f.unmap()
	return nil
}

func (f *File) unmap() {
	for _, data := range f.parts {
		_ = unmapBytes(data) // fails only for what is no mapping
	}
	f.parts = nil
}

// Path is what Open was given.
func (f *File) Path() string { return f.path }

// Architecture is general.architecture, such as "llama", or "".
func (f *File) Architecture() string {
	s, _ := f.Text("general.architecture")
	return s
}

// Tensor is nil when the file has none of that name.
func (f *File) Tensor(name string) *Tensor { return f.byName[name] }

// Tensors are in the file's order.
func (f *File) Tensors() []*Tensor { return f.tensors }

// SHA256 is the file's hash in hex; of a model in parts, of all parts one after another.
func (f *File) SHA256(ctx context.Context) (string, error) {
	hash := sha256.New()
	for _, data := range f.parts {
		for len(data) > 0 {
			if err := ctx.Err(); err != nil {
				return "", err
			}
			n := min(len(data), 4<<20)
			if err := f.read(func() { hash.Write(data[:n]) }); err != nil {
				return "", err
			}
			data = data[n:]
		}
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
