package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// Every value of the database lies in an envelope, since Badger gives wrong
// bytes, or none, without an error where a file is damaged:
//
//	"LH" format(1) kind(1) length(uvarint) sum(12) payload
//
// length is that of the plain text, sum the first bytes of the SHA-256 of key,
// kind and plain text, the payload zstd. A value that was moved to another key
// does not open either.
const (
	envelopeMark   = "LH"
	envelopeFormat = 1
	sumBytes       = 12
	mostPlain      = 1 << 30
	mostRatio      = 1 << 16 // of plain text to payload: zstd cannot do half of that
)

// kind says what a value holds.
type kind byte

const (
	kindSchema   kind = 's'
	kindGlobal   kind = 'g'
	kindManifest kind = 'm'
	kindPart     kind = 'p'
	kindVersion  kind = 'v'
)

var errEnvelope = errors.New("the value is damaged")

// The coder is used with EncodeAll and DecodeAll alone, which any goroutine may.
// A small window: the values are small, and each coder would hold eight megabytes.
var (
	packer, _   = zstd.NewWriter(nil, zstd.WithZeroFrames(true), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	unpacker, _ = zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(mostPlain))
)

// wrap puts plain into an envelope. sum names what is in it.
func wrap(key string, k kind, plain []byte) (value []byte, sum string) {
	s := sumOf(key, k, plain)
	out := append([]byte(envelopeMark), envelopeFormat, byte(k))
	out = binary.AppendUvarint(out, uint64(len(plain)))
	out = append(out, s...)
	return packer.EncodeAll(plain, out), base64.RawURLEncoding.EncodeToString(s)
}

func sumOf(key string, k kind, plain []byte) []byte {
	h := sha256.New()
	h.Write(append([]byte(key), 0, byte(k)))
	h.Write(plain)
	return h.Sum(nil)[:sumBytes]
}

// unwrap opens an envelope and checks all that it says.
func unwrap(key string, k kind, value []byte) (plain []byte, sum string, err error) {
	head := len(envelopeMark) + 2
	if len(value) < head || string(value[:2]) != envelopeMark || value[3] != byte(k) {
		return nil, "", errEnvelope
	}
	if value[2] != envelopeFormat {
		return nil, "", fmt.Errorf("%w: its format is %d, this version of Longhand reads %d", errEnvelope, value[2], envelopeFormat)
	}
	length, n := binary.Uvarint(value[head:])
	if n <= 0 || length > mostPlain || len(value) < head+n+sumBytes {
		return nil, "", errEnvelope
	}
	s, payload := value[head+n:head+n+sumBytes], value[head+n+sumBytes:]
	if !mayHold(payload, length) {
		return nil, "", errEnvelope // before so much memory is asked for
	}
	if plain, err = unpacker.DecodeAll(payload, make([]byte, 0, length)); err != nil || uint64(len(plain)) != length || !bytes.Equal(s, sumOf(key, k, plain)) {
		return nil, "", errEnvelope
	}
	return plain, base64.RawURLEncoding.EncodeToString(s), nil
}

// mayHold says that a payload may be a plain text of this length.
func mayHold(payload []byte, length uint64) bool {
	var h zstd.Header
	return h.Decode(payload) == nil && (!h.HasFCS || h.FrameContentSize == length) && length <= mostRatio*uint64(len(payload))
}
