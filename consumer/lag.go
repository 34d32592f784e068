package consumer

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/internal/admin"
)

// GroupLag is how far a group is behind, as its commits and the logs tell it.
type GroupLag struct {
	Group      string         `json:"group"`
	Lag        int64          `json:"lag"`   // over the partitions, its inboxes left out
	Inbox      int64          `json:"inbox"` // offsets of its inboxes that are not committed: records that wait to be tried again, and those that ended among them
	Partitions []PartitionLag `json:"partitions,omitempty"`
}

// PartitionLag is how far a group is behind in one partition.
type PartitionLag struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed int64  `json:"committed"` // -1 where nothing is committed
	Start     int64  `json:"start"`     // the first offset of the log
	End       int64  `json:"end"`       // the last stable offset: what a transaction that is not over has written is not behind yet
	Lag       int64  `json:"lag"`       // from Committed to End; from Start where nothing is committed or that was deleted
	Done      int64  `json:"done"`      // how many of those the runner has handled out of order: its commit names them
	Inbox     bool   `json:"inbox"`     // the topic is an inbox of the group
}

// Lag asks how far a group is behind, without being a member of it. It goes by what the group committed rather than by who its members are, so that it is right
// for every protocol (KIP-848 too), for groups without members, and for those of other clients. It reports all partitions of every topic that the group has
// committed something for; a topic that it never committed for is not known to be its own. It needs DESCRIBE on the group and its topics, blocks until ctx ends
// at the latest, and returns no lag for a group that does not exist.
//
// For a group of this package Lag and Group.Status agree but for what was not committed yet.
func Lag(ctx context.Context, cluster sordini.Cluster, group string) (GroupLag, error) {
	l, err := lag(ctx, cluster, group)
	if err != nil {
		return GroupLag{}, sordini.Explain(fmt.Errorf("lag of group %q: %w", group, err), sordini.About{Group: group, Principal: cluster.Principal()})
	}
	return l, nil
}

func lag(ctx context.Context, cluster sordini.Cluster, group string) (GroupLag, error) {
	l := GroupLag{Group: group}
	if group == "" {
		return l, refuse("the group's name is empty")
	}
	cl, err := cluster.NewClient()
	if err != nil {
		return l, err
	}
	defer cl.Close()
	committed, err := admin.CommittedOffsets(ctx, cl, group)
	if err != nil || len(committed) == 0 {
		return l, err
	}
	var topics []string
	inboxes := map[string]bool{}
	for name := range committed {
		topics = append(topics, name)
		if _, of, ok := dlt.ParseInboxName(name); ok && of == group {
			inboxes[name] = true
		}
	}
	meta, err := admin.Metadata(ctx, cl, topics...)
	if err != nil {
		return l, err
	}
	ask := map[string][]int32{}
	for _, name := range topics {
		for _, p := range meta.Topic(name).Partitions { // none where the topic is gone
			ask[name] = append(ask[name], p.ID)
		}
	}
	starts, err := admin.ListOffsets(ctx, cl, false, admin.Earliest, ask)
	if err != nil {
		return l, err
	}
	ends, err := admin.ListOffsets(ctx, cl, true, admin.Latest, ask)
	if err != nil {
		return l, err
	}
	for topic, ids := range ask {
		for _, id := range ids {
			start, end := starts[topic][id], ends[topic][id]
			if err := cmp.Or(start.Err, end.Err); err != nil {
				return l, err
			}
			p := PartitionLag{Topic: topic, Partition: id, Committed: -1, Start: start.Offset, End: end.Offset, Inbox: inboxes[topic]}
			from := start.Offset
			if c, ok := committed[topic][id]; ok {
				if c.Err != nil {
					return l, c.Err
				}
				p.Committed, from = c.Offset, max(from, c.Offset)
				p.Done = doneBeyond(c, meta.Topic(topic).ID)
			}
			p.Lag = max(0, end.Offset-from)
			if l.Partitions = append(l.Partitions, p); p.Inbox {
				l.Inbox += p.Lag
			} else {
				l.Lag += p.Lag
			}
		}
	}
	slices.SortFunc(l.Partitions, func(a, b PartitionLag) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return l, nil
}

// doneBeyond counts what a commit's metadata names as over.
func doneBeyond(c admin.Committed, topic [16]byte) (n int64) {
	m, err := commitmeta.Decode(c.Metadata)
	if err != nil || m.Matches(topic, c.Offset, c.LeaderEpoch) != nil {
		return 0
	}
	for r := range m.Completed.All() {
		n += r.To - r.From
	}
	return n
}
