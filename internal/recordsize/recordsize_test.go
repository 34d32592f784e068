package recordsize_test

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/internal/recordsize"
	"github.com/sordini-go/sordini/serde"
)

// The size is compared with what the codec really writes.
func TestBatchIsWhatTheCodecWrites(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 100_000)
	for name, r := range map[string]struct {
		key, value []byte
		headers    serde.Headers
	}{
		"null":         {},
		"empty":        {key: []byte{}, value: []byte{}},
		"small":        {key: []byte("k"), value: []byte("v")},
		"63":           {value: big[:63]},
		"64":           {value: big[:64]},
		"8191":         {value: big[:8191]},
		"8192":         {value: big[:8192]},
		"large":        {key: big, value: big},
		"headers":      {value: []byte("v"), headers: serde.Headers{{Key: "a", Value: nil}, {Key: "b", Value: []byte{}}, {Key: "c", Value: big[:200]}}},
		"many headers": {headers: make(serde.Headers, 70)},
	} {
		rec := kmsg.NewRecord()
		rec.Key, rec.Value = r.key, r.value
		for _, h := range r.headers {
			rec.Headers = append(rec.Headers, kmsg.Header{Key: h.Key, Value: h.Value})
		}
		body := rec.AppendTo(nil)[1:] // without the length, which is 0 here and takes one byte
		rec.Length = int32(len(body))
		batch := kmsg.NewRecordBatch()
		batch.NumRecords = 1
		batch.Records = rec.AppendTo(nil)
		if got, want := recordsize.Batch(r.key, r.value, r.headers), len(batch.AppendTo(nil)); got != want {
			t.Errorf("%s: Batch is %d, the codec writes %d", name, got, want)
		}
	}
}
