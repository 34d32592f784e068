package broker

import (
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/storage"
)

// Timestamps that stand for something else.
const (
	latestOffset        = -1
	earliestOffset      = -2
	maxTimestampOffset  = -3 // KIP-734
	earliestLocalOffset = -4 // KIP-405
	latestTieredOffset  = -5 // KIP-1005
	earliestPending     = -6 // KIP-1023
)

func handleListOffsets(r *request) answer {
	req := r.msg.(*kmsg.ListOffsetsRequest)
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	for i := range req.Topics {
		q := &req.Topics[i]
		t := kmsg.NewListOffsetsResponseTopic()
		t.Topic = q.Topic
		asked := make(map[int32]int)
		for j := range q.Partitions {
			asked[q.Partitions[j].Partition]++
		}
		for j := range q.Partitions {
			if asked[q.Partitions[j].Partition] == 0 {
				continue // answered already
			}
			p := kmsg.NewListOffsetsResponseTopicPartition()
			p.Partition = q.Partitions[j].Partition
			p.Timestamp, p.Offset, p.LeaderEpoch = -1, -1, -1
			var err error
			if asked[p.Partition] > 1 {
				err = kerr.InvalidRequest
				asked[p.Partition] = 0
			} else {
				err = r.listOffset(q.Topic, &q.Partitions[j], req, &p)
			}
			p.ErrorCode, _ = codeOf(err)
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return answer{resp: resp}
}

// since returns the version from which a special timestamp is known.
func since(timestamp int64) int16 {
	switch timestamp {
	case latestOffset, earliestOffset:
		return 0
	case maxTimestampOffset:
		return 7
	case earliestLocalOffset:
		return 8
	case latestTieredOffset:
		return 9
	case earliestPending:
		return 11
	}
	return math.MaxInt16
}

func (r *request) listOffset(topic string, q *kmsg.ListOffsetsRequestTopicPartition, req *kmsg.ListOffsetsRequest, p *kmsg.ListOffsetsResponseTopicPartition) error {
	if err := r.fault(topic, q.Partition); err != nil {
		return err
	}
	part, err := r.partition(false, topic, topicID{}, q.Partition)
	if err != nil {
		return err
	}
	part.mu.Lock()
	defer part.mu.Unlock()
	if err := part.checkLeaderLocked(r.node.id, q.CurrentLeaderEpoch); err != nil {
		return err
	}
	end := part.highWatermarkLocked()
	if req.IsolationLevel == 1 {
		end = part.lastStableLocked()
	}
	if q.Timestamp < 0 && req.Version < since(q.Timestamp) {
		return kerr.UnsupportedVersion
	}
	pos := storage.Position{Offset: -1, Timestamp: -1, Epoch: -1}
	switch q.Timestamp {
	case latestOffset:
		pos.Offset, pos.Epoch = end, part.log.LatestEpoch()
	case earliestOffset, earliestLocalOffset:
		pos.Offset = part.log.Start()
		pos.Epoch = part.log.EpochAt(pos.Offset)
	case maxTimestampOffset:
		pos, err = part.log.MaxTime(end)
	case latestTieredOffset, earliestPending:
		// Nothing is tiered.
	default:
		pos, err = part.log.ByTime(q.Timestamp, end)
	}
	if err != nil {
		return codef(kerr.CorruptMessage, "%v", err)
	}
	sought := q.Timestamp == latestOffset || pos.Offset == -1 && (q.Timestamp >= 0 || q.Timestamp == maxTimestampOffset)
	if sought && part.lead.hw < part.epochStart { // a new leader does not know yet how much of what it holds is committed
		if req.Version < 5 {
			return kerr.LeaderNotAvailable
		}
		return kerr.OffsetNotAvailable
	}
	p.Offset, p.Timestamp, p.LeaderEpoch = pos.Offset, pos.Timestamp, pos.Epoch
	return nil
}
