package dlt

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/admin"
)

// Query says which dead letters to read.
type Query struct {
	Group  string   // the group that gave up; every group's when empty
	Topic  string   // the source topic; every topic's when empty
	Topics []string // further dead-letter topics by their own names, Spring's "orders-dlt" for instance; with these alone no others are looked for
}

// names returns the dead-letter topics that the query means: ours that exist, then those that it names.
func (q Query) names(ctx context.Context, cluster sordini.Cluster) ([]string, error) {
	var names []string
	if q.Group != "" || q.Topic != "" || len(q.Topics) == 0 {
		cl, err := cluster.NewClient()
		if err != nil {
			return nil, err
		}
		defer cl.Close()
		all, err := admin.Metadata(ctx, cl)
		if err != nil {
			return nil, err
		}
		for _, name := range all.Names() {
			source, group, ok := ParseTopicName(name)
			if ok && (q.Group == "" || q.Group == group) && (q.Topic == "" || q.Topic == source) {
				names = append(names, name)
			}
		}
	}
	return append(names, q.Topics...), nil
}

// Read yields the dead letters that are there when it begins: committed ones only, each partition's in offset order, partitions interleaved. It holds no more in
// memory than a fetch. It joins no group and commits nothing.
//
// A record that is no dead letter, or a malformed one, is yielded with an error that wraps [ErrNotDeadLetter] or [ErrMalformed] and a letter that has its
// Record, and reading goes on. Any other error is the last thing that is yielded. The letters may be kept.
func Read(ctx context.Context, cluster sordini.Cluster, q Query) iter.Seq2[Letter, error] {
	return func(yield func(Letter, error) bool) {
		names, err := q.names(ctx, cluster)
		if err != nil {
			yield(Letter{}, fmt.Errorf("find dead-letter topics: %w", err))
			return
		}
		if len(names) == 0 {
			return
		}
		err = cluster.Read(ctx, func(r *sordini.Record) error {
			if !yield(Parse(r)) {
				return errEnough
			}
			return nil
		}, names...)
		if err != nil && !errors.Is(err, errEnough) {
			yield(Letter{}, fmt.Errorf("read dead letters: %w", err))
		}
	}
}

// errEnough ends a read whose loop was left.
var errEnough = errors.New("enough")
