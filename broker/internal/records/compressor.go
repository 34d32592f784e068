package records

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// DefaultLevel leaves a codec's level to the codec.
const DefaultLevel = -1 << 31

// Kafka's own defaults, which mean the codec's (KIP-390).
const (
	defaultGzipLevel = -1
	defaultLZ4Level  = 9
	defaultZstdLevel = 3
)

// ParseCodec returns the codec that compression.type names; false for "producer", which names none.
func ParseCodec(name string) (c Codec, ok bool) {
	switch name {
	case "uncompressed":
		return None, true
	case "gzip":
		return Gzip, true
	case "snappy":
		return Snappy, true
	case "lz4":
		return LZ4, true
	case "zstd":
		return Zstd, true
	}
	return None, false
}

// Writers of the default level. A zstd writer of one goroutine has no channel until EncodeAll is called, which is not done here, so that it may be made
// inside a testing/synctest bubble and used outside of it.
var gzipWriters, lz4Writers, zstdWriters sync.Pool

// compress returns src itself for None. The level is Kafka's for the codec and within its bounds; [DefaultLevel] and Kafka's defaults are the codec's
// own. A buffer takes everything, so none of the writers fails.
func compress(c Codec, level int, src []byte) []byte {
	var out bytes.Buffer
	switch c {
	case Gzip:
		w := gzipWriter(level)
		w.Reset(&out)
		_, _ = w.Write(src)
		_ = w.Close()
		if isDefault(level, defaultGzipLevel) {
			gzipWriters.Put(w)
		}
	case Snappy:
		return s2.EncodeSnappy(nil, src)
	case LZ4:
		w := lz4Writer(level)
		w.Reset(&out)
		_, _ = w.Write(src)
		_ = w.Close()
		if isDefault(level, defaultLZ4Level) {
			lz4Writers.Put(w)
		}
	case Zstd:
		w := zstdWriter(level)
		w.Reset(&out)
		_, _ = w.Write(src)
		_ = w.Close()
		if isDefault(level, defaultZstdLevel) {
			zstdWriters.Put(w)
		}
	default:
		return src
	}
	return out.Bytes()
}

func isDefault(level, def int) bool { return level == DefaultLevel || level == def }

func gzipWriter(level int) *gzip.Writer {
	if isDefault(level, defaultGzipLevel) {
		if w, ok := gzipWriters.Get().(*gzip.Writer); ok {
			return w
		}
		level = gzip.DefaultCompression
	}
	w, err := gzip.NewWriterLevel(nil, level)
	if err != nil {
		return gzip.NewWriter(nil)
	}
	return w
}

func lz4Writer(level int) *lz4.Writer {
	speed := lz4.Fast
	if isDefault(level, defaultLZ4Level) {
		if w, ok := lz4Writers.Get().(*lz4.Writer); ok {
			return w
		}
	} else {
		speed = lz4.CompressionLevel(1 << (8 + min(level, 9))) // Kafka has levels up to 17, this library up to 9
	}
	w := lz4.NewWriter(nil)
	_ = w.Apply(lz4.CompressionLevelOption(speed), lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false))
	return w
}

func zstdWriter(level int) *zstd.Encoder {
	speed := zstd.SpeedDefault
	if isDefault(level, defaultZstdLevel) {
		if w, ok := zstdWriters.Get().(*zstd.Encoder); ok {
			return w
		}
	} else {
		speed = zstd.EncoderLevelFromZstd(level)
	}
	// Options that are constants do not fail.
	w, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(speed), zstd.WithWindowSize(1<<20))
	return w
}
