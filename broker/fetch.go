package broker

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/records"
	"github.com/sordini-go/sordini/broker/internal/storage"
)

// fetchPartition is one partition that a fetch reads, and what was read last.
type fetchPartition struct {
	name  string
	id    topicID
	index int32
	known string // the name that a session has found for the id

	offset    int64
	maxBytes  int32
	epoch     int32 // the leader's, as the client knows it; -1: it does not
	lastEpoch int32 // of the last record that the client read; -1: it does not say
	part      *partition
	err       error
	result    fetchResult
	batches   []records.Batch
	aborted   []storage.Aborted // transactions among the batches
	bytes     int
	hint      leadership // of the leader, where the client came to the wrong broker
	hinted    bool
	sentHW    int64 // what a session has told the client last
	sentStart int64
}

// fetchResult is what a partition answers besides its batches.
type fetchResult struct {
	code                  int16
	highWatermark, stable int64
	start                 int64
	aborted               bool // there is a list of aborted transactions, if an empty one
	diverges              bool
	divergingEpoch        int32
	divergingEnd          int64
	preferred             int32 // the replica that the client had better read from; -1: this one
}

func handleFetch(r *request) answer {
	req, f := r.msg.(*kmsg.FetchRequest), r.fetch
	if f.code != 0 {
		return answer{fetch: &fetchResponse{version: req.Version, code: f.code}}
	}
	if req.IsolationLevel < 0 || req.IsolationLevel > 1 {
		return answer{fetch: f.refuse(kerr.UnknownServerError.Code)}
	}
	limit := min(int(req.MaxBytes), r.node.cluster.property().Int("fetch.max.bytes"))
	limit = r.fetchLimit(limit)
	deadline := time.Now().Add(time.Duration(req.MaxWaitMillis) * time.Millisecond)
	done := f.read(r, limit)
	if !done(req.MinBytes) && req.MaxWaitMillis > 0 && len(f.parts) > 0 {
		w := newWaiter()
		for _, p := range f.parts {
			if p.part != nil {
				p.part.addWaiter(w)
			}
		}
		defer func() {
			for _, p := range f.parts {
				if p.part != nil {
					p.part.removeWaiter(w)
				}
			}
		}()
		for done = f.read(r, limit); !done(req.MinBytes); done = f.read(r, limit) {
			left := time.Until(deadline)
			if left <= 0 {
				break
			}
			if !r.conn.wait(w.changed, left) {
				return answer{close: true}
			}
		}
	}
	if f.failed() && !r.conn.wait(nil, errorDelay) {
		return answer{close: true}
	}
	if r.throttledFetch() {
		return answer{fetch: f.nothing()}
	}
	return answer{fetch: f.respond(r)}
}

// errorDelay is how long a fetch that read nothing and failed is answered later, about what a network would take. A client that asks again at once until
// its metadata is new (franz-go does after FENCED_LEADER_EPOCH, when it has consumed nothing yet) would otherwise never let virtual time pass, and so
// never come to the moment when it may ask for metadata.
const errorDelay = time.Millisecond

// failed says that nothing was read and a partition failed.
func (f *fetch) failed() bool {
	failed := false
	for _, p := range f.parts {
		if p.bytes > 0 {
			return false
		}
		failed = failed || p.err != nil
	}
	return failed
}

// fetch is one fetch request, resolved.
type fetch struct {
	req         *kmsg.FetchRequest
	version     int16
	replica     int32 // -1 for a consumer
	code        int16 // the request fails with this, as a whole
	parts       []*fetchPartition
	session     *fetchSession // nil: none
	incremental bool          // the response tells only what has changed
}

