package admin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// NewTopic is a topic to create.
type NewTopic struct {
	Name              string
	Partitions        int // the broker's default when 0
	ReplicationFactor int // the broker's default when 0
	Configs           map[string]string
}

// Created is what a broker answered for one topic. ID is zero before Kafka 2.8; Partitions and ReplicationFactor are 0 before 2.4.
type Created struct {
	ID                            [16]byte
	Partitions, ReplicationFactor int
	Err                           error // kerr.TopicAlreadyExists, kerr.InvalidReplicationFactor, kerr.TopicAuthorizationFailed …
}

// CreateTopics creates topics and answers for each by name. With validate true nothing is created. A created topic may still have no leader: see WaitLeaders.
func CreateTopics(ctx context.Context, cl *kgo.Client, validate bool, topics ...NewTopic) (map[string]Created, error) {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.ValidateOnly = validate
	req.TimeoutMillis = millisLeft(ctx)
	for _, t := range topics {
		x := kmsg.NewCreateTopicsRequestTopic()
		x.Topic = t.Name
		x.NumPartitions, x.ReplicationFactor = -1, -1
		if t.Partitions > 0 {
			x.NumPartitions = int32(t.Partitions)
		}
		if t.ReplicationFactor > 0 {
			x.ReplicationFactor = int16(t.ReplicationFactor)
		}
		for _, name := range slices.Sorted(maps.Keys(t.Configs)) {
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			c.Name, c.Value = name, kmsg.StringPtr(t.Configs[name])
			x.Configs = append(x.Configs, c)
		}
		req.Topics = append(req.Topics, x)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, fmt.Errorf("create topics: %w", err)
	}
	created := make(map[string]Created, len(resp.Topics))
	for _, t := range resp.Topics {
		created[t.Topic] = Created{
			ID: t.TopicID, Partitions: int(max(t.NumPartitions, 0)), ReplicationFactor: int(max(t.ReplicationFactor, 0)),
			Err: failure(t.ErrorCode, t.ErrorMessage, "create topic %q", t.Topic),
		}
	}
	for _, t := range topics {
		if _, ok := created[t.Name]; !ok {
			return nil, fmt.Errorf("create topic %q: the broker's answer does not mention it", t.Name)
		}
	}
	return created, nil
}

// CreatePartitions grows a topic to total partitions.
func CreatePartitions(ctx context.Context, cl *kgo.Client, topic string, total int) error {
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.TimeoutMillis = millisLeft(ctx)
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = topic, int32(total)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return fmt.Errorf("grow topic %q to %d partitions: %w", topic, total, err)
	}
	for _, t := range resp.Topics {
		if err := failure(t.ErrorCode, t.ErrorMessage, "grow topic %q to %d partitions", topic, total); err != nil {
			return err
		}
	}
	return nil
}

// DeleteTopics deletes topics by name and returns the first failure.
func DeleteTopics(ctx context.Context, cl *kgo.Client, topics ...string) error {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = millisLeft(ctx)
	req.TopicNames = topics
	for _, name := range topics {
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return fmt.Errorf("delete topics %q: %w", topics, err)
	}
	for _, t := range resp.Topics {
		name := ""
		if t.Topic != nil {
			name = *t.Topic
		}
		if err := failure(t.ErrorCode, t.ErrorMessage, "delete topic %q", name); err != nil {
			return err
		}
	}
	return nil
}

// millisLeft is what the broker may take for a change: the rest of ctx's time, at most 30 s, at least 1 s.
func millisLeft(ctx context.Context) int32 {
	left := 30 * time.Second
	if d, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(d))
	}
	return int32(max(left, time.Second) / time.Millisecond)
}
