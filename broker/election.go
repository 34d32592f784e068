package broker

import (
	"slices"
	"time"
)

// election says who may become leader when the one there is cannot lead.
type election int

const (
	electOnline    election = iota // an in-sync replica, or an eligible one where none is in sync
	electPreferred                 // the same, the first replica before the one that leads
	electUnclean                   // any replica, where there is no other
	electNamed                     // the one that is named, where it runs
)

// change is what is to become of a partition. What is nil stays as it is.
type change struct {
	isr              []int32
	replicas         []int32
	adding, removing []int32 // taken where replicas is given
	election         election
	barred           int32   // must not lead; 0: nobody
	named            int32   // whom electNamed elects
	lost             []int32 // brokers that ended uncleanly: nobody knows what they still hold
}

// changeLocked is the controller: it completes a reassignment that can be, keeps account of eligible leaders (KIP-966), elects, and puts the result into
// force, in the order in which Kafka's does. It reports whether anything has changed.
func (p *partition) changeLocked(ch change) bool {
	old, oldLeader := p.assignment, p.leader
	next := old
	if ch.isr != nil {
		next.isr = ch.isr
	}
	if ch.replicas != nil {
		next.replicas, next.adding, next.removing = ch.replicas, ch.adding, ch.removing
	}
	next.complete()
	minISR := min(p.topic.settings.Load().MinISR, len(p.replicas))
	next.account(old.isr, minISR, ch.lost)
	// What a coordinator knows it does not have from its log, so that of an internal topic any replica may lead.
	if ch.election == electOnline && (p.topic.settings.Load().Unclean || p.topic.internal()) {
		ch.election = electUnclean
	}
	acceptable := func(id int32) bool {
		n := p.cluster.node(id)
		return id != ch.barred && !slices.Contains(ch.lost, id) && slices.Contains(next.replicas, id) && n != nil && n.isAlive() && !n.stopping.Load() && !n.disk.failed.Load()
	}
	leader, unclean := next.elect(oldLeader, ch.election, acceptable)
	if ch.election == electNamed && acceptable(ch.named) {
		leader, unclean = ch.named, !slices.Contains(next.isr, ch.named)
	}
	elected := leader != oldLeader
	if elected && slices.Contains(next.elr, leader) {
		next.isr = []int32{leader}
		next.elr = slices.DeleteFunc(slices.Clone(next.elr), func(id int32) bool { return id == leader })
	}
	if elected && unclean {
		next.isr, next.elr = []int32{leader}, nil
		p.unclean++
	}
	switch {
	case leader != noLeader:
		next.lastELR = nil
	case len(next.isr) == 0 && len(old.isr) > 0 && oldLeader != noLeader:
		next.lastELR = []int32{oldLeader}
	}
	removed := slices.ContainsFunc(old.replicas, func(id int32) bool { return !slices.Contains(next.replicas, id) })
	if !elected && !removed && same(old, next) {
		return false
	}
	next.version++
	p.assignment = next
	p.placeLocked()
	if elected || removed {
		p.leadLocked(leader)
	}
	p.noteLocked()
	c := p.cluster
	c.changes.Add(1)
	c.log.Info("partition changed", "topic", p.topic.name, "partition", p.index, "leader", p.leader, "epoch", p.epoch, "isr", p.isr, "elr", p.elr,
		"replicas", p.replicas, "unclean", unclean)
	p.advanceLocked()
	p.notifyLocked()
	c.balanceSoon(p)
	return true
}

func same(a, b assignment) bool {
	return slices.Equal(a.replicas, b.replicas) && slices.Equal(a.isr, b.isr) && slices.Equal(a.elr, b.elr) && slices.Equal(a.lastELR, b.lastELR) &&
		slices.Equal(a.adding, b.adding) && slices.Equal(a.removing, b.removing)
}

// complete ends a reassignment once every replica that stays is in sync.
func (a *assignment) complete() {
	if len(a.adding) == 0 && len(a.removing) == 0 {
		return
	}
	gone := func(id int32) bool { return slices.Contains(a.removing, id) }
	isr := slices.DeleteFunc(slices.Clone(a.isr), gone)
	replicas := slices.DeleteFunc(slices.Clone(a.replicas), gone)
	if len(isr) == 0 || len(replicas) == 0 {
		return
	}
	for _, id := range replicas {
		if !slices.Contains(isr, id) {
			return
		}
	}
	a.isr, a.replicas, a.adding, a.removing = isr, replicas, nil, nil
	a.elr = slices.DeleteFunc(slices.Clone(a.elr), gone)
}

// account renews the eligible leaders: who was in sync when fewer than min.insync.replicas were left, and so holds all that was acknowledged since. Who
// ended uncleanly may have lost some of it.
func (a *assignment) account(before []int32, minISR int, lost []int32) {
	if len(a.isr) >= minISR {
		a.elr = nil
		return
	}
	var elr []int32
	for _, id := range append(slices.Clone(a.elr), before...) {
		if !slices.Contains(a.isr, id) && !slices.Contains(lost, id) && !slices.Contains(elr, id) && slices.Contains(a.replicas, id) {
			elr = append(elr, id)
		}
	}
	slices.Sort(elr)
	a.elr = elr
}

// elect finds the leader. The second value says that it need not hold what was acknowledged.
func (a *assignment) elect(leader int32, how election, acceptable func(int32) bool) (int32, bool) {
	valid := func(id int32) bool {
		return (slices.Contains(a.isr, id) || len(a.isr) == 0 && slices.Contains(a.elr, id)) && acceptable(id)
	}
	if how == electPreferred && valid(a.replicas[0]) {
		return a.replicas[0], false
	}
	if leader != noLeader && valid(leader) {
		return leader, false
	}
	for _, id := range a.replicas {
		if valid(id) {
			return id, false
		}
	}
	if len(a.isr) == 0 && len(a.elr) == 0 && len(a.lastELR) == 1 && acceptable(a.lastELR[0]) {
		return a.lastELR[0], true
	}
	if how == electUnclean {
		for _, id := range a.replicas {
			if acceptable(id) {
				return id, true
			}
		}
	}
	return noLeader, false
}

// placeLocked gives each assigned replica a log and drops those of brokers that are replicas no more.
func (p *partition) placeLocked() {
	copies := make([]*replica, 0, len(p.replicas))
	for _, id := range p.replicas {
		r := p.copyLocked(id)
		if r == nil {
			r = newReplica(id)
			r.log = p.newLog(id)
		}
		copies = append(copies, r)
	}
	p.copies = copies
}

// leadLocked makes a broker the leader, in a new epoch.
func (p *partition) leadLocked(id int32) {
	p.leader = id
	p.epoch++
	if id == noLeader {
		return
	}
	p.lead = p.copyLocked(id)
	p.log = p.lead.log
	p.epochStart = p.log.End()
	p.lead.epoch = p.epoch
	p.log.BeginEpoch(p.epoch)
	now := time.Now()
	for _, f := range p.copies {
		f.caughtUp = now // a new leader gives each follower its time
	}
}
