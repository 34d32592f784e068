package groups

import (
	"maps"
	"slices"
	"time"
)

// The states of a consumer group, besides [Empty], [Stable] and [Dead].
const (
	// Assigning: something has changed and no assignment has been computed for
	// it yet.
	Assigning State = "Assigning"
	// Reconciling: there is an assignment, and not all members have it.
	Reconciling State = "Reconciling"
)

// partition is one partition of one topic.
type partition struct {
	topic topicID
	num   int32
}

// A set of partitions, with the member epoch in which each was assigned.
type owned map[partition]int32

// memberState is how far a member is on its way to its assignment.
type memberState int

const (
	reconciled memberState = iota // it has what it should have in its epoch
	unrevoked                     // it must first give partitions up
	unreleased                    // it waits for partitions that others must give up
)

// consumer is a group of the protocol that ConsumerGroupHeartbeat makes
// (KIP-848): the coordinator assigns, and leads each member to its assignment,
// partition by partition.
type consumer struct {
	m *Manager
	g *group

	epoch           int32 // grows with every change of members, subscriptions or topics
	assignmentEpoch int32 // the epoch that target was computed for
	assignedAt      time.Time

	members map[string]*consumerMember
	static  map[string]*consumerMember
	reads   map[string]bool               // what all of them subscribe to; nil: to be found out
	target  map[string]map[partition]bool // what each member is to have
	owner   map[partition]string          // who has what, or has still to give it up

	refresh  bool  // topics may have changed
	topics   int64 // fingerprint of the subscribed topics
	resolved map[string]map[string]bool
	// When regular expressions were last resolved, and with which topics.
	resolvedAt  time.Time
	resolvedFor int64
	resolving   alarm

	last State // that anybody who waits has been told of

	kept kept // in __consumer_offsets
}

// consumerMember is a member of a consumer group. What a request changes of it
// is a value, so that a request which is refused has changed nothing.
type consumerMember struct {
	memberData
	session, rebalance alarm
	join, sync         alarm // of a member that speaks the classic protocol
}

type memberData struct {
	id       string
	instance *string
	rack     *string
	client   Client
	timeout  int32 // of its rebalances, in milliseconds; -1: not said
	assignor *string
	topics   map[string]bool
	regex    string

	epoch, previous int32
	state           memberState
	assigned        owned // what it has
	revoking        owned // what it has to give up

	classic *classicData // of a member that speaks the classic protocol
}

// classicData is what a member says in JoinGroup and not in
// ConsumerGroupHeartbeat.
type classicData struct {
	session   time.Duration
	protocols []protocol
}

// departed is the epoch of a static member that has left for a while.
const departed = -2

func newConsumer(m *Manager, g *group) *consumer {
	return &consumer{
		m: m, g: g, refresh: true, last: Empty,
		epoch:    1, // so that the first assignment is of an epoch, even of nothing
		members:  make(map[string]*consumerMember),
		static:   make(map[string]*consumerMember),
		target:   make(map[string]map[partition]bool),
		owner:    make(map[partition]string),
		resolved: make(map[string]map[string]bool),
		kept:     kept{targets: true},
	}
}

func (c *consumer) state() State {
	if len(c.members) == 0 {
		return Empty
	}
	if c.epoch > c.assignmentEpoch {
		return Assigning
	}
	for _, mb := range c.members {
		if !mb.at(c.assignmentEpoch) {
			return Reconciling
		}
	}
	return Stable
}

// announce tells those who wait for a state. It comes after every change.
func (c *consumer) announce() {
	c.notes()
	if s := c.state(); s != c.last {
		c.last = s
		c.m.reached(c.g.name, s)
		c.m.watch(c.g)
	}
}

// at reports whether a member has the assignment of an epoch.
func (d *memberData) at(epoch int32) bool { return d.state == reconciled && d.epoch == epoch }

// subscription is what a member reads: by name and by regular expression.
func (c *consumer) subscription(d *memberData) map[string]bool {
	byRegex := c.resolved[d.regex]
	if d.regex == "" || len(byRegex) == 0 {
		return d.topics
	}
	all := maps.Clone(byRegex)
	maps.Copy(all, d.topics)
	return all
}

// subscribed is what all members read. Who changes that calls resubscribed.
func (c *consumer) subscribed() map[string]bool {
	if c.reads == nil {
		c.reads = make(map[string]bool)
		for _, mb := range c.members {
			maps.Copy(c.reads, c.subscription(&mb.memberData))
		}
	}
	return c.reads
}

