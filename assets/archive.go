package assets

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// unpack takes the wanted files of an archive into dir, each under its last
// name: an archive cannot choose where it writes. A name that tries to (".."
// or an absolute path) refuses the whole archive. inside is the only folder
// that is looked at; "" is any. Links between files of one folder are kept.
func unpack(ctx context.Context, archive, inside, dir string, wanted func(name string) bool) ([]string, error) {
	u := unpacker{ctx: ctx, inside: strings.Trim(inside, "/"), dir: dir, wanted: wanted}
	var err error
	if isZip(archive) {
		err = u.zip(archive)
	} else {
		err = u.tgz(archive)
	}
	if err == nil && len(u.names) == 0 {
		err = errors.New("it holds none of the files that are wanted")
	}
	if err != nil {
		return nil, fmt.Errorf("assets: unpack %s: %w", filepath.Base(archive), err)
	}
	return u.names, nil
}

func isZip(name string) bool {
	return strings.HasSuffix(name, ".zip") || strings.HasSuffix(name, ".whl")
}

type unpacker struct {
	ctx    context.Context
	inside string
	dir    string
	wanted func(string) bool
	names  []string
}

// take says whether an entry is wanted and under which name.
func (u *unpacker) take(entry string) (name string, ok bool, err error) {
	if err := u.ctx.Err(); err != nil {
		return "", false, err
	}
	if !safe(entry) {
		return "", false, fmt.Errorf("%q leads out of the archive; nothing of it is used", entry)
	}
	folder, name := path.Split(path.Clean(entry))
	if u.inside != "" && strings.Trim(folder, "/") != u.inside {
		return "", false, nil
	}
	return name, u.wanted(name), nil
}

func safe(entry string) bool {
	if entry == "" || strings.ContainsAny(entry, "\\:\x00") || path.IsAbs(entry) {
		return false
	}
	for part := range strings.SplitSeq(entry, "/") {
		if part == ".." {
			return false
		}
	}
	return true
}

func (u *unpacker) write(name string, r io.Reader) error {
	if err := copyFile(filepath.Join(u.dir, name), r); err != nil {
		return err
	}
	u.names = append(u.names, name)
	return nil
}

func (u *unpacker) link(name, target string) error {
	if strings.ContainsAny(target, "/\\:") || target == ".." {
		return fmt.Errorf("link %q leads to %q; nothing of it is used", name, target)
	}
	u.names = append(u.names, name)
	return os.Symlink(target, filepath.Join(u.dir, name))
}

func (u *unpacker) tgz(archive string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	gz, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	tr := tar.NewReader(gz)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		name, ok, err := u.take(h.Name)
		if err != nil {
			return err
		}
		switch {
		case !ok:
		case h.Typeflag == tar.TypeReg:
			err = u.write(name, tr)
		case h.Typeflag == tar.TypeSymlink:
			err = u.link(name, h.Linkname)
		}
		if err != nil {
			return err
		}
	}
}

func (u *unpacker) zip(archive string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, e := range z.File {
		name, ok, err := u.take(e.Name)
		if err != nil {
			return err
		}
		if !ok || !e.Mode().IsRegular() {
			continue
		}
		r, err := e.Open()
		if err != nil {
			return err
		}
		err = u.write(name, r)
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
