package broker

import (
	"errors"
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
}

func handleFetch(r *request) answer {
	req, f := r.msg.(*kmsg.FetchRequest), r.fetch
	if f.code != 0 {
		return answer{fetch: &fetchResponse{version: req.Version, code: f.code}}
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
		p.batches, p.bytes, p.aborted = p.batches[:0], 0, p.aborted[:0]
		p.result = fetchResult{highWatermark: -1, stable: -1, start: -1}
		p.hinted = false
		if p.err == nil {
			p.err = r.fault(p.part.topic.name, p.index)
		}
		if p.err == nil && f.replica >= 0 {
			p.err = kerr.NotLeaderForPartition // brokers replicate among themselves
		}
		if p.err == nil {
			p.err = p.read(r.node.id, min(int(p.maxBytes), limit-total), total == 0, f.req.IsolationLevel)
		}
		p.result.code, _ = codeOf(p.err)
		p.result.aborted = p.part == nil || p.err == nil && f.req.IsolationLevel == 1
		if errors.Is(p.err, kerr.NotLeaderForPartition) || errors.Is(p.err, kerr.FencedLeaderEpoch) {
			p.hint, p.hinted = p.part.leadership(), true
		}
		failed = failed || p.err != nil || p.result.diverges
		total += p.bytes
	}
	return func(minBytes int32) bool { return failed || total >= int(minBytes) }
}

// read takes what the partition has.
func (p *fetchPartition) read(node int32, maxBytes int, must bool, isolation int8) error {
	p.part.mu.Lock()
	defer p.part.mu.Unlock()
	if err := p.part.checkLeaderLocked(node, p.epoch); err != nil {
		return err
	}
	log := p.part.log
	if p.lastEpoch >= 0 {
		epoch, end := log.EpochEnd(p.lastEpoch)
		switch {
		case epoch == storage.NoEpoch:
			return kerr.OffsetOutOfRange
		case epoch < p.lastEpoch || end < p.offset:
			p.result = fetchResult{highWatermark: p.part.highWatermarkLocked(), stable: p.part.lastStableLocked(), start: log.Start(),
				diverges: true, divergingEpoch: epoch, divergingEnd: end}
			return nil
		}
	}
	if p.offset < log.Start() || p.offset > log.End() {
		return kerr.OffsetOutOfRange
	}
	p.result = fetchResult{highWatermark: p.part.highWatermarkLocked(), stable: p.part.lastStableLocked(), start: log.Start()}
	end := p.result.highWatermark
	if isolation == 1 {
		end = p.result.stable
	}
	if maxBytes > 0 || must {
		p.batches, p.bytes = log.Read(p.batches, p.offset, end, maxBytes, must)
	}
	if n := len(p.batches); isolation == 1 && n > 0 {
		p.aborted = log.AppendAborted(p.aborted, p.offset, p.batches[n-1].LastOffset()+1)
	}
	return nil
}
