package groups

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Info is what a group is like at one moment. It is the caller's.
type Info struct {
	Name         string
	Type         string // "classic", "consumer" or "share"
	State        State
	ProtocolType string // "consumer" for consumers, "share" in a share group; "" before the first member
	Protocol     string // what the members agreed on, "cooperative-sticky", say, or the assignor; "" without members
	Generation   int32  // of a consumer group or a share group, its epoch
	Leader       string // member id; "" without members and in consumer groups
	Members      []Member
}

// Member is one member in an [Info].
type Member struct {
	ID         string
	InstanceID string // group.instance.id; "" for a dynamic member
	ClientID   string
	Host       string
	Epoch      int32  // member epoch; in a classic group the generation
	Metadata   []byte // what it joined with, under the group's protocol; nil in a consumer group
	Assignment []byte // what the leader gave it; nil in a consumer group
	// Partitions are those that it has, by topic and in order: in a consumer
	// group with what it has still to give up, in a classic group of consumers
	// what its Assignment says.
	Partitions map[string][]int32
}

// Committed returns what a group has committed for a partition. The leader
// epoch is -1 where the commit had none.
func (m *Manager) Committed(group, topic string, partition int32) (offset int64, leaderEpoch int32, metadata string, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.groups[group]
	if g == nil {
		return 0, 0, "", false
	}
	c, ok := g.offsets[topic][partition]
	return c.offset, c.leaderEpoch, c.metadata, ok
}

// Offset is what a group has committed for a partition.
type Offset struct {
	Topic       string
	Partition   int32
	Offset      int64
	LeaderEpoch int32 // -1 where the commit had none
	Metadata    string
}

// Offsets lists what a group has committed, by topic and partition.
func (m *Manager) Offsets(group string) []Offset {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.groups[group]
	if g == nil {
		return nil
	}
	var list []Offset
	for _, topic := range slices.Sorted(maps.Keys(g.offsets)) {
		for _, partition := range slices.Sorted(maps.Keys(g.offsets[topic])) {
			c := g.offsets[topic][partition]
			list = append(list, Offset{Topic: topic, Partition: partition, Offset: c.offset, LeaderEpoch: c.leaderEpoch, Metadata: c.metadata})
		}
	}
	return list
}

// Group describes a group, in any state; false where there is none.
func (m *Manager) Group(name string) (Info, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.groups[name]
	if g == nil {
		return Info{}, false
	}
	switch {
	case g.share != nil:
		return g.share.info(), true
	case g.consumer != nil:
		return g.consumer.info(), true
	}
	return g.classic.info(), true
}

func (c *classic) info() Info {
	info := Info{
		Name: c.g.name, Type: typeClassic, State: c.state,
		ProtocolType: c.protocolType, Generation: c.generation, Leader: c.leader,
	}
	if c.protocol != nil {
		info.Protocol = *c.protocol
	}
	for _, mb := range c.members {
		im := Member{
			ID: mb.id, ClientID: mb.client.ID, Host: mb.client.Host, Epoch: c.generation,
			Metadata: bytes.Clone(mb.metadata(info.Protocol)), Assignment: bytes.Clone(mb.assignment),
		}
		if mb.instance != nil {
			im.InstanceID = *mb.instance
		}
		var a kmsg.ConsumerMemberAssignment
		if c.protocolType == consumerProtocol && len(mb.assignment) > 0 && a.ReadFrom(mb.assignment) == nil {
			im.Partitions = make(map[string][]int32)
			for _, t := range a.Topics {
				im.Partitions[t.Topic] = slices.Sorted(slices.Values(t.Partitions))
			}
		}
		info.Members = append(info.Members, im)
	}
	return info
}

func (c *consumer) info() Info {
	info := Info{
		Name: c.g.name, Type: typeConsumer, State: c.state(),
		ProtocolType: consumerProtocol, Generation: c.epoch,
	}
	if len(c.members) > 0 {
		info.Protocol = c.assignor()
	}
	for _, id := range slices.Sorted(maps.Keys(c.members)) {
		mb := c.members[id]
		im := Member{ID: id, ClientID: mb.client.ID, Host: mb.client.Host, Epoch: mb.epoch, Partitions: make(map[string][]int32)}
		if mb.instance != nil {
			im.InstanceID = *mb.instance
		}
		for _, t := range c.named(grouped(mb.has())) {
			im.Partitions[t.Topic] = t.Partitions
		}
		info.Members = append(info.Members, im)
	}
	return info
}

