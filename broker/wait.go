package broker

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// The Wait methods block until the cluster is as they ask, looking again whenever something changes and at no other time. They return at once where it
// is so already. When the context ends first they return its cause, and [ErrClosed] when the cluster is closed first; both errors say what was there
// instead. In a bubble of testing/synctest they let virtual time pass.

// WaitRecords blocks until n records have ever been written to a topic and reached all in-sync replicas, over all partitions: those that were deleted
// since count too, markers of transactions do not. It fails with [ErrUnknownPartition] where there is no such topic.
func (c *Cluster) WaitRecords(ctx context.Context, topic string, n int64) error {
	type counted struct{ scanned, markers int64 }
	seen := make(map[*partition]*counted)
	return c.await(ctx, fmt.Sprintf("%d records of %s", n, topic), func() answered {
		partitions := c.partitionsOf(topic)
		if partitions == nil {
			return answered{err: ErrUnknownPartition}
		}
		have := int64(0)
		for _, p := range partitions {
			if seen[p] == nil {
				seen[p] = &counted{}
			}
			p.mu.Lock()
			at, end := seen[p], p.highWatermarkLocked()
			if end < at.scanned { // truncated
				*at = counted{}
			}
			for b := range p.log.Batches(max(at.scanned, p.log.Start())) {
				if b.BaseOffset() >= end {
					break
				}
				if b.Control() {
					at.markers += int64(b.Count())
				}
			}
			at.scanned = end
			have += end - at.markers
			p.mu.Unlock()
		}
		return answered{done: have >= n, instead: func() string { return fmt.Sprintf("have %d", have) }}
	})
}

// WaitCommitted blocks until a group has committed at least this offset for a partition.
func (c *Cluster) WaitCommitted(ctx context.Context, group, topic string, partition int32, offset int64) error {
	return c.await(ctx, fmt.Sprintf("group %s to commit %s[%d] up to %d", group, topic, partition, offset), func() answered {
		if c.partition(topic, partition) == nil {
			return answered{err: ErrUnknownPartition}
		}
		have, _, ok := c.Committed(group, topic, partition)
		return answered{done: ok && have >= offset, instead: func() string {
			if !ok {
				return fmt.Sprintf("it has committed nothing there (%s)", c.brief(group))
			}
			return fmt.Sprintf("it has committed %d (%s)", have, c.brief(group))
		}}
	})
}

// AnyMembers is a number of members that fits every group, for [Cluster.WaitGroup].
const AnyMembers = -1

// WaitGroup blocks until a group is in a state, under Kafka's name such as "Stable", and has this many members. A group that does not exist is "Dead".
// A state that passes at once may not be seen.
func (c *Cluster) WaitGroup(ctx context.Context, group, state string, members int) error {
	what := fmt.Sprintf("group %s to be %s", group, state)
	if members != AnyMembers {
		what += fmt.Sprintf(" with %d members", members)
	}
	return c.await(ctx, what, func() answered {
		g, ok := c.Group(group)
		if !ok {
			g.State = "Dead"
		}
		return answered{done: g.State == state && (members == AnyMembers || len(g.Members) == members), instead: func() string { return c.brief(group) }}
	})
}

// WaitLag blocks until a group has at most n records before it, over all partitions that [Cluster.Lag] knows of. A group that has neither members with
// partitions nor commits has not begun: it is waited for.
func (c *Cluster) WaitLag(ctx context.Context, group string, n int64) error {
	return c.await(ctx, fmt.Sprintf("group %s to have a lag of at most %d", group, n), func() answered {
		total, lags := int64(0), c.Lag(group)
		for _, l := range lags {
			total += l.Lag
		}
		return answered{done: len(lags) > 0 && total <= n, instead: func() string {
			if len(lags) == 0 {
				return fmt.Sprintf("it has no partitions and no commits (%s)", c.brief(group))
			}
			var behind []string
			for _, l := range lags {
				if l.Lag > 0 {
					behind = append(behind, fmt.Sprintf("%s[%d] %d of %d", l.Topic, l.Partition, l.Committed, l.End))
				}
			}
			return fmt.Sprintf("it has %d: %s (%s)", total, abridge(behind), c.brief(group))
		}}
	})
}

// NoLeader is the leader of a partition that has none.
const NoLeader = noLeader

// WaitLeader blocks until a broker leads a partition, or nobody with [NoLeader].
func (c *Cluster) WaitLeader(ctx context.Context, topic string, partition, broker int32) error {
	what := fmt.Sprintf("broker %d to lead %s[%d]", broker, topic, partition)
	if broker == NoLeader {
		what = fmt.Sprintf("%s[%d] to have no leader", topic, partition)
	}
	return c.awaitPartition(ctx, what, topic, partition, func(p Partition) bool { return p.Leader == broker })
}

// WaitInSync blocks until these brokers, in any order, are a partition's in-sync replicas.
func (c *Cluster) WaitInSync(ctx context.Context, topic string, partition int32, brokers ...int32) error {
	want := slices.Sorted(slices.Values(brokers))
	what := fmt.Sprintf("%s[%d] to have %v in sync", topic, partition, want)
	return c.awaitPartition(ctx, what, topic, partition, func(p Partition) bool { return slices.Equal(slices.Sorted(slices.Values(p.InSync)), want) })
}

// WaitPartition blocks until a partition is as a function wants it: for what the other methods do not ask. The text says what is waited for, in errors.
func (c *Cluster) WaitPartition(ctx context.Context, topic string, partition int32, what string, is func(Partition) bool) error {
	return c.awaitPartition(ctx, fmt.Sprintf("%s[%d] %s", topic, partition, what), topic, partition, is)
}

func (c *Cluster) awaitPartition(ctx context.Context, what, topic string, partition int32, is func(Partition) bool) error {
	return c.await(ctx, what, func() answered {
		p, err := c.Partition(topic, partition)
		if err != nil {
			return answered{err: ErrUnknownPartition}
		}
		return answered{done: is(p), instead: p.String}
	})
}

// WaitTransactionsEnded blocks until no transaction is open: each was committed or aborted, and all markers are written.
func (c *Cluster) WaitTransactionsEnded(ctx context.Context) error {
	return c.await(ctx, "all transactions to end", func() answered {
		var open []string
		for _, t := range c.Transactions() {
			if t.Open() {
				open = append(open, fmt.Sprintf("%s is %s", t.TransactionalID, t.State))
			}
		}
		return answered{done: len(open) == 0, instead: func() string { return abridge(open) }}
	})
}

// brief says in a few words how a group is.
func (c *Cluster) brief(group string) string {
	g, ok := c.Group(group)
	if !ok {
		return "there is no such group"
	}
	ids := make([]string, len(g.Members))
	for i, m := range g.Members {
		ids[i] = m.ID
	}
	switch len(ids) {
	case 0:
		return fmt.Sprintf("the group is %s without members", g.State)
	case 1:
		return fmt.Sprintf("the group is %s with 1 member: %s", g.State, ids[0])
	}
	return fmt.Sprintf("the group is %s with %d members: %s", g.State, len(ids), abridge(ids))
}

// abridge lists the first of many.
func abridge(list []string) string {
	const most = 8
	if more := len(list) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), more)
	}
	return strings.Join(list, ", ")
}
