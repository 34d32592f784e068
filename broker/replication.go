package broker

import (
	"slices"
	"time"

	"github.com/sordini-go/sordini/broker/internal/settings"
	"github.com/sordini-go/sordini/broker/internal/storage"
)

// replica is what one broker holds of a partition. It outlives the broker's end, as a disk does.
type replica struct {
	id   int32
	log  *storage.Log
	hw   int64 // the high watermark as this broker knows it
	held bool  // a test wants it to fetch nothing
	// epoch is that of the leader from which the replica has fetched last. While it is not the leader's, the leader does not know where the replica's
	// log ends, and the replica may hold what the leader does not have.
	epoch    int32
	caughtUp time.Time // when it last held all that the leader held; of a follower that does so, when it was last looked at
}

// newReplica is a replica that has fetched nothing yet. It is still to be given a log.
func newReplica(id int32) *replica { return &replica{id: id, epoch: storage.NoEpoch} }

// copyLocked returns what a broker holds of the partition, nil where it is no replica.
func (p *partition) copyLocked(id int32) *replica {
	for _, r := range p.copies {
		if r.id == id {
			return r
		}
	}
	return nil
}

// limits are what a topic's settings say of an append. A compacted log is rolled so often that max.compaction.lag.ms can be kept.
func limits(cfg *settings.Topic) storage.Limits {
	lim := storage.Limits{SegmentBytes: cfg.SegmentBytes, SegmentMs: cfg.SegmentMs, Jitter: cfg.SegmentJitter, AppendTime: cfg.AppendTime}
	if cfg.Compact {
		lim.SegmentMs = min(lim.SegmentMs, cfg.MaxLag.Milliseconds())
	}
	return lim
}

// minISRLocked is how many replicas must be in sync for a record to be acknowledged to a producer that wants all, and to be shown to consumers.
func (p *partition) minISRLocked() int { return min(p.topic.settings.Load().MinISR, len(p.replicas)) }

// appendedLocked is called after the leader has appended. A producer that wants the acknowledgement of all in-sync replicas has it at once where they
// can fetch: in Kafka it takes a round trip, here it is a step of the append. For others followers fetch a moment later, and what a leader has when it
// dies before that is lost.
func (p *partition) appendedLocked(acks int16) {
	switch {
	case len(p.copies) == 1:
		p.lead.hw = p.log.Synced()
	case acks == -1 || p.cluster.replicationDelay <= 0:
		p.replicateLocked()
	default:
		p.advanceLocked()
		p.watchLagLocked()
		if !p.soon {
			p.soon = true
			p.cluster.timers.after(p.cluster.replicationDelay, func() {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.soon = false
				p.replicateLocked()
			})
		}
	}
	p.notifyLocked()
}

// replicateLocked lets every follower that can fetch what the leader has, takes those that have caught up into the in-sync replicas, and moves the
// high watermark.
func (p *partition) replicateLocked() {
	if p.leader == noLeader || p.deleted || !p.cluster.node(p.leader).isRunning() {
		return
	}
	now := time.Now()
	for _, f := range p.copies {
		if p.fetchesLocked(f) {
			p.followLocked(f, now)
		}
	}
	p.settleLocked()
}

// settleLocked draws the consequences of what the replicas hold now: who is in sync, and how far the high watermark is.
func (p *partition) settleLocked() {
	before, epoch := p.lead.hw, p.epoch
	moved := false
	p.advanceLocked()
	if p.admitLocked() && p.epoch != epoch { // a reassignment is complete, and another leads
		p.replicateLocked()
		return
	}
	for _, f := range p.copies {
		if p.fetchesLocked(f) {
			hw := max(f.hw, min(p.lead.hw, f.log.End()))
			moved = moved || hw != f.hw
			f.hw = hw
		}
	}
	p.watchLagLocked()
	if moved || p.lead.hw != before {
		p.notifyLocked()
	}
}

// fetchesLocked says whether a follower is able to fetch from the leader.
func (p *partition) fetchesLocked(f *replica) bool {
	if f == p.lead || f.held {
		return false
	}
	n := p.cluster.node(f.id)
	return n.isRunning() && !n.held.Load() && !n.disk.failed.Load()
}

