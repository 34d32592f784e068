package records

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestMarkerIsWhatTheCodecReads(t *testing.T) {
	for _, commit := range []bool{true, false} {
		b := NewMarker(1<<40+7, 3, Marker{Coordinator: 5, Commit: commit}, 1_700_000_000_000)
		b.SetBaseOffset(9)
		if err := b.CheckSum(); err != nil {
			t.Fatal(err)
		}
		var decoded kmsg.RecordBatch
		if err := decoded.ReadFrom(b); err != nil {
			t.Fatal(err)
		}
		if again := decoded.AppendTo(nil); !bytes.Equal(again, b) {
			t.Errorf("the codec writes %x, have %x", again, b)
		}
		if !b.Control() || !b.Transactional() || b.BaseSequence() != -1 || b.Count() != 1 || b.LastOffset() != 9 || b.ProducerEpoch() != 3 {
			t.Errorf("batch %+v", decoded)
		}
		m, ok := b.Marker()
		if !ok || m.Coordinator != 5 || m.Commit != commit {
			t.Errorf("reads back %+v, %v", m, ok)
		}
		var key kmsg.ControlRecordKey
		var value kmsg.EndTxnMarker
		for r, err := range b.Records() {
			if err != nil || r.Offset != 9 || r.Timestamp != 1_700_000_000_000 {
				t.Errorf("record %+v, %v", r, err)
			}
			if err := key.ReadFrom(r.Key); err != nil {
				t.Error(err)
			}
			if err := value.ReadFrom(r.Value); err != nil || value.CoordinatorEpoch != 5 {
				t.Errorf("value %+v, %v", value, err)
			}
		}
		if (key.Type == kmsg.ControlRecordKeyTypeCommit) != commit {
			t.Errorf("type %v, commit is %v", key.Type, commit)
		}
	}
}
