package sharegroups

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Settings are those of a share group.
type Settings struct {
	Lock          time.Duration // share.record.lock.duration.ms: how long a record is acquired for
	DeliveryLimit int           // share.delivery.count.limit: how often a record is delivered at most
	MaxLocks      int           // share.partition.max.record.locks: how many records of a partition may be in flight
	Renew         bool          // share.renew.acknowledge.enable: members may renew their locks
	ReadCommitted bool          // share.isolation.level
	Reset         Reset         // share.auto.offset.reset: where a group begins to read
}

// PartitionConfig is what a [Partition] has to know. Its functions must be safe for concurrent use.
type PartitionConfig struct {
	Key         Key
	LeaderEpoch int32
	// Settings returns the group's settings as they are now.
	Settings func() Settings
	// Write writes an update down.
	Write func(Update) error
	// Changed is called with the partition's lock held when there may be something to acquire that was not there before. It must not block.
	Changed func()
}

// Partition is a partition as a share group reads it, on the broker that leads it. Its methods are safe for concurrent use. [Partition.Close] it.
type Partition struct {
	cfg   PartitionConfig
	clock sync.WaitGroup // the timer that will still call back

	mu         sync.Mutex // guards what follows; held while an update is written down
	fenced     bool
	stateEpoch int32
	start      int64 // the first record that has not ended
	end        int64 // the last record that is in flight, or where to read on if none is
	flights    []*flight
	again      bool // something before the end is available again
	gap        *gapWindow
	completed  int32 // how many records from start on have ended
	timer      *time.Timer
	goesOff    time.Time
}

// flight is a run of records that were acquired together. They have one state until something concerns only some of them.
type flight struct {
	first, last int64
	one         delivery
	each        []delivery // by offset from first on; nil while all are as one
}

// delivery is the state of a record, or of a run of them.
type delivery struct {
	state  RecordState
	count  int       // of deliveries
	member string    // who has acquired it; "" for nobody
	until  time.Time // when the lock runs out; zero where there is none
}

// gapWindow notes that records before the end of what a new leader has read were never acquired: they lie between batches that were.
type gapWindow struct{ end, start int64 }

// split gives every record a state of its own.
func (f *flight) split() {
	if f.each != nil {
		return
	}
	f.each = make([]delivery, f.last-f.first+1)
	for i := range f.each {
		f.each[i] = f.one
	}
	f.one = delivery{}
}

// at returns the state of a record.
func (f *flight) at(offset int64) *delivery {
	if f.each == nil {
		return &f.one
	}
	return &f.each[offset-f.first]
}

// NewPartition takes up a partition where its state says. end is where its log ends: what is written down of records behind that is of records that were
// lost. begin is where a group begins that has not read yet.
func NewPartition(cfg PartitionConfig, st State, end int64, begin func(Reset) (int64, error)) (*Partition, error) {
	p := &Partition{cfg: cfg, stateEpoch: st.StateEpoch, start: st.Start}
	if st.Start == NoOffset {
		start, err := begin(cfg.Settings().Reset)
		if err != nil {
			return nil, err
		}
		p.start = start
	}
	gap, next := int64(-1), p.start
	for _, b := range st.Batches {
		b.Last = min(b.Last, end-1)
		if b.First < p.start {
			return nil, fmt.Errorf("Failed to initialize the share partition %s-%d", cfg.Key.Group, cfg.Key.Partition)
		}
		if b.Last < b.First {
			continue
		}
		if gap < 0 && b.First > next {
			gap = next
		}
		next = b.Last + 1
		p.flights = append(p.flights, &flight{first: b.First, last: b.Last, one: delivery{state: b.State, count: int(b.Deliveries)}})
		if b.State.ended() {
			p.completed += int32(b.Last - b.First + 1)
		}
	}
	p.end = p.start
	if n := len(p.flights); n > 0 {
		p.again, p.end = true, p.flights[n-1].last
		if gap >= 0 {
			p.gap = &gapWindow{end: p.end, start: gap}
		}
		p.advance()
	}
	return p, nil
}

// Close stops the clocks and waits for one that is going off. What is acquired stays so for nobody: another leader takes the partition up.
func (p *Partition) Close() {
	p.mu.Lock()
	p.fenced = true
	p.stopTimer()
	p.cfg.Changed()
	p.mu.Unlock()
	p.clock.Wait()
}

// LeaderEpoch is that of the leader that the partition is of.
func (p *Partition) LeaderEpoch() int32 { return p.cfg.LeaderEpoch }

// Next is where to read on: at the first record that is available again, or behind all that were acquired.
func (p *Partition) Next() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next()
}