// resubscribed notes that members come or go, or change what they subscribe to.
func (c *consumer) resubscribed() {
	c.reads = nil
	c.m.watch(c.g)
}

// subscribers counts the members with a regular expression.
func (c *consumer) subscribers(regex string) (n int) {
	for _, mb := range c.members {
		if mb.regex == regex {
			n++
		}
	}
	return n
}

// set makes d the data of mb, new or not, and keeps account of who owns what.
func (c *consumer) set(mb *consumerMember, d memberData) {
	c.disown(mb)
	mb.memberData = d
	c.kept.touch(d.id)
	c.members[d.id] = mb
	if d.instance != nil {
		c.static[*d.instance] = mb
	}
	for _, o := range []owned{d.assigned, d.revoking} {
		for p := range o {
			c.owner[p] = d.id
		}
	}
}

func (c *consumer) disown(mb *consumerMember) {
	for _, o := range []owned{mb.assigned, mb.revoking} {
		for p := range o {
			if c.owner[p] == mb.id {
				delete(c.owner, p)
			}
		}
	}
}

// drop forgets a member, and nothing else changes.
func (c *consumer) drop(mb *consumerMember) {
	c.disown(mb)
	c.kept.touch(mb.id)
	delete(c.members, mb.id)
	delete(c.target, mb.id)
	if mb.instance != nil && c.static[*mb.instance] == mb {
		delete(c.static, *mb.instance)
	}
	c.unset(mb)
}

func (c *consumer) unset(mb *consumerMember) {
	for _, a := range []*alarm{&mb.session, &mb.rebalance, &mb.join, &mb.sync} {
		c.m.unset(a)
	}
}

// fence removes members, for whatever reason, which starts a new epoch. A group
// that is left with members of the classic protocol only becomes a classic one.
func (c *consumer) fence(why string, ms ...*consumerMember) {
	if len(ms) == 0 {
		return
	}
	for _, mb := range ms {
		c.m.log("member is removed", "group", c.g.name, "member", mb.id, "why", why)
	}
	for _, mb := range ms {
		c.drop(mb)
	}
	if c.downgradable() {
		c.toClassic(true)
		return
	}
	c.forgetRegexes()
	c.resubscribed()
	c.topics = c.m.image.fingerprint(c.subscribed())
	c.epoch++
	c.announce()
}

// forgetRegexes drops what nobody subscribes with any more.
func (c *consumer) forgetRegexes() {
	for regex := range c.resolved {
		if c.subscribers(regex) == 0 {
			delete(c.resolved, regex)
			c.kept.regexes = true
		}
	}
}

// assignor is the one that most members ask for, the first of the list where none does.
func (c *consumer) assignor() string {
	votes := make(map[string]int)
	for _, mb := range c.members {
		if mb.assignor != nil {
			votes[*mb.assignor]++
		}
	}
	best := c.m.cfg.Consumer.Assignors[0]
	for i, name := range javaOrder(slices.Sorted(maps.Keys(votes))) {
		if i == 0 || votes[name] > votes[best] {
			best = name
		}
	}
	return best
}

// settings returns the settings of this group.
func (c *consumer) settings() ConsumerConfig { return c.m.cfg.ConsumerOf(c.g.name, c.m.cfg.Consumer) }

// assign computes the target assignment of the current epoch, unless the last
// one is too recent.
func (c *consumer) assign() {
	if c.assignmentEpoch >= c.epoch {
		return
	}
	if wait := c.settings().AssignmentInterval; wait > 0 && !c.assignedAt.IsZero() && time.Since(c.assignedAt) < wait {
		return
	}
	spec := assignorSpec{partitions: make(map[topicID]int32)}
	for _, id := range javaOrder(slices.Sorted(maps.Keys(c.members))) {
		mb := c.members[id]
		sm := specMember{id: id, instance: mb.instance, topics: make(map[topicID]bool), old: c.target[id]}
		for name := range c.subscription(&mb.memberData) {
			if t, ok := c.m.image.byName[name]; ok {
				sm.topics[t.ID] = true
				spec.partitions[t.ID] = t.Partitions
			}
		}
		spec.members = append(spec.members, sm)
	}
	name := c.assignor()
	c.target, c.kept.targets = assignors[name](spec), true
	c.assignmentEpoch, c.assignedAt = c.epoch, time.Now()
	c.m.log("group is assigned", "group", c.g.name, "epoch", c.epoch, "members", len(c.members), "assignor", name)
}

func (c *consumer) close() {
	for _, mb := range c.members {
		c.unset(mb)
	}
	c.m.unset(&c.resolving)
}
