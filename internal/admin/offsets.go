package admin

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The special timestamps of ListOffsets; any other is milliseconds since 1970 and finds the first record that is not older.
const (
	Latest   int64 = -1
	Earliest int64 = -2
)

// Offset is what ListOffsets answered for one partition. Offset is -1 where no record is as young as was asked for.
type Offset struct {
	Offset      int64
	LeaderEpoch int32
	Timestamp   int64 // of the record that was found, -1 for Latest and Earliest
	Err         error
}

// ListOffsets asks each partition's leader for the offset at a timestamp: Earliest, Latest (with committed true the last stable offset, else the high
// watermark) or a time in milliseconds. The answer has every partition that was asked for.
func ListOffsets(ctx context.Context, cl *kgo.Client, committed bool, timestamp int64, partitions map[string][]int32) (map[string]map[int32]Offset, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	if committed {
		req.IsolationLevel = 1
	}
	for topic, ps := range partitions {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		for _, p := range ps {
			x := kmsg.NewListOffsetsRequestTopicPartition()
			x.Partition, x.CurrentLeaderEpoch, x.Timestamp = p, -1, timestamp
			t.Partitions = append(t.Partitions, x)
		}
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	out := make(map[string]map[int32]Offset, len(partitions))
	for _, t := range resp.Topics {
		m := make(map[int32]Offset, len(t.Partitions))
		for _, p := range t.Partitions {
			m[p.Partition] = Offset{Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, Timestamp: p.Timestamp,
				Err: failure(p.ErrorCode, nil, "list the offset of %s[%d]", t.Topic, p.Partition)}
		}
		out[t.Topic] = m
	}
	for topic, ps := range partitions {
		for _, p := range ps {
			if _, ok := out[topic][p]; !ok {
				return nil, fmt.Errorf("list the offset of %s[%d]: the answer does not mention it", topic, p)
			}
		}
	}
	return out, nil
}

// DeleteRecords moves a partition's log start to offset (-1: the high watermark) and returns the low watermark that the broker answered.
func DeleteRecords(ctx context.Context, cl *kgo.Client, topic string, partition int32, offset int64) (int64, error) {
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = millisLeft(ctx)
	t := kmsg.NewDeleteRecordsRequestTopic()
	t.Topic = topic
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = partition, offset
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return 0, fmt.Errorf("delete records of %s[%d] before %d: %w", topic, partition, offset, err)
	}
	if len(resp.Topics) == 0 || len(resp.Topics[0].Partitions) == 0 {
		return 0, fmt.Errorf("delete records of %s[%d] before %d: the answer is empty", topic, partition, offset)
	}
	answer := resp.Topics[0].Partitions[0]
	if err := failure(answer.ErrorCode, nil, "delete records of %s[%d] before %d", topic, partition, offset); err != nil {
		return 0, err
	}
	return answer.LowWatermark, nil
}
