package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/y"
	"github.com/klauspost/compress/snappy"
)

// A table of the database (an SST file) is read here and not by Badger, which
// dies on one that was cut. It holds blocks, an index of them with the first key
// of each, and behind both their sums:
//
//	block...  index  length(4)  sum  length(4)
//	block: snappy of entries  offsets  count(4)  sum  length(4)
//
// A length is that of the index, or of the sum behind it.

// badTable is a table that does not fit its own sums, or is not there.
type badTable struct {
	name   string
	why    string
	gone   bool
	opens  bool       // Badger survives to open and read it
	known  bool       // its index is sound: what follows holds
	bad    []keyRange // the keys of the damaged blocks
	newest uint64     // version in it
	filter y.Filter   // of its keys
}

// keyRange are the keys from first to last; last is nil behind the last block.
type keyRange struct{ first, last []byte }

func (t badTable) file() string { return databaseFolder + "/" + t.name }

// hides says that a key may be lost in the table where nothing newer than this
// version of it was found elsewhere.
func (t badTable) hides(key string, version uint64) bool {
	if !t.known {
		return true
	}
	if version > t.newest || len(t.filter) > 0 && !t.filter.MayContainKey([]byte(key)) {
		return false
	}
	for _, r := range t.bad {
		if bytes.Compare(r.first, []byte(key)) <= 0 && (r.last == nil || bytes.Compare([]byte(key), r.last) <= 0) {
			return true
		}
	}
	return false
}

// readTable reads a table, block by block.
func readTable(path string) (t badTable, whole bool) {
	t.name = filepath.Base(path)
	b, err := os.ReadFile(path)
	if err != nil {
		t.why = err.Error()
		if t.gone = errors.Is(err, os.ErrNotExist); t.gone {
			t.why = "it is not there"
		}
		return t, false
	}
	index, ok := indexOf(b)
	if !ok {
		t.why = "its index does not fit its sum"
		return t, false
	}
	defer func() {
		if p := recover(); p != nil { // an index with a right sum that is none
			t.why, t.known, t.opens, whole = "its index cannot be read", false, false, false
		}
	}()
	t.known, t.newest, t.filter = true, index.MaxVersion(), y.Filter(index.BloomFilterBytes())
	t.opens = index.OffsetsLength() > 0
	for i := range index.OffsetsLength() {
		var at, next fb.BlockOffset
		index.Offsets(&at, i)
		is := lookAt(b, int(at.Offset()), int(at.Len()))
		if is == sound {
			continue
		}
		t.opens = t.opens && is != deadly
		r := keyRange{first: bytes.Clone(y.ParseKey(at.KeyBytes()))}
		if index.Offsets(&next, i+1) {
			r.last = bytes.Clone(y.ParseKey(next.KeyBytes()))
		} else {
			t.opens = false // Badger looks for the last key there
		}
		t.bad = append(t.bad, r)
	}
	if !t.opens { // without it all its keys are missing
		var at fb.BlockOffset
		index.Offsets(&at, 0)
		t.bad = []keyRange{{first: bytes.Clone(y.ParseKey(at.KeyBytes()))}}
	}
	t.why = "a block does not fit its sum"
	return t, len(t.bad) == 0
}

// indexOf is a table's index, if it fits its sum.
func indexOf(b []byte) (*fb.TableIndex, bool) {
	rest, sum, ok := cutLength(b)
	if !ok {
		return nil, false
	}
	_, index, ok := cutLength(rest)
	if !ok || len(index) < 8 || !sumIs(index, sum) {
		return nil, false
	}
	return fb.GetRootAsTableIndex(index, 0), true
}

// cutLength takes from the end what has its length behind it.
func cutLength(b []byte) (rest, piece []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	end := len(b) - 4
	n := binary.BigEndian.Uint32(b[end:])
	if uint64(n) > uint64(end) {
		return nil, nil, false
	}
	return b[:end-int(n)], b[end-int(n) : end], true
}

// How a block is.
type block int

const (
	sound block = iota
	damaged
	deadly // damaged so that Badger does not survive to read it
)

// mostBlock bounds what a damaged length can ask for: a block holds one value at
// least, and values have less than a megabyte.
const mostBlock = 32 << 20

func lookAt(b []byte, at, n int) block {
	if at < 0 || n < 0 || at > len(b)-n { // the index fits its sum, and is wrong
		return damaged
	}
	if size, err := snappy.DecodedLen(b[at : at+n]); err == nil && size > mostBlock {
		return deadly
	}
	plain, err := snappy.Decode(nil, b[at:at+n])
	if err != nil {
		return damaged
	}
	return lookInto(plain)
}

// lookInto looks at a block that is unpacked.
func lookInto(plain []byte) block {
	body, sum, ok := cutLength(plain)
	switch {
	case ok && len(body) >= 4 && sumIs(body, sum):
		return sound
	case !ok && len(plain) >= 4 && lastNumber(plain) > len(plain): // Badger sees that the sum is too long, and
		return damaged
	case len(body) < 4 || lastNumber(body)*4 > len(body)-4: // not whether the entries are
		return deadly
	}
	return damaged
}

func lastNumber(b []byte) int { return int(binary.BigEndian.Uint32(b[len(b)-4:])) }

// sumIs compares bytes with a sum as Badger writes it: a message of Protocol
// Buffers whose field 1 is the kind, which is left out for CRC-32C, and whose
// field 2 is the sum, which is left out where it is 0.
func sumIs(b, written []byte) bool {
	want := uint64(0)
	if len(written) > 0 {
		n := 0
		if want, n = binary.Uvarint(written[1:]); written[0] != 2<<3 || n != len(written)-1 {
			return false
		}
	}
	return uint64(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))) == want
}
