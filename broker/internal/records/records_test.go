package records

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// batch builds a batch with the codec that compressed payload.
func batch(codec Codec, n int32, payload []byte) Batch {
	b := kmsg.RecordBatch{Magic: 2, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: n, LastOffsetDelta: n - 1,
		Attributes: int16(codec), FirstTimestamp: 1000, MaxTimestamp: 1000 + int64(n) - 1, Records: payload, Length: 49 + int32(len(payload))}
	out := Batch(b.AppendTo(nil))
	out.Seal()
	return out
}

// payload encodes n records as a client does.
func payload(n int) (out []byte) {
	for i := range n {
		r := kmsg.Record{OffsetDelta: int32(i), TimestampDelta64: int64(i), Key: []byte("key"), Value: fmt.Append(nil, "value ", i),
			Headers: []kmsg.Header{{Key: "h", Value: []byte("1")}, {Key: "null"}}}
		r.Length = int32(len(r.AppendTo(nil)) - 1)
		out = r.AppendTo(out)
	}
	return out
}

// compressors are what clients compress with.
var compressors = map[Codec]func([]byte) []byte{
	None: func(b []byte) []byte { return b },
	Gzip: func(b []byte) []byte {
		var buf bytes.Buffer
		w := gzip.NewWriter(&buf)
		w.Write(b)
		w.Close()
		return buf.Bytes()
	},
	Snappy: func(b []byte) []byte { return s2.EncodeSnappy(nil, b) },
	LZ4: func(b []byte) []byte {
		var buf bytes.Buffer
		w := lz4.NewWriter(&buf)
		w.Write(b)
		w.Close()
		return buf.Bytes()
	},
	Zstd: func(b []byte) []byte {
		w, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		defer w.Close()
		return w.EncodeAll(b, nil)
	},
}

// xerialFrames is how Java compresses with snappy: a header, and blocks with their sizes.
func xerialFrames(b []byte) []byte {
	out := append(bytes.Clone(xerial), 0, 0, 0, 1, 0, 0, 0, 1)
	for chunk := range slices.Chunk(b, 20) {
		block := s2.EncodeSnappy(nil, chunk)
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(block))), block...)
	}
	return out
}

