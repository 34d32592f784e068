package sharegroups

import (
	"math"
	"slices"
	"time"

	"github.com/sordini-go/sordini/broker/internal/records"
	"github.com/sordini-go/sordini/broker/internal/storage"
)

// Request is what a member asks for.
type Request struct {
	Member string
	// Max is how many records the member wants. Record batches are given whole, unless Exact: then it gets no more (share.acquire.mode, KIP-1206).
	Max   int
	Exact bool
	// BatchSize is how many records a run should have at most.
	BatchSize int
}

// Run is a run of records that a member has acquired. Last is inclusive.
type Run struct {
	First, Last int64
	Deliveries  int16
}

func (r Run) count() int { return int(r.Last - r.First + 1) }

// Acquire gives records of batches, which were read from an offset on, to a member. What was aborted is not given, and ends, where aborted names the
// transactions: only they who read committed records do. It returns nothing where nothing is to be had.
func (p *Partition) Acquire(req Request, from int64, batches []records.Batch, aborted []storage.Aborted) []Run {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fenced || req.Max <= 0 || len(batches) == 0 {
		return nil
	}
	last := batches[len(batches)-1].LastOffset()
	if last < p.start {
		return nil
	}
	set := p.cfg.Settings()
	room := min(req.Max, set.MaxLocks-p.inFlight())
	if room <= 0 {
		if from > p.end {
			return nil
		}
		room, last = min(req.Max, int(p.end-from+1)), min(last, p.end)
	}
	a := acquisition{p: p, req: req, set: set, batches: batches, first: batches[0].BaseOffset(), last: last, room: room, until: time.Now().Add(set.Lock)}
	runs := a.run(from)
	if len(runs) > 0 && len(aborted) > 0 {
		runs = p.withoutAborted(runs, batches, aborted)
	}
	p.wind()
	return runs
}

// acquisition is one Acquire under way.
type acquisition struct {
	p           *Partition
	req         Request
	set         Settings
	batches     []records.Batch
	first, last int64 // what may be acquired
	room        int   // how many records
	until       time.Time

	runs  []Run
	taken int
}

func (a *acquisition) run(from int64) []Run {
	p := a.p
	base := a.first
	p.archiveStale(from, base)
	switch i := p.floor(base); {
	case i < 0:
		base = max(base, p.start)
	case p.flights[i].last >= base:
		base = p.flights[i].first
	}
	known := slices.Clone(p.between(min(a.first, base), a.last))
	if len(known) == 0 {
		a.fresh(base, a.last)
		return a.runs
	}
	gap := base
	for _, f := range known {
		if a.taken >= a.room {
			break
		}
		if p.gapped() {
			if gap < f.first {
				a.fresh(gap, f.first-1)
			}
			gap = f.last + 1
			if a.taken >= a.room {
				break
			}
		}
		if !a.flight(f) {
			break
		}
	}
	if end := known[len(known)-1].last; a.taken < a.room && end < a.last {
		a.fresh(end+1, a.last)
	}
	if n := len(a.runs); n > 0 {
		p.readPast(a.runs[n-1].Last + 1)
	}
	return a.runs
}

// flight acquires what is available of records that were delivered before. It reports false when nothing more may be acquired in this request: records
// that have failed several times are given in ever smaller numbers, so that the one that makes its consumers fail is found.
func (a *acquisition) flight(f *flight) bool {
	whole := f.first >= a.first && f.last <= a.last
	fits := !a.req.Exact || int(f.last-f.first+1) <= a.room-a.taken
	throttled := a.throttled(f)
	if throttled && a.taken > 0 {
		a.room = 0
		return false
	}
	if whole && f.each == nil && fits && !throttled {
		if f.one.state == Available {
			a.take(&f.one)
			a.add(Run{f.first, f.last, int16(f.one.count)})
		}
		return true
	}
	if f.each == nil {
		if f.one.state != Available {
			return true
		}
		f.split()
	}
	if n := a.some(f); throttled && n > 0 {
		a.room = 0
		return false
	}
	return true
}