func (p *Partition) next() int64 {
	if len(p.flights) == 0 || p.start > p.lastCached() {
		p.again = false
		return p.end
	}
	if !p.again {
		return p.end + 1
	}
	gap := int64(-1)
	if p.gapped() {
		gap = p.gap.start
	}
	for _, f := range p.flights {
		if p.gapped() {
			if f.first > gap {
				return gap
			}
			gap = max(f.last+1, gap)
		}
		if f.each == nil {
			if f.one.state == Available {
				return f.first
			}
			continue
		}
		for i := range f.each {
			if f.each[i].state == Available {
				return f.first + int64(i)
			}
		}
	}
	p.again = false
	return p.end + 1
}

// Acquirable says whether a member may acquire anything: there is room for more records in flight, or some of them are available.
func (p *Partition) Acquirable() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.fenced && (p.next() != p.end+1 || p.inFlight() < p.cfg.Settings().MaxLocks)
}

// Start is the first record that has not ended.
func (p *Partition) Start() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.start
}

func (p *Partition) lastCached() int64 { return p.flights[len(p.flights)-1].last }

// inFlight counts the records from the first that has not ended to the last that was acquired.
func (p *Partition) inFlight() int {
	if len(p.flights) == 0 {
		return 0
	}
	return int(p.end - p.start + 1)
}

func (p *Partition) gapped() bool { return p.gap != nil && p.gap.end == p.end }

// readPast notes how far records between batches have been read.
func (p *Partition) readPast(offset int64) {
	switch {
	case p.gap == nil:
	case p.gap.end == p.end && offset <= p.gap.end:
		p.gap.start = offset
	default:
		p.gap = nil
	}
}

// floor is the index of the flight that begins at the offset or last before it, -1 for none.
func (p *Partition) floor(offset int64) int {
	return sort.Search(len(p.flights), func(i int) bool { return p.flights[i].first > offset }) - 1
}

// between returns the flights that begin at an offset from first to last.
func (p *Partition) between(first, last int64) []*flight {
	from := sort.Search(len(p.flights), func(i int) bool { return p.flights[i].first >= first })
	to := sort.Search(len(p.flights), func(i int) bool { return p.flights[i].first > last })
	return p.flights[from:max(from, to)]
}

// put adds a flight, or puts it in the place of one that begins at the same record.
func (p *Partition) put(f *flight) {
	i := sort.Search(len(p.flights), func(i int) bool { return p.flights[i].first >= f.first })
	if i < len(p.flights) && p.flights[i].first == f.first {
		p.flights[i] = f
		return
	}
	p.flights = slices.Insert(p.flights, i, f)
}

// countFrom is how many records of a run lie at the start or behind it.
func (p *Partition) countFrom(first, last int64) int32 {
	if last < p.start {
		return 0
	}
	return int32(last - max(p.start, first) + 1)
}

// advance moves the start over the records that have ended. It reports whether it did.
func (p *Partition) advance() bool {
	i := p.floor(p.start)
	if len(p.flights) == 0 || i < 0 {
		return false
	}
	if f := p.flights[i]; p.start > f.last || !f.at(p.start).state.ended() {
		return false
	}
	ended, n := p.lastEnded()
	if ended < 0 {
		return false
	}
	if ended == p.lastCached() {
		p.start, p.end = ended+1, ended+1
		p.flights, p.completed = nil, 0
		return true
	}
	at := p.floor(ended)
	if ended == p.flights[at].last {
		p.start = max(p.start, p.flights[at+1].first)
		if p.gapped() {
			p.start = min(p.gap.start, p.start)
		}
		at++
	} else {
		p.start = max(p.start, ended+1)
	}
	p.completed -= n
	p.flights = slices.Delete(p.flights, 0, at)
	return true
}

// lastEnded is the last of the records at the beginning that have ended, -1 for none, and how many of them lie behind the start.
func (p *Partition) lastEnded() (last int64, n int32) {
	last = -1
	for _, f := range p.flights {
		if p.gapped() && f.last >= p.gap.start {
			return last, n
		}
		if f.each == nil {
			if !f.one.state.ended() {
				return last, n
			}
			last = f.last
			n += p.countFrom(f.first, f.last)
			continue
		}
		for i := range f.each {
			if !f.each[i].state.ended() {
				return last, n
			}
			last = f.first + int64(i)
			if last >= p.start {
				n++
			}
		}
	}
	return last, n
}

// write writes states down, together with where the partition is.
func (p *Partition) write(batches []StateBatch) error {
	err := p.cfg.Write(Update{StateEpoch: p.stateEpoch, LeaderEpoch: p.cfg.LeaderEpoch, Start: p.start, Completed: p.completed, Batches: batches})
	return Reported(err)
}

// Reported is what the leader of a partition answers where the share coordinator has refused.
func Reported(err error) error {
	code, _ := errors.AsType[*kerr.Error](err)
	switch code {
	case nil:
		return err
	case kerr.FencedLeaderEpoch, kerr.FencedStateEpoch:
		return &refusal{kerr.NotLeaderForPartition, Text(err)}
	case kerr.UnknownTopicOrPartition:
		return err
	}
	return &refusal{kerr.UnknownServerError, Text(err)}
}