func (s *share) info() Info {
	info := Info{Name: s.g.name, Type: typeShare, State: s.state(), ProtocolType: typeShare, Generation: s.epoch}
	if len(s.members) > 0 {
		info.Protocol = simpleName
	}
	for _, id := range slices.Sorted(maps.Keys(s.members)) {
		mb := s.members[id]
		im := Member{ID: id, ClientID: mb.client.ID, Host: mb.client.Host, Epoch: mb.epoch, Partitions: make(map[string][]int32)}
		for _, t := range grouped(mb.assigned) {
			if topic, ok := s.m.image.byID[t.id]; ok {
				im.Partitions[topic.Name] = t.partitions
			}
		}
		info.Members = append(info.Members, im)
	}
	return info
}

// Groups lists the names of all groups, sorted.
func (m *Manager) Groups() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.groups))
}

// Rebalance makes the members of a group join again, as a member that joins or
// leaves does; they learn of it by their next heartbeat. In a consumer group it
// starts a new epoch. It reports whether the group has members and is
// rebalancing now.
func (m *Manager) Rebalance(group string) bool {
	m.mu.Lock()
	defer m.unlock()
	g := m.groups[group]
	switch {
	case m.closed || g == nil:
		return false
	case g.share != nil:
		if len(g.share.members) == 0 {
			return false
		}
		g.share.epoch++
		return true
	case g.consumer != nil:
		if len(g.consumer.members) == 0 {
			return false
		}
		g.consumer.epoch++
		g.consumer.announce()
		return true
	case len(g.classic.members) == 0:
		return false
	}
	if g.classic.state != PreparingRebalance {
		g.classic.prepare("asked for")
	}
	return true
}

// Evict removes a member as if its session had expired now, also one whose
// request is waiting here. It reports whether there was such a member.
func (m *Manager) Evict(group, memberID string) bool {
	m.mu.Lock()
	defer m.unlock()
	g := m.groups[group]
	if m.closed || g == nil {
		return false
	}
	if g.share != nil {
		mb := g.share.members[memberID]
		if mb != nil {
			g.share.fence(mb, "it is evicted")
		}
		return mb != nil
	}
	if g.consumer != nil {
		mb := g.consumer.members[memberID]
		if mb != nil {
			g.consumer.fence("it is evicted", mb)
		}
		return mb != nil
	}
	c := g.classic
	switch {
	case c.pending[memberID] != nil:
		c.expirePending(memberID)
	case c.byID[memberID] != nil:
		c.evict(memberID, "member is evicted")
	default:
		return false
	}
	return true
}

// stateWaiter is one WaitState that waits.
type stateWaiter struct {
	group string
	state State
	err   error
	done  chan struct{}
}

func (w *stateWaiter) end(err error) {
	w.err = err
	close(w.done)
}

// WaitState waits until a group is in a state, or passes through it: a state
// that lasts no time, because everybody was there already, is not missed once
// WaitState is waiting. A group that does not exist is [Dead]. It returns the
// context's cause, wrapped, when ctx ends first, and [ErrClosed] when the
// Manager is closed.
func (m *Manager) WaitState(ctx context.Context, group string, state State) error {
	m.mu.Lock()
	now := Dead
	if g := m.groups[group]; g != nil {
		now = g.state()
	}
	if now == state || m.closed {
		defer m.mu.Unlock()
		if now != state {
			return ErrClosed
		}
		return nil
	}
	w := &stateWaiter{group: group, state: state, done: make(chan struct{})}
	m.waiters = append(m.waiters, w)
	m.mu.Unlock()

	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		m.mu.Lock()
		defer m.mu.Unlock()
		m.waiters = slices.DeleteFunc(m.waiters, func(x *stateWaiter) bool { return x == w })
		now = Dead
		if g := m.groups[group]; g != nil {
			now = g.state()
		}
		return fmt.Errorf("wait for group %q to be %s (it is %s): %w", group, state, now, context.Cause(ctx))
	}
}

// reached tells those who wait that a group is in a state.
func (m *Manager) reached(group string, s State) {
	m.waiters = slices.DeleteFunc(m.waiters, func(w *stateWaiter) bool {
		if w.group != group || w.state != s {
			return false
		}
		w.end(nil)
		return true
	})
}