func TestRecordsOfEveryCodecAreRead(t *testing.T) {
	raw := payload(10)
	batches := map[string]Batch{"snappy in Java's frames": batch(Snappy, 10, xerialFrames(raw))}
	for codec, compress := range compressors {
		batches[codec.String()] = batch(codec, 10, compress(raw))
	}
	for name, b := range batches {
		b.SetBaseOffset(50)
		i := int64(0)
		for r, err := range b.Records() {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			hs := r.Headers()
			if r.Offset != 50+i || r.Timestamp != 1000+i || string(r.Key) != "key" || string(r.Value) != fmt.Sprint("value ", i) ||
				len(hs) != 2 || hs[0].Key != "h" || string(hs[0].Value) != "1" || hs[1].Value != nil {
				t.Errorf("%s: record %d is %+v with %v", name, i, r, hs)
			}
			i++
		}
		if i != 10 {
			t.Errorf("%s: %d records", name, i)
		}
		if err := checkAll(b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func checkAll(b Batch) error {
	found, err := b.Check(Anything)
	if found.OutOfOrder || len(found.Refused) > 0 {
		err = errors.Join(err, fmt.Errorf("found %+v", found))
	}
	return errors.Join(b.CheckSum(), err)
}

func TestDamageIsFound(t *testing.T) {
	whole := batch(None, 10, payload(10))
	for at := range whole {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x10
		b, _, err := Parse(damaged)
		if at < 8 || at >= 12 && at < 16 { // the base offset and the leader epoch are the broker's to write
			continue
		}
		if err == nil {
			err = b.CheckSum()
		}
		if err == nil {
			t.Errorf("byte %d was changed and nobody noticed", at)
		}
	}
	for n := range whole {
		if _, _, err := Parse(whole[:n]); !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}

func TestPayloadThatIsNotWhatItSaysIsAnError(t *testing.T) {
	lie := binary.AppendUvarint(nil, MaxDecompressed-1) // the length of a snappy block
	for name, b := range map[string]Batch{
		"gzip garbage":        batch(Gzip, 1, []byte("garbage")),
		"snappy garbage":      batch(Snappy, 1, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),
		"snappy frame cut":    batch(Snappy, 1, xerialFrames(payload(3))[:30]),
		"snappy length a lie": batch(Snappy, 1, append(lie, 0)),
		"lz4 garbage":         batch(LZ4, 1, []byte("garbage")),
		"zstd garbage":        batch(Zstd, 1, []byte("garbage")),
		"unknown codec":       batch(6, 1, []byte("garbage")),
		"record cut":          batch(None, 1, payload(1)[:5]),
		"record missing":      batch(None, 2, payload(1)),
		"header count a lie":  batch(None, 1, append([]byte{14, 0, 0, 0, 1, 1, 100}, 0)),
	} {
		failed := false
		for _, err := range b.Records() {
			failed = failed || err != nil
		}
		if !failed {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestDecompressionIsBounded(t *testing.T) {
	const most = 10_000
	for name, src := range map[string]struct {
		codec Codec
		bytes []byte
	}{
		"gzip":                    {Gzip, compressors[Gzip](make([]byte, most+1))},
		"snappy":                  {Snappy, compressors[Snappy](make([]byte, most+1))},
		"snappy in Java's frames": {Snappy, xerialFrames(make([]byte, most+1))},
		"lz4":                     {LZ4, compressors[LZ4](make([]byte, most+1))},
	} {
		if _, err := decompress(src.codec, src.bytes, most); !errors.Is(err, ErrDecompress) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := decompress(src.codec, src.bytes, most+1); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	bomb := compressors[Zstd](make([]byte, MaxDecompressed+1)) // its decoder has one bound
	if _, err := decompress(Zstd, bomb, MaxDecompressed); !errors.Is(err, ErrDecompress) {
		t.Errorf("zstd: %v", err)
	}
}

func FuzzBatch(f *testing.F) {
	for codec, compress := range compressors {
		f.Add([]byte(batch(codec, 3, compress(payload(3)))))
	}
	f.Add([]byte(batch(Snappy, 3, xerialFrames(payload(3)))))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, rest, err := Parse(raw)
		if err != nil {
			return
		}
		if len(b)+len(rest) != len(raw) {
			t.Fatalf("%d and %d of %d bytes", len(b), len(rest), len(raw))
		}
		b.Seal()
		_, _ = b.Check(Anything)
		n := int32(0)
		for r, err := range b.Records() {
			if err != nil {
				return
			}
			r.Headers()
			n++
		}
		if n != max(b.Count(), 0) {
			t.Errorf("%d records of %d without an error", n, b.Count())
		}
	})
}

func TestRewrittenBatchHoldsWhatItIsGiven(t *testing.T) {
	for codec, compress := range compressors {
		b := batch(codec, 10, compress(payload(10)))
		b.SetBaseOffset(50)
		b.SetLeaderEpoch(3)
		var all []Record
		for r, err := range b.Records() {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
		kept := []Record{all[2], all[7]}
		for _, horizon := range []int64{NoHorizon, 99_000} {
			got := b.With(kept, horizon)
			h, ok := got.DeleteHorizon()
			if got.CheckSum() != nil || got.Codec() != codec || got.BaseOffset() != 50 || got.LastOffset() != 59 || got.Count() != 2 || got.LeaderEpoch() != 3 ||
				got.MaxTimestamp() != 1007 || ok != (horizon != NoHorizon) || ok && h != horizon {
				t.Errorf("%s: batch from %d to %d of %d records, horizon %d", codec, got.BaseOffset(), got.LastOffset(), got.Count(), h)
			}
			i := 0
			for r, err := range got.Records() {
				if err != nil || r.Offset != kept[i].Offset || r.Timestamp != kept[i].Timestamp || !bytes.Equal(r.Value, kept[i].Value) || len(r.Headers()) != 2 {
					t.Errorf("%s: record %d is %+v, %v", codec, i, r, err)
				}
				i++
			}
			if again := got.With(kept, NoHorizon); codec == None && bytes.Equal(again, got) != (horizon == NoHorizon) {
				t.Errorf("%s: written again it is not the same", codec)
			}
		}
		b.SetLogAppendTime(5000)
		for r := range b.With(kept, NoHorizon).Records() {
			if r.Timestamp != 5000 {
				t.Errorf("%s: log append time became %d", codec, r.Timestamp)
			}
		}
	}
}

func TestZstdFrameThatClaimsTooMuchTakesNoMemory(t *testing.T) {
	src := compressors[Zstd](make([]byte, 100))
	lie := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0xff, 0xff, 0xff, 0x0f} // one segment of 256 MiB
	lie = append(lie, src[6:]...)
	allocated := testing.AllocsPerRun(1, func() {
		if _, err := decompress(Zstd, lie, MaxDecompressed); !errors.Is(err, ErrDecompress) {
			t.Errorf("%v", err)
		}
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	decompress(Zstd, lie, MaxDecompressed)
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes in %v allocations for a frame of %d", got, allocated, len(lie))
	}
}

func FuzzDecompress(f *testing.F) {
	for codec, compress := range compressors {
		f.Add(int8(codec), compress(payload(5)))
		f.Add(int8(codec), compress(make([]byte, 5000)))
	}
	f.Add(int8(Snappy), xerialFrames(payload(5)))
	f.Fuzz(func(t *testing.T, codec int8, src []byte) {
		const most = 1 << 20
		out, err := decompress(Codec(codec), src, most)
		if err != nil {
			return
		}
		if Codec(codec) != Zstd && Codec(codec) != None && len(out) > most {
			t.Fatalf("%d bytes, at most %d", len(out), most)
		}
		room := make([]byte, 0, 100)
		again, err := decompressTo(room, Codec(codec), src, most)
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("into memory that is there: %v", err)
		}
	})
}

func FuzzRewrite(f *testing.F) {
	for codec, compress := range compressors {
		f.Add([]byte(batch(codec, 3, compress(payload(3)))), uint64(5))
	}
	f.Fuzz(func(t *testing.T, raw []byte, keep uint64) {
		b, _, err := Parse(raw)
		if err != nil {
			return
		}
		if _, err := b.Check(Anything); err != nil {
			return
		}
		var kept []Record
		for r, err := range b.Records() {
			if err != nil {
				t.Fatalf("checked, and cannot be read: %v", err)
			}
			if keep&1 != 0 {
				kept = append(kept, r)
			}
			keep = keep>>1 | keep<<63
		}
		got := b.With(kept, NoHorizon)
		i := 0
		for r, err := range got.Records() {
			if err != nil || !bytes.Equal(r.Key, kept[i].Key) || r.Offset-b.BaseOffset() != int64(int32(kept[i].Offset-b.BaseOffset())) {
				t.Fatalf("record %d: %+v, %v", i, r, err)
			}
			i++
		}
		if i != len(kept) || got.CheckSum() != nil || b.Empty().CheckSum() != nil {
			t.Fatalf("%d records of %d", i, len(kept))
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	for codec := range Zstd + 1 {
		raw := batch(codec, 100, compressors[codec](payload(100)))
		b.Run(codec.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := raw.Check(Anything); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/record")
		})
	}
}
