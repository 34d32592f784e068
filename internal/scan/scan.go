// Package scan reads topics outside any group: from the earliest record to the end, or on and on. It commits nothing.
package scan

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/internal/admin"
)

// stalled is how long a scan waits for a partition to come nearer to its end before it gives up.
const stalled = time.Minute

// Client makes the scan's franz-go client: sordini.Cluster's NewClient.
type Client func(...kgo.Opt) (*kgo.Client, error)

// ToEnd calls fn with every committed record of the topics that was there when it was called: a partition's in offset order, partitions interleaved.
// It blocks until all are read, ctx ends, fn fails, or a partition comes no nearer to its end for a minute. The record is fn's to keep.
func ToEnd(ctx context.Context, connect Client, fn func(*kgo.Record) error, topics ...string) error {
	return run(ctx, connect, fn, true, topics)
}

// Follow calls fn with every committed record of the topics, and goes on with what arrives, until ctx ends or fn fails.
func Follow(ctx context.Context, connect Client, fn func(*kgo.Record) error, topics ...string) error {
	return run(ctx, connect, fn, false, topics)
}

type partition struct {
	topic string
	id    int32
}

func run(ctx context.Context, connect Client, fn func(*kgo.Record) error, bounded bool, topics []string) error {
	cl, err := connect(
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // so that an end that is a transaction marker is seen
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return err
	}
	defer cl.CloseAllowingRebalance()

	ask, first, last, err := bounds(ctx, cl, topics)
	if err != nil {
		return err
	}

	ends := map[partition]int64{} // the partitions that are not read yet
	from := map[string]map[int32]kgo.Offset{}
	for topic, ps := range ask {
		for _, p := range ps {
			start, end := first[topic][p], last[topic][p]
			if bounded && start.Offset >= end.Offset {
				continue
			}
			ends[partition{topic, p}] = end.Offset
			if from[topic] == nil {
				from[topic] = map[int32]kgo.Offset{}
			}
			from[topic][p] = kgo.NewOffset().At(start.Offset)
		}
	}
	cl.AddConsumePartitions(from)

	for !bounded || len(ends) > 0 {
		fs, err := poll(ctx, cl, bounded)
		if err != nil {
			return err
		}
		var failed error
		fs.EachError(func(topic string, p int32, err error) {
			failed = errors.Join(failed, fmt.Errorf("read %s[%d]: %w", topic, p, err))
		})
		if failed != nil {
			return failed
		}
		if bounded && fs.Empty() {
			return fmt.Errorf("read: no progress for %s: %s", stalled, unread(ends))
		}
		for iter := fs.RecordIter(); !iter.Done(); {
			r := iter.Next()
			at := partition{r.Topic, r.Partition}
			end, open := ends[at]
			if bounded && (!open || r.Offset >= end) {
				delete(ends, at)
				continue
			}
			if !r.Attrs.IsControl() {
				if err := fn(r); err != nil {
					return err
				}
			}
			if bounded && r.Offset+1 >= end {
				delete(ends, at)
			}
		}
	}
	return nil
}

type offsets map[string]map[int32]admin.Offset

// bounds asks where each partition begins and ends. A partition without a leader (its topic was just created, its broker just died) is asked again, for a minute.
func bounds(ctx context.Context, cl *kgo.Client, topics []string) (ask map[string][]int32, first, last offsets, err error) {
	for deadline := time.Now().Add(stalled); ; {
		ask, first, last, err = boundsOnce(ctx, cl, topics)
		if err == nil || !kerr.IsRetriable(err) || errors.Is(err, errNoTopic) || time.Now().After(deadline) {
			return ask, first, last, err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, nil, nil, ctx.Err()
		}
	}
}

// errNoTopic marks an unknown topic, which Kafka calls retriable and which is most often a wrong name.
var errNoTopic = errors.New("no such topic")

func boundsOnce(ctx context.Context, cl *kgo.Client, topics []string) (ask map[string][]int32, first, last offsets, err error) {
	meta, err := admin.Metadata(ctx, cl, topics...)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("read %s: %w", strings.Join(topics, ", "), err)
	}
	ask = map[string][]int32{}
	for _, name := range topics {
		t := meta.Topic(name)
		if errors.Is(t.Err, kerr.UnknownTopicOrPartition) {
			return nil, nil, nil, fmt.Errorf("read %s: %w (%w)", name, t.Err, errNoTopic)
		}
		if t.Err != nil {
			return nil, nil, nil, fmt.Errorf("read %s: %w", name, t.Err)
		}
		for _, p := range t.Partitions {
			ask[name] = append(ask[name], p.ID)
		}
	}
	if first, err = list(ctx, cl, admin.Earliest, ask); err == nil {
		last, err = list(ctx, cl, admin.Latest, ask)
	}
	return ask, first, last, err
}

func list(ctx context.Context, cl *kgo.Client, at int64, ask map[string][]int32) (offsets, error) {
	found, err := admin.ListOffsets(ctx, cl, true, at, ask)
	if err != nil {
		return nil, err
	}
	for topic, ps := range found {
		for p, o := range ps {
			if o.Err != nil {
				return nil, fmt.Errorf("read %s[%d]: %w", topic, p, o.Err)
			}
		}
	}
	return found, nil
}

// poll waits for records; a bounded scan waits no longer than stalled, and gets none then.
func poll(ctx context.Context, cl *kgo.Client, bounded bool) (kgo.Fetches, error) {
	if !bounded {
		fs := cl.PollFetches(ctx)
		return fs, ctx.Err()
	}
	limited, cancel := context.WithTimeout(ctx, stalled)
	defer cancel()
	fs := cl.PollFetches(limited)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if limited.Err() != nil && fs.NumRecords() == 0 {
		return nil, nil
	}
	return fs, nil
}

func unread(ends map[partition]int64) string {
	var b strings.Builder
	for p, end := range ends {
		fmt.Fprintf(&b, "%s[%d] not read to %d; ", p.topic, p.id, end)
	}
	return strings.TrimSuffix(b.String(), "; ")
}
