package groups

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func txnCommit(group string, producer, offset int64) *kmsg.TxnOffsetCommitRequest {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.Version, req.Group, req.ProducerID = 5, group, producer
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Offset = offset
	req.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: "orders", Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{p}}}
	return req
}

func TestTransactionalOffsetsCountWhenTheTransactionCommits(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		want := func(offset int64) {
			t.Helper()
			if have, _, _, ok := b.Committed("g", "orders", 0); have != offset || ok != (offset > 0) {
				t.Errorf("committed %d, %v, want %d", have, ok, offset)
			}
		}
		b.send(txnCommit("g", 1, 5))
		want(0)
		b.EndTxn("g", 1, false)
		want(0)
		b.send(txnCommit("g", 1, 6))
		b.EndTxn("g", 2, true) // another producer's
		b.EndTxn("absent", 1, true)
		want(0)
		b.EndTxn("g", 1, true)
		want(6)
		b.EndTxn("g", 1, true)
		want(6)
		b.send(txnCommit("g", 1, 7))
		b.TopicDeleted("orders")
		b.EndTxn("g", 1, true)
		want(0)
	})
}

func TestTransactionalCommitNeedsAGroup(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		r := got[*kmsg.TxnOffsetCommitResponse](b.send(txnCommit("", 1, 5)))
		wantCode(t, "commit", r.Topics[0].Partitions[0].ErrorCode, kerr.InvalidGroupID)
		b.Close()
		r = got[*kmsg.TxnOffsetCommitResponse](b.send(txnCommit("g", 1, 5)))
		wantCode(t, "commit", r.Topics[0].Partitions[0].ErrorCode, kerr.CoordinatorNotAvailable)
	})
}