// read looks at every partition once. It returns a function that says whether the response is due although there is still time.
func (f *fetch) read(r *request, limit int) func(minBytes int32) bool {
	total, failed := 0, false
	for _, p := range f.parts {
		p.part, p.err = r.partition(f.req.Version >= 13, p.name, p.id, p.index)
		if f.session != nil && f.session.byID {
			p.err = p.recall(r, p.err)
		}
		p.batches, p.bytes, p.aborted = p.batches[:0], 0, p.aborted[:0]
		p.result = fetchResult{highWatermark: -1, stable: -1, start: -1, preferred: noPreference}
		p.hinted = false
		if p.err == nil {
			p.err = r.fault(p.part.topic.name, p.index)
		}
		if p.err == nil {
			p.err = p.read(r, f, min(int(p.maxBytes), limit-total), total == 0)
		}
		p.result.code, _ = codeOf(p.err)
		p.result.aborted = p.part == nil || p.err == nil && f.req.IsolationLevel == 1
		if hints := f.req.Version >= 16; hints && (errors.Is(p.err, kerr.NotLeaderForPartition) || errors.Is(p.err, kerr.FencedLeaderEpoch)) {
			p.hint, p.hinted = p.part.leadership(), true
		}
		failed = failed || p.err != nil || p.result.diverges || p.result.preferred != noPreference
		total += p.bytes
	}
	return func(minBytes int32) bool { return failed || total >= int(minBytes) }
}

// noPreference is the preferred replica of a client that may go on reading where it reads.
const noPreference = -1

// read takes what the partition has. Consumers of a version that knows of racks may read from followers, brokers and older consumers from leaders.
func (p *fetchPartition) read(r *request, f *fetch, maxBytes int, must bool) error {
	part := p.part
	part.mu.Lock()
	defer part.mu.Unlock()
	from, err := part.servedByLocked(r.node.id, p.epoch, f.replica >= 0 || f.version < 11)
	if err != nil {
		return err
	}
	if f.replica >= 0 && (f.replica == r.node.id || part.copyLocked(f.replica) == nil) {
		if p.epoch >= 0 {
			return because(kerr.UnknownLeaderEpoch, fmt.Errorf("broker %d is no follower of this leader", f.replica))
		}
		return because(kerr.NotLeaderForPartition, fmt.Errorf("broker %d is no follower of this leader", f.replica))
	}
	log := from.log
	p.result.highWatermark, p.result.stable, p.result.start = from.hw, log.Stable(from.hw), log.Start()
	if f.replica < 0 && f.version >= 11 && from.id == part.leader {
		if p.result.preferred = part.preferredReadLocked(f.req.Rack, p.offset); p.result.preferred != noPreference {
			return nil
		}
	}
	err = p.readFrom(from, f, maxBytes, must)
	if err != nil {
		p.result = fetchResult{highWatermark: -1, stable: -1, start: -1, preferred: noPreference}
	}
	return err
}

func (p *fetchPartition) readFrom(from *replica, f *fetch, maxBytes int, must bool) error {
	log := from.log
	if p.lastEpoch >= 0 {
		epoch, end := log.EpochEnd(p.lastEpoch)
		switch {
		case epoch == storage.NoEpoch || p.offset < log.Start():
			return kerr.OffsetOutOfRange
		case epoch < p.lastEpoch || end < p.offset:
			p.result.diverges, p.result.divergingEpoch, p.result.divergingEnd = true, epoch, end
			return nil
		}
	}
	if p.offset < log.Start() || p.offset > log.End() {
		return kerr.OffsetOutOfRange
	}
	end := p.result.highWatermark
	switch {
	case f.replica >= 0:
		end = log.End()
	case f.req.IsolationLevel == 1:
		end = p.result.stable
	}
	if maxBytes > 0 || must {
		p.batches, p.bytes = log.Read(p.batches, p.offset, end, maxBytes, must)
	}
	if n := len(p.batches); f.req.IsolationLevel == 1 && n > 0 {
		p.aborted = log.AppendAborted(p.aborted, p.offset, p.batches[n-1].LastOffset()+1)
	}
	return nil
}

// preferredReadLocked returns the in-sync follower that a consumer in a rack had better read from, where replica.selector.class is
// RackAwareReplicaSelector: one in its rack, unless the leader is there too.
func (p *partition) preferredReadLocked(rack string, offset int64) int32 {
	c := p.cluster
	if !c.rackAware || rack == "" || c.node(p.leader).rack == rack {
		return noPreference
	}
	best := int32(noPreference)
	end := int64(-1)
	for _, f := range p.copies {
		n := c.node(f.id)
		if f == p.lead || n.rack != rack || !n.isAlive() || !slices.Contains(p.isr, f.id) || f.log.End() < offset || f.log.Start() > offset {
			continue
		}
		if f.log.End() > end { // the one that has most
			best, end = f.id, f.log.End()
		}
	}
	return best
}