// followLocked makes a follower's log what the leader's is, as a replica fetcher does (KIP-101, KIP-279).
func (p *partition) followLocked(f *replica, now time.Time) {
	lead := p.log
	if f.epoch != p.epoch {
		p.truncateLocked(f)
		f.epoch = p.epoch
	}
	if f.log.End() < lead.Start() {
		f.log.Reset(lead.Start())
	}
	if f.log.End() < lead.End() {
		lim := limits(p.topic.settings.Load())
		n := p.cluster.node(f.id)
		for b := range lead.Batches(f.log.End()) {
			if !n.wroteLocked(len(b)) {
				return
			}
			if err := f.log.AppendReplica(b, n.now().UnixMilli(), lim); err != nil {
				p.cluster.log.Error("follower can not write", "broker", f.id, "topic", p.topic.name, "partition", p.index, "error", err)
				return
			}
		}
	}
	if start := min(lead.Start(), f.log.End()); start > f.log.Start() {
		f.log.DropBefore(start)
		p.notifyLocked() // who deletes records waits for it
	}
	f.caughtUp = now
}

// truncateLocked cuts off what a follower has and its new leader does not: beyond the end of the last epoch that both know.
func (p *partition) truncateLocked(f *replica) {
	for {
		last := f.log.LatestEpoch()
		if last == storage.NoEpoch {
			break // it is empty
		}
		end := f.log.End()
		epoch, leadEnd := p.log.EpochEnd(last)
		if epoch == storage.NoEpoch {
			f.log.Truncate(min(end, p.log.End()))
			break
		}
		if epoch == last && leadEnd >= end {
			break
		}
		to := min(leadEnd, end)
		if _, own := f.log.EpochEnd(epoch); own != storage.NoOffset {
			to = min(to, own)
		}
		if f.log.Truncate(to); f.log.End() == end && f.log.LatestEpoch() == last {
			break
		}
	}
	if end := f.log.End(); f.hw > end {
		f.hw = end
	}
}

// advanceLocked moves the leader's high watermark to what all in-sync replicas are known to hold. It does not go back, and it rests while fewer are in
// sync than min.insync.replicas asks for.
func (p *partition) advanceLocked() {
	if p.leader == noLeader || len(p.isr) < p.minISRLocked() {
		return
	}
	hw := p.log.Synced()
	for _, f := range p.copies {
		if f == p.lead || !slices.Contains(p.isr, f.id) || p.cluster.careless {
			continue
		}
		if f.epoch != p.epoch {
			return
		}
		hw = min(hw, f.log.Synced())
	}
	p.lead.hw = max(p.lead.hw, hw)
}

// admitLocked takes the followers that have caught up, with what is on their disks, into the in-sync replicas, and reports whether there was one.
func (p *partition) admitLocked() bool {
	var isr []int32
	for _, f := range p.copies {
		if slices.Contains(p.isr, f.id) || f.epoch != p.epoch || f.log.Synced() < max(p.lead.hw, p.epochStart) || !p.fetchesLocked(f) {
			continue
		}
		if n := p.cluster.node(f.id); !n.isAlive() {
			continue
		}
		if isr == nil {
			isr = slices.Clone(p.isr)
		}
		isr = append(isr, f.id)
	}
	if isr == nil {
		return false
	}
	p.changeLocked(change{isr: isr})
	return true
}

// watchLagLocked looks at the followers when the first of those that lag is out of sync.
func (p *partition) watchLagLocked() {
	if p.lagCheck != nil || len(p.isr) < 2 {
		return
	}
	lag := p.cluster.replicaLag
	var due time.Time
	for _, f := range p.copies {
		if f != p.lead && slices.Contains(p.isr, f.id) && p.behindLocked(f) {
			if at := f.caughtUp.Add(lag); due.IsZero() || at.Before(due) {
				due = at
			}
		}
	}
	if due.IsZero() {
		return
	}
	p.lagCheck = p.cluster.timers.after(max(time.Until(due), 0), func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.lagCheck = nil
		p.dropLaggardsLocked()
	})
}

// behindLocked says whether a follower is not known to hold all that the leader does.
func (p *partition) behindLocked(f *replica) bool {
	return f.epoch != p.epoch || f.log.End() < p.log.End()
}

// dropLaggardsLocked takes the followers out of the in-sync replicas that have not caught up for replica.lag.time.max.ms.
func (p *partition) dropLaggardsLocked() {
	if p.leader == noLeader || p.deleted || !p.cluster.node(p.leader).isRunning() {
		return
	}
	now, isr := time.Now(), make([]int32, 0, len(p.isr))
	for _, id := range p.isr {
		if f := p.copyLocked(id); f == p.lead || f == nil || !p.behindLocked(f) || now.Sub(f.caughtUp) < p.cluster.replicaLag {
			isr = append(isr, id)
		}
	}
	if len(isr) < len(p.isr) {
		p.changeLocked(change{isr: isr})
		p.replicateLocked()
	}
	p.watchLagLocked()
}

// pausedLocked notes when a follower last had all that the leader has, before it stops fetching.
func (p *partition) pausedLocked(f *replica) {
	if f != nil && f != p.lead && !p.behindLocked(f) {
		f.caughtUp = time.Now()
	}
	p.watchLagLocked()
}
