package broker

import (
	"cmp"
	"maps"
	"slices"

	"github.com/sordini-go/sordini/broker/internal/groups"
)

// Group is how a group is at one moment.
type Group struct {
	Name     string
	Type     string // "classic" or "consumer" (KIP-848)
	State    string // under Kafka's name, such as "Stable" or "PreparingRebalance"
	Protocol string // the assignor that the members agreed on; empty without members
	// Generation is the generation of a classic group, the epoch of a consumer group.
	Generation int32
	// Coordinator is a node id, -1 while no broker runs.
	Coordinator int32
	Members     []Member
}

// Member is one member of a group.
type Member struct {
	ID         string
	InstanceID string // empty: a dynamic member
	ClientID   string
	Host       string
	Metadata   []byte // what it joined with
	Assignment []byte // what it was given
	// Partitions are those that it has, by topic and in order; in a group of the consumer protocol (KIP-848) with those that it has still to give up.
	Partitions map[string][]int32
	// Epoch is the member's epoch, or in a classic group the generation.
	Epoch int32
}

// Commit is what a group has committed for a partition.
type Commit struct {
	Topic       string
	Partition   int32
	Offset      int64
	LeaderEpoch int32 // -1 where it was committed without
	Metadata    string
}

// Lag is how far a group is behind in one partition, as kafka-consumer-groups tells it.
type Lag struct {
	Topic     string
	Partition int32
	Committed int64 // -1 where nothing is committed
	End       int64 // the high watermark
	// Lag is how many offsets are between the two; from the start of the log where nothing is committed or what follows the commit was deleted. Offsets of
	// markers of transactions and of what compaction removed count.
	Lag    int64
	Member string // the id of who has the partition; empty where nobody has
}

// Group returns how a group is; false where there is none.
func (c *Cluster) Group(name string) (Group, bool) {
	info, ok := c.groups.Group(name)
	if !ok {
		return Group{Name: name, Coordinator: c.ofGroup(name)}, false
	}
	return Group{
		Name: name, Type: info.Type, State: string(info.State), Protocol: info.Protocol, Generation: info.Generation, Coordinator: c.ofGroup(name),
		Members: members(info),
	}, true
}

func members(info groups.Info) []Member {
	list := make([]Member, len(info.Members))
	for i, m := range info.Members {
		list[i] = Member{ID: m.ID, InstanceID: m.InstanceID, ClientID: m.ClientID, Host: m.Host, Metadata: m.Metadata, Assignment: m.Assignment,
			Partitions: m.Partitions, Epoch: m.Epoch}
	}
	return list
}

// Coordinator returns the node id of a group's coordinator, -1 while no broker runs.
func (c *Cluster) Coordinator(group string) int32 { return c.ofGroup(group) }

// Committed returns the offset that a group has committed for a partition, and the metadata that was committed with it.
func (c *Cluster) Committed(group, topic string, partition int32) (offset int64, metadata string, ok bool) {
	c.refreshGroups()
	offset, _, metadata, ok = c.groups.Committed(group, topic, partition)
	return offset, metadata, ok
}

// Commits returns all that a group has committed, by topic and partition.
func (c *Cluster) Commits(group string) []Commit {
	c.refreshGroups()
	var list []Commit
	for _, o := range c.groups.Offsets(group) {
		list = append(list, Commit{Topic: o.Topic, Partition: o.Partition, Offset: o.Offset, LeaderEpoch: o.LeaderEpoch, Metadata: o.Metadata})
	}
	return list
}

// Lag returns how far a group is behind, for every partition that it has committed or that one of its members has, by topic and partition.
func (c *Cluster) Lag(group string) []Lag {
	type place struct {
		topic     string
		partition int32
	}
	all := make(map[place]Lag)
	for _, o := range c.Commits(group) {
		all[place{o.Topic, o.Partition}] = Lag{Topic: o.Topic, Partition: o.Partition, Committed: o.Offset}
	}
	for _, m := range c.Members(group) {
		for topic, partitions := range m.Partitions {
			for _, i := range partitions {
				l, committed := all[place{topic, i}]
				if !committed {
					l = Lag{Topic: topic, Partition: i, Committed: -1}
				}
				l.Member = m.ID
				all[place{topic, i}] = l
			}
		}
	}
	list := make([]Lag, 0, len(all))
	for l := range maps.Values(all) {
		p, err := c.Partition(l.Topic, l.Partition)
		if err != nil {
			continue // deleted meanwhile
		}
		l.End = p.HighWatermark
		l.Lag = max(l.End-max(l.Committed, p.Start), 0)
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b Lag) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return list
}

// Groups returns the names of all groups, sorted.
func (c *Cluster) Groups() []string { return c.groups.Groups() }

// Members returns the members of a group, none where there is no such group.
func (c *Cluster) Members(group string) []Member {
	info, _ := c.groups.Group(group)
	return members(info)
}

// GroupState returns the state of a group under Kafka's name, such as "Stable" or "PreparingRebalance"; "Dead" where there is no such group.
func (c *Cluster) GroupState(group string) string {
	info, ok := c.groups.Group(group)
	if !ok {
		return "Dead"
	}
	return string(info.State)
}
