package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/internal/admin"
)

// oldName is what a topic's companions were called before the topic had its present name (Topic.RenamedFrom). What waits in the old inbox, and what a redrive of the
// old dead letters puts there, is handled by the owner of the partition of the same number; nothing new comes there but what fails again.
type oldName struct {
	topic    string // "" where the topic had no other name
	deadName string
	inbox    string
	inboxID  [16]byte
	parts    int // of the inbox; 0 where there is none, and so nothing to drain
}

// renamed finds the old names of topics and refuses those that can not be drained once and in order.
func (g *Group) renamed(topics []*topicPlan) error {
	drained := map[string]string{}
	for _, t := range topics {
		if err := sordini.CheckContracts(t.specs...); err != nil {
			return fmt.Errorf("group %q: run: %w", g.name, err)
		}
		old := t.specs[0].RenamedFrom
		if old == "" || !g.cfg.deadLetters {
			continue
		}
		if slices.ContainsFunc(topics, func(o *topicPlan) bool { return o.name == old }) {
			return refuse("group %q: run: topic %q is RenamedFrom %q, which the group handles as well: its inbox would be read twice; leave out one of the two", g.name, t.name, old)
		}
		if by, ok := drained[old]; ok {
			return refuse("group %q: run: topics %q and %q are both RenamedFrom %q: its inbox can be drained by one of them", g.name, by, t.name, old)
		}
		drained[old] = t.name
		t.old.topic = old
		var err error
		if t.old.deadName, err = dlt.TopicName(old, g.name); err == nil {
			t.old.inbox, err = dlt.InboxName(old, g.name)
		}
		if err != nil {
			return fmt.Errorf("group %q: run: RenamedFrom: %w", g.name, err)
		}
	}
	return nil
}

// names are the topics to look up.
func (o *oldName) names() []string {
	if o.topic == "" {
		return nil
	}
	return []string{o.deadName, o.inbox}
}

// drains looks whether there is something to drain under a topic's old name, and says why it can not be. Where there are dead letters and no inbox to redrive them
// through, that is created: missing is how.
func (e *engine) drains(t *topicPlan, meta admin.Cluster, want admin.NewTopic) (missing []admin.NewTopic, ps []problem) {
	if t.old.topic == "" {
		return nil, nil
	}
	inbox, dead := meta.Topic(t.old.inbox), meta.Topic(t.old.deadName)
	switch {
	case errors.Is(inbox.Err, kerr.UnknownTopicOrPartition):
		if t.old.parts = len(dead.Partitions); dead.Err != nil || t.old.parts == 0 {
			t.old.parts = 0
			return nil, nil
		}
		want.Name, want.Partitions = t.old.inbox, t.old.parts
		missing = append(missing, want)
	case inbox.Err != nil:
		return nil, []problem{{text: fmt.Sprintf("topic %q, the inbox of the old name of %q, can not be used", t.old.inbox, t.name), fix: e.grant("Read", t.old.inbox), err: inbox.Err}}
	default:
		t.old.inboxID, t.old.parts = inbox.ID, len(inbox.Partitions)
		for _, op := range []struct {
			name string
			op   kmsg.ACLOperation
		}{{"Read", kmsg.ACLOperationRead}, {"Write", kmsg.ACLOperationWrite}} {
			if !inbox.Operations.Allows(op.op) {
				ps = append(ps, problem{
					text: fmt.Sprintf("topic %q, the inbox of the old name of %q, needs the right %s", t.old.inbox, t.name, op.name), fix: e.grant(op.name, t.old.inbox), err: kerr.TopicAuthorizationFailed,
				})
			}
		}
	}
	if t.old.parts > t.parts {
		ps = append(ps, problem{
			text: fmt.Sprintf("topic %q has %d partitions, and %q, the inbox of its old name, has %d: those beyond would have no owner", t.name, t.parts, t.old.inbox, t.old.parts),
			fix: fmt.Sprintf("kafka-topics --bootstrap-server %s --alter --topic %s --partitions %d (where records have keys, the order of a key breaks once at that moment)",
				e.g.cluster.Brokers[0], t.name, t.old.parts),
		})
	}
	return missing, ps
}

// inboxOfOldName is the log to drain beside a partition's own inbox, nil for none.
func (p *partition) inboxOfOldName() *inboxLog {
	o := &p.topic.old
	if int(p.id) >= o.parts {
		return nil
	}
	return &inboxLog{p: p, topic: o.inbox, id: o.inboxID, partition: p.id, committed: -1, unreadable: -1}
}

// cameFrom is the id of the topic that an attempt's record is of.
func (a *attempt) cameFrom() [16]byte {
	if a.wait != nil {
		return cmp.Or(a.wait.topicID, a.p.topic.id)
	}
	return a.p.topic.id
}

// settle waits until the inboxes that were created have leaders, and keeps their ids.
func (e *engine) settleCompanions(ctx context.Context, meta admin.Cluster, create []admin.NewTopic) error {
	created, err := admin.WaitLeaders(ctx, e.side, topicNames(create)...)
	if err != nil {
		return err
	}
	for _, t := range e.topics {
		t.inboxID = cmp.Or(meta.Topic(t.inbox).ID, created.Topic(t.inbox).ID)
		if t.old.parts > 0 {
			t.old.inboxID = cmp.Or(t.old.inboxID, created.Topic(t.old.inbox).ID)
		}
	}
	return nil
}