func (a *acquisition) take(d *delivery) {
	d.state, d.member, d.until = Acquired, a.req.Member, a.until
	d.count++
}

func (a *acquisition) add(r Run) {
	a.runs = append(a.runs, r)
	a.taken += r.count()
}

// throttleFrom is after how many deliveries a record is given in smaller numbers.
func (s Settings) throttleFrom() int { return max(2, (s.DeliveryLimit+1)/2) }

func (a *acquisition) throttled(f *flight) bool {
	if f.each == nil {
		return f.one.state == Available && f.one.count >= a.set.throttleFrom()
	}
	for i := range f.each {
		if offset := f.first + int64(i); offset >= a.first && offset <= a.last && f.each[i].state == Available && f.each[i].count >= a.set.throttleFrom() {
			return true
		}
	}
	return false
}

// some acquires single records of a flight. One on its last delivery is given alone.
func (a *acquisition) some(f *flight) (taken int) {
	limit, most, want := a.set.DeliveryLimit, -1, a.room-a.taken
	var got []Run
	for i := range f.each {
		offset, d := f.first+int64(i), &f.each[i]
		if offset < a.first {
			continue
		}
		if offset > a.last {
			break
		}
		if d.state != Available {
			continue
		}
		if limit > 2 && d.count == limit-1 && taken > 0 {
			break
		}
		if from := a.set.throttleFrom(); d.count >= from && most < 0 {
			most = max(1, len(f.each)>>(d.count-from+1))
		}
		a.take(d)
		taken++
		if n := len(got); n > 0 && got[n-1].Last+1 == offset && int(got[n-1].Deliveries) == d.count {
			got[n-1].Last = offset
		} else {
			got = append(got, Run{offset, offset, int16(d.count)})
		}
		if limit > 2 && d.count == limit || a.req.Exact && taken == want || taken == most {
			break
		}
	}
	for _, r := range got {
		a.add(r)
	}
	return taken
}

// fresh acquires records that were not delivered before: whole record batches, in runs of about the size that the member wants.
func (a *acquisition) fresh(first, last int64) {
	p, most := a.p, a.room-a.taken
	if len(p.flights) == 0 {
		first = max(first, p.end)
	}
	if first > last {
		return
	}
	to := last
	if int64(most) < last-first+1 {
		if to = lastOf(a.batches, first+int64(most)-1); p.gapped() {
			to = min(to, last)
		}
	}
	runs := a.cut(first, to)
	if p.flights[0].first == first {
		p.start = first
	}
	p.end = max(p.end, to)
	if n := len(runs); n > 0 {
		p.readPast(runs[n-1].Last + 1)
	}
	for _, r := range runs {
		a.add(r)
	}
}

// cut puts records in flight.
func (a *acquisition) cut(first, last int64) (runs []Run) {
	p, at := a.p, first
	if a.req.Exact {
		if most := int64(a.room - a.taken); last-first+1 > most {
			f := &flight{first: first, last: last, one: delivery{state: Available}}
			f.split()
			for i := range most {
				a.take(&f.each[i])
			}
			p.again = true
			p.put(f)
			return []Run{{first, first + most - 1, 1}}
		}
	} else if last-first+1 > int64(a.req.BatchSize) {
		for _, b := range a.batches {
			if b.BaseOffset() > last {
				break
			}
			if b.BaseOffset()-at >= int64(max(a.req.BatchSize, 1)) {
				runs = append(runs, Run{at, b.BaseOffset() - 1, 1})
				at = b.BaseOffset()
			}
		}
	}
	runs = append(runs, Run{at, last, 1})
	for _, r := range runs {
		f := &flight{first: r.First, last: r.Last, one: delivery{state: Available}}
		a.take(&f.one)
		p.put(f)
	}
	return runs
}

