package admin

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Committed is what a group committed for one partition.
type Committed struct {
	Offset      int64
	LeaderEpoch int32
	Metadata    string
	Err         error
}

// CommittedOffsets returns all that a group has committed, by topic and partition, whichever protocol the group uses and whether or not it has members. A group
// that does not exist has committed nothing. Offsets of a transaction that is not over are left out: those before it are answered.
func CommittedOffsets(ctx context.Context, cl *kgo.Client, group string) (map[string]map[int32]Committed, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group, g.Topics = group, nil
	req.Groups = append(req.Groups, g)
	resp, err := AskCoordinator(ctx, cl, req.RequestWith)
	if err != nil {
		return nil, fmt.Errorf("fetch the offsets of group %q: %w", group, err)
	}
	out := map[string]map[int32]Committed{}
	var names map[[16]byte]string
	for _, g := range resp.Groups {
		if err := failure(g.ErrorCode, nil, "fetch the offsets of group %q", group); err != nil {
			return nil, err
		}
		for _, t := range g.Topics {
			name := t.Topic
			if name == "" { // from version 10 on, topics are named by id
				if names == nil {
					if names, err = topicNames(ctx, cl); err != nil {
						return nil, err
					}
				}
				if name = names[t.TopicID]; name == "" {
					continue // it was deleted
				}
			}
			m := make(map[int32]Committed, len(t.Partitions))
			for _, p := range t.Partitions {
				c := Committed{Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, Err: failure(p.ErrorCode, nil, "fetch the offset of group %q in %s[%d]", group, name, p.Partition)}
				if p.Metadata != nil {
					c.Metadata = *p.Metadata
				}
				m[p.Partition] = c
			}
			out[name] = m
		}
	}
	return out, nil
}

func topicNames(ctx context.Context, cl *kgo.Client) (map[[16]byte]string, error) {
	meta, err := Metadata(ctx, cl)
	if err != nil {
		return nil, err
	}
	names := make(map[[16]byte]string, len(meta.Topics))
	for _, t := range meta.Topics {
		names[t.ID] = t.Name
	}
	return names, nil
}

// CommitOffsets commits offsets for a group that has no members. The broker refuses it for one that has: kerr.UnknownMemberID, or in the midst of a rebalance
// one of its other group errors. The first error of a partition is returned; the others may have been committed.
func CommitOffsets(ctx context.Context, cl *kgo.Client, group string, ids map[string][16]byte, offsets map[string]map[int32]Committed) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	for topic, parts := range offsets {
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic, t.TopicID = topic, ids[topic]
		for id, c := range parts {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = id, c.Offset, c.LeaderEpoch, &c.Metadata
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return fmt.Errorf("commit offsets of group %q: %w", group, err)
	}
	for _, t := range resp.Topics {
		name := t.Topic
		for topic, id := range ids {
			if name == "" && id == t.TopicID { // from version 10 on, topics are named by id
				name = topic
			}
		}
		for _, p := range t.Partitions {
			if err := failure(p.ErrorCode, nil, "commit an offset of group %q in %s[%d]", group, name, p.Partition); err != nil {
				return err
			}
		}
	}
	return nil
}
