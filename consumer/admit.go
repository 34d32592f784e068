package consumer

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/consumer/internal/window"
)

// admit takes in fetched records, in the order of the log: behind what was fetched before, and into their lanes as far as somebody has use for them. It does not
// block. It reports whether fetching the partition should pause.
func (p *partition) admit(records []*kgo.Record) (pause bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	count, size := 0, int64(0)
	for _, r := range records {
		if !r.Attrs.IsControl() {
			count++
			size += recordSize(r)
		}
	}
	now := time.Now()
	if p.records == 0 {
		p.lastEnd = now // it had nothing that could end
	}
	p.e.budget.take(count, size)
	p.records += count
	p.size += size
	if n := len(records); n > 0 {
		p.seen = max(p.seen, records[n-1].Offset+1)
	}
	if len(p.backlog) == 0 {
		p.backlog = slices.Clip(records) // the client has no use for them any more
	} else {
		p.backlog = append(p.backlog, records...)
	}
	p.refill()
	p.dispatch()
	if !p.paused && p.full(now) {
		p.paused, p.pausedAt = true, now
		return true
	}
	return false
}

// admitOne gives the next record to the window and to its lane. p.mu is held.
func (p *partition) admitOne(r *kgo.Record, now time.Time) {
	if r.Attrs.IsControl() {
		p.win.Pass(r.Offset+1, r.LeaderEpoch)
		p.moved(now)
		return
	}
	slot, status := p.win.Admit(r.Offset, r.LeaderEpoch)
	n := recordSize(r)
	if status != window.Admitted {
		p.release(n)
		if status == window.AlreadyDone {
			p.moved(now)
			p.e.stats.alreadyDone.Add(1)
		}
		return
	}
	if p.inbox != nil && p.inbox.has(r) { // handed off before a crash, and not committed: the copy goes on
		p.win.Complete(slot)
		p.release(n)
		p.moved(now)
		return
	}
	t := p.newTask()
	t.rec, t.slot, t.size = r, slot, int32(min(n, 1<<31-1))
	t.handler = p.topic.handlerOf(recordType(p.topic, r))
	p.enqueue(t, now)
}

// ahead is how many records are admitted at once. Those behind them cost a pointer each until their turn comes, and what a record needs on its way (a lane, a
// place in the window) is what one shortly before it has left, so that it is in the processor's cache.
const ahead = 16

// refill admits records that were kept behind when no lane is ready, until one is; all of them for batches, which are made of what is there. What there is no room
// for stays. p.mu is held.
func (p *partition) refill() {
	if len(p.backlog) == 0 || !p.topic.batches && !p.ready.empty() || p.hold&holdInbox != 0 {
		return
	}
	now := time.Now()
	i := 0
	for i < len(p.backlog) && (i < ahead || p.topic.batches || p.ready.empty()) && p.room(p.backlog[i].Offset) {
		p.admitOne(p.backlog[i], now)
		p.backlog[i] = nil
		i++
	}
	if p.backlog = p.backlog[i:]; len(p.backlog) == 0 {
		p.backlog = nil
	}
	p.reach()
}

// cramped says whether there is no room for the next record. p.mu is held.
func (p *partition) cramped() bool { return len(p.backlog) > 0 && !p.room(p.backlog[0].Offset) }