// lastOf is the last offset of the record batch that an offset lies in, or the offset where it lies in none.
func lastOf(batches []records.Batch, offset int64) int64 {
	for _, b := range slices.Backward(batches) {
		if offset >= b.BaseOffset() {
			if offset <= b.LastOffset() {
				return b.LastOffset()
			}
			break
		}
	}
	return offset
}

// archiveStale ends records that were available and are not in the log any more: compaction has taken them between where the group read and where a
// batch begins.
func (p *Partition) archiveStale(from, base int64) {
	if len(p.flights) == 0 || from >= base {
		return
	}
	floor := from
	if i := p.floor(from); i >= 0 && p.flights[i].last >= from {
		floor = p.flights[i].first
	}
	if p.archive(from, base, p.between(floor, base-1), Available, true) {
		p.again = true
	}
}

// archive ends the records of flights from first up to, not including, end that are in a state.
func (p *Partition) archive(first, end int64, of []*flight, in RecordState, counts bool) (any bool) {
	for _, f := range of {
		if f.first >= end {
			break
		}
		whole := f.first >= first && f.last < end
		if f.each == nil && f.one.state != in {
			continue
		}
		if f.each == nil && whole {
			f.one = delivery{state: Archived, count: f.one.count}
			any = true
			if counts {
				p.completed += int32(f.last - f.first + 1)
			}
			continue
		}
		f.split()
		for i := range f.each {
			if offset := f.first + int64(i); offset >= first && offset < end && f.each[i].state == in {
				f.each[i] = delivery{state: Archived, count: f.each[i].count}
				any = true
				if counts {
					p.completed++
				}
			}
		}
	}
	return any
}

// MoveStart follows the log where retention, or DeleteRecords, has taken records that the group had not read.
func (p *Partition) MoveStart(logStart int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if logStart <= p.start {
		return
	}
	if len(p.flights) == 0 {
		p.start, p.end, p.completed = logStart, logStart, 0
		return
	}
	gone := int32(0)
	for _, f := range p.flights {
		for o := max(f.first, p.start); o <= min(f.last, logStart-1); o++ {
			if f.each == nil {
				if f.one.state.ended() {
					gone += int32(min(f.last, logStart-1) - o + 1)
				}
				break
			}
			if f.at(o).state.ended() {
				gone++
			}
		}
	}
	if p.archive(p.start, logStart, p.flights, Available, false) {
		p.again = true
	}
	p.start = logStart
	p.completed -= gone
	p.end = max(p.end, p.start)
}

// withoutAborted ends what aborted transactions have written, and takes it out of what a member is given.
func (p *Partition) withoutAborted(runs []Run, batches []records.Batch, aborted []storage.Aborted) []Run {
	open := slices.SortedFunc(slices.Values(aborted), func(a, b storage.Aborted) int { return int(max(min(a.First-b.First, 1), -1)) })
	of := make(map[int64]bool)
	for _, b := range batches {
		id := b.ProducerID()
		if id < 0 {
			continue
		}
		for len(open) > 0 && open[0].First <= b.LastOffset() {
			of[open[0].Producer] = true
			open = open[1:]
		}
		if m, ok := b.Marker(); ok && !m.Commit {
			delete(of, id)
			continue
		}
		if !b.Transactional() || !of[id] {
			continue
		}
		first, last := b.BaseOffset(), b.LastOffset()
		floor := first
		if i := p.floor(first); i >= 0 {
			floor = p.flights[i].first
		}
		p.archive(first, last+1, p.between(floor, last), Acquired, true)
		runs = cutOut(runs, first, last)
	}
	return runs
}

// cutOut takes records out of runs.
func cutOut(runs []Run, first, last int64) (rest []Run) {
	for _, r := range runs {
		if left := (Run{r.First, min(r.Last, first-1), r.Deliveries}); left.First <= left.Last {
			rest = append(rest, left)
		}
		if right := (Run{max(r.First, last+1), r.Last, r.Deliveries}); right.First <= right.Last {
			rest = append(rest, right)
		}
	}
	return rest
}

// Unlimited is a number of records that no request exceeds.
const Unlimited = math.MaxInt32
