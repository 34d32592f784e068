package sordini

import (
	"context"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/internal/scan"
)

// Read calls fn with every committed record that the topics hold when it is called: each partition's in offset order, partitions interleaved. It is for
// looking, not for handling: no group, nothing committed, no retries; what a service does with records belongs in a consumer.Group.
//
// It blocks until everything is read, ctx ends, fn returns an error (which Read returns), or a partition comes no nearer to its end for a minute. fn may keep
// the record.
func (c Cluster) Read(ctx context.Context, fn func(*Record) error, topics ...string) error {
	return readFailed(scan.ToEnd(ctx, c.NewClient, scanned(fn), topics...), topics)
}

// Follow is Read that goes on with what arrives. It blocks until ctx ends or fn returns an error, and returns that error.
func (c Cluster) Follow(ctx context.Context, fn func(*Record) error, topics ...string) error {
	return readFailed(scan.Follow(ctx, c.NewClient, scanned(fn), topics...), topics)
}

func readFailed(err error, topics []string) error {
	return Explain(err, About{Operation: "read", Topic: strings.Join(topics, ", ")})
}

func scanned(fn func(*Record) error) func(*kgo.Record) error {
	return func(r *kgo.Record) error {
		return fn(&Record{
			Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, LeaderEpoch: r.LeaderEpoch, Timestamp: r.Timestamp,
			Key: r.Key, Value: r.Value, Headers: r.Headers,
		})
	}
}
