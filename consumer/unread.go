package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/internal/admin"
)

// A coordinator may forget that it owes a group a rebalance. One way is known: a group becomes a classic one again when its last member of KIP-848's protocol leaves, and
// is written down with what its members were to get; then the coordinator moves before it has told them. The next one takes the group for stable, the members go on
// with less than everything, and nobody ever hears of it. So a member looks now and then whether somebody has every partition.

const (
	unreadInterval = 5 * time.Minute // between two looks
	unreadAgain    = time.Minute     // once something was found
	unreadLooks    = 3               // that have to find something, in one generation
	unreadTimeout  = 15 * time.Second
)

// unreadLoop looks for partitions that nobody reads, and lets the group share them out again.
func (e *engine) unreadLoop(stop <-chan struct{}) {
	ctx, cancel := until(stop)
	defer cancel()
	found, was := 0, membership{}
	for wait := unreadAgain; ; {
		select {
		case <-stop:
			return
		case <-time.After(wait):
		}
		now := e.membership()
		unread, err := e.unread(ctx, now)
		if err != nil {
			continue // nothing was seen
		}
		if len(unread) == 0 || now != e.membership() {
			found, wait = 0, unreadInterval
			e.resolve("unread")
			continue
		}
		if now != was {
			found, was = 0, now
		}
		wait = unreadAgain
		if found++; found < unreadLooks {
			continue
		}
		e.report("unread", Reason{
			Code: "partitions-unread", Topic: unread[0].topic, Partition: unread[0].partition,
			Summary: fmt.Sprintf("no member of the group reads %s, though it does not rebalance; this member joins again so that they are shared out", list(namesOf(unread))),
		})
		e.log.Error("partitions are read by no member of the group: joining again", "partitions", namesOf(unread))
		e.cl.ForceRebalance()
	}
}

// unread returns the partitions that no member reads, as far as the broker and this member know: those that were assigned to nobody, and those that this one does
// not know to be its own. It returns none while the group rebalances, or this member asks where its partitions begin.
func (e *engine) unread(ctx context.Context, m membership) ([]tp, error) {
	if e.troubled("offsets") {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, unreadTimeout)
	defer cancel()
	var sources []string
	for _, t := range e.topics {
		sources = append(sources, t.name)
	}
	meta, err := admin.Metadata(ctx, e.side, sources...)
	if err != nil {
		return nil, err
	}
	read, err := e.assigned(ctx, m)
	if err != nil || read == nil {
		return nil, err
	}
	var unread []tp
	for _, name := range sources {
		for _, p := range meta.Topic(name).Partitions {
			if !read[tp{name, p.ID}] {
				unread = append(unread, tp{name, p.ID})
			}
		}
	}
	return unread, nil
}

// assigned returns what the members of the group read: nil where it is not stable.
func (e *engine) assigned(ctx context.Context, m membership) (map[tp]bool, error) {
	read := map[tp]bool{}
	for _, p := range e.partitions() {
		read[tp{p.topic.name, p.id}] = true
	}
	classic := kmsg.NewPtrDescribeGroupsRequest()
	classic.Groups = []string{e.g.name}
	resp, err := admin.AskCoordinator(ctx, e.side, classic.RequestWith)
	if err != nil {
		return nil, err
	}
	for _, g := range resp.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); errors.Is(err, kerr.GroupIDNotFound) || err == nil && g.State == "Dead" {
			return e.assignedByBroker(ctx, m, read)
		} else if err != nil || g.State != "Stable" {
			return nil, err
		}
		for _, mb := range g.Members {
			var a kmsg.ConsumerMemberAssignment
			if mb.MemberID == m.id || len(mb.MemberAssignment) == 0 {
				continue
			}
			if err := a.ReadFrom(mb.MemberAssignment); err != nil {
				return nil, err
			}
			for _, t := range a.Topics {
				for _, p := range t.Partitions {
					read[tp{t.Topic, p}] = true
				}
			}
		}
	}
	return read, nil
}

// assignedByBroker is assigned for a group of KIP-848's protocol.
func (e *engine) assignedByBroker(ctx context.Context, m membership, read map[tp]bool) (map[tp]bool, error) {
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = []string{e.g.name}
	resp, err := admin.AskCoordinator(ctx, e.side, req.RequestWith)
	if err != nil {
		return nil, err
	}
	for _, g := range resp.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil || g.State != "Stable" {
			return nil, err
		}
		for _, mb := range g.Members {
			if mb.MemberID == m.id {
				continue
			}
			for _, t := range mb.Assignment.TopicPartitions {
				for _, p := range t.Partitions {
					read[tp{t.Topic, p}] = true
				}
			}
		}
	}
	return read, nil
}

// namesOf names partitions, in order.
func namesOf(parts []tp) []string {
	s := make([]string, len(parts))
	for i, p := range parts {
		s[i] = p.String()
	}
	slices.Sort(s)
	return s
}
