package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
	"github.com/sordini-go/sordini/internal/admin"
)

// ErrMembers is wrapped by the error of Reset for a group that has members: they would go on where they are, and commit over the new position.
var ErrMembers = errors.New("the group has members")

// Reset commits a position for a group that has no members, in all partitions of the given topics, or of every topic that it has committed offsets for where
// none is given; its next members begin there. What the old commits knew of records beyond them is dropped, and the Fence of the next attempts is greater than
// all before. An Offset is only for topics with one partition. The dead letters and the inbox of the group stay as they are, and the companion topics of the
// runner are not reset with their source.
//
// It blocks until the brokers have acknowledged it. The brokers themselves refuse it for a group with members, whichever its protocol: then the error wraps
// ErrMembers, and nothing was changed. A group that never committed and is given no topics is refused (ErrConfig).
func Reset(ctx context.Context, cluster sordini.Cluster, group string, to Start, topics ...string) error {
	if err := reset(ctx, cluster, group, to, topics); err != nil {
		err = fmt.Errorf("reset group %q: %w", group, err)
		if errors.Is(err, ErrMembers) {
			return err // whose cause is known
		}
		return sordini.Explain(err, sordini.About{Group: group, Principal: cluster.Principal()})
	}
	return nil
}

func reset(ctx context.Context, cluster sordini.Cluster, group string, to Start, topics []string) error {
	if group == "" {
		return refuse("the group's name is empty")
	}
	cl, err := cluster.NewClient()
	if err != nil {
		return err
	}
	defer cl.Close()
	old, err := admin.CommittedOffsets(ctx, cl, group)
	if err != nil {
		return err
	}
	if len(topics) == 0 {
		if topics = slices.Sorted(maps.Keys(old)); len(topics) == 0 {
			return refuse("it has committed nothing; name the topics")
		}
	}
	meta, err := admin.Metadata(ctx, cl, topics...)
	if err != nil {
		return err
	}
	ask, ids := map[string][]int32{}, map[string][16]byte{}
	for _, name := range topics {
		t := meta.Topic(name)
		if t.Err != nil {
			return t.Err
		}
		if to.kind == startOffset && len(t.Partitions) > 1 {
			return refuse("topic %q has %d partitions, and an offset is a position in one; use Earliest, Latest or Time", name, len(t.Partitions))
		}
		ids[name] = t.ID
		for _, p := range t.Partitions {
			ask[name] = append(ask[name], p.ID)
		}
	}
	offsets, err := positions(ctx, cl, to, ask)
	if err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	commits := map[string]map[int32]admin.Committed{}
	for at, offset := range offsets {
		m := commitmeta.Metadata{TopicID: ids[at.topic], Base: offset, LeaderEpoch: -1, Incarnation: now}
		if before, err := commitmeta.Decode(old[at.topic][at.partition].Metadata); err == nil {
			m.Incarnation = max(now, before.Incarnation+1)
		}
		text, err := m.Encode(commitmeta.Base64, defaultMetadataMax)
		if err != nil {
			return err
		}
		if commits[at.topic] == nil {
			commits[at.topic] = map[int32]admin.Committed{}
		}
		commits[at.topic][at.partition] = admin.Committed{Offset: offset, LeaderEpoch: -1, Metadata: text}
	}
	err = admin.CommitOffsets(ctx, cl, group, ids, commits)
	for _, e := range []*kerr.Error{kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.RebalanceInProgress, kerr.StaleMemberEpoch} {
		if errors.Is(err, e) {
			return fmt.Errorf("%w; stop them first, or use Seek or Replay of the member that owns the partitions: %w", ErrMembers, err)
		}
	}
	return err
}
