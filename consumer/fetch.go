package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
	"github.com/sordini-go/sordini/internal/history"
)

// pollLoop takes fetched records in until the drain begins. It polls for what the bounds allow, admits without blocking, and lets rebalances happen in between:
// no record of a partition is admitted after its revocation returned.
func (e *engine) pollLoop() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // ends with the loop at the latest: the loop ends when stopping is closed
		<-e.stopping
		cancel()
	}()
	for e.pollUntilTask(e.tasks.poll(ctx)) {
	}
}

// pollUntilTask polls until a task was run, which ended ctx, or was there to run. It reports false once the drain begins.
func (e *engine) pollUntilTask(ctx context.Context) bool {
	for {
		n := e.budget.wait(e.stopping, e.tasks.some)
		if e.draining() {
			return false
		}
		fetches := e.cl.PollRecords(ctx, max(1, n)) // nothing is polled where n is 0: there are tasks, and ctx is over
		if e.draining() || fetches.IsClientClosed() {
			e.cl.AllowRebalance()
			return false
		}
		fetches.EachError(e.fetchFailed)
		fetches.EachPartition(e.fetched1)
		ran := e.tasks.run()
		e.cl.AllowRebalance()
		if ran {
			return true
		}
	}
}

// fetched1 takes in what was fetched of one partition.
func (e *engine) fetched1(f kgo.FetchTopicPartition) {
	if f.Topic == "" || f.Err != nil && len(f.Records) == 0 {
		return
	}
	at := tp{f.Topic, f.Partition}
	e.mu.Lock()
	p, well := e.parts[at], len(e.trouble) == 0
	e.mu.Unlock()
	if p == nil {
		return
	}
	if f.LastStableOffset > 0 {
		p.end.Store(f.LastStableOffset)
	} else if f.HighWatermark > 0 {
		p.end.Store(f.HighWatermark)
	}
	if len(f.Records) > 0 {
		p.mu.Lock()
		base, next := p.base, p.seen
		p.mu.Unlock()
		switch first := f.Records[0].Offset; {
		case first < base: // the committed offset is beyond what the log holds: franz-go went back, and what comes is new to us
			e.lostData(at, &kgo.ErrDataLoss{Topic: f.Topic, Partition: f.Partition, ConsumedTo: next, ResetTo: first})
		case next < f.LogStartOffset && first >= f.LogStartOffset:
			e.missed(p, next, f.LogStartOffset)
		}
		if p.admit(f.Records) {
			e.steer(at)
			e.stats.pauses.Add(1)
		}
		if !well { // the name of what is seldom there is not made in vain
			e.resolve("fetch " + at.String())
		}
	}
}

// missed reports records that retention, or DeleteRecords, took before they were handled (guarantee G1).
func (e *engine) missed(p *partition, from, to int64) {
	e.stats.missed.Add(to - from)
	e.log.Error("records were deleted before the group handled them", "topic", p.topic.name, "partition", p.id, "from", from, "to", to-1, "count", to-from)
	e.report(fmt.Sprintf("missed %s[%d]", p.topic.name, p.id), Reason{
		Code: "records-missed", Notice: true, Topic: p.topic.name, Partition: p.id, Offset: from,
		Summary: fmt.Sprintf("offsets %d to %d were deleted before the group handled them; retention is shorter than the group's lag", from, to-1),
	})
	e.record(func() history.Event {
		return history.Event{Kind: history.Missed, Topic: p.topic.name, Partition: p.id, Ranges: []history.Range{{From: from, To: to}}}
	})
}

// fetchFailed hears of what went wrong with fetching. Nothing stops a partition in silence.
func (e *engine) fetchFailed(topic string, partition int32, err error) {
	at := tp{topic, partition}
	var loss *kgo.ErrDataLoss
	var large *kgo.ErrDecompressTooLarge
	var session *kgo.ErrGroupSession
	switch {
	case errors.Is(err, context.Canceled): // the poll was ended for a task
	case errors.As(err, &loss):
		e.lostData(at, loss)
	case errors.As(err, &large):
		e.log.Error("a batch is too large to decompress: the partition stands still", "partition", at.String(), "offset", large.Offset, "error", err)
		e.report("fetch "+at.String(), Reason{
			Code: "batch-too-large", Topic: topic, Partition: partition, Offset: large.Offset,
			Summary: fmt.Sprintf("the batch at offset %d decompresses to more than %d bytes; nothing behind it is handled", large.Offset, maxDecompress),
		})
	case errors.As(err, &session):
		e.report("session", Reason{Code: "group-session", Summary: fmt.Sprintf("the member is not in its group: %v", session.Err), member: e.membership()})
		e.log.Warn("group session failed, joining again", "error", session.Err)
		if fatal(session.Err) {
			e.fail(fmt.Errorf("join the group: %w", session.Err))
		}
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
		e.fail(fmt.Errorf("topic %q was deleted or recreated while the group ran; its committed offsets belong to the old topic, start again to begin with the new one: %w", topic, err))
	default:
		e.log.Warn("fetch failed", "partition", at.String(), "error", err)
		e.report("fetch "+at.String(), Reason{
			Code: "fetch-failed", Topic: topic, Partition: partition, Summary: fmt.Sprintf("fetching fails: %v", err),
		})
		if fatal(err) {
			e.fail(fmt.Errorf("fetch %v: %w", at, err))
		}
	}
}

// lostData hears that the broker lost records that the client had read, as after an unclean leader election. The window forgets what is beyond the cut, so
// that what is written there now is handled; the loss is reported.
func (e *engine) lostData(at tp, loss *kgo.ErrDataLoss) {
	e.stats.missed.Add(max(0, loss.ConsumedTo-loss.ResetTo))
	e.log.Error("the broker lost records", "partition", at.String(), "consumed", loss.ConsumedTo, "resume", loss.ResetTo)
	e.report("loss "+at.String(), Reason{
		Code: "data-loss", Notice: true, Topic: at.topic, Partition: at.partition, Offset: loss.ResetTo,
		Summary: fmt.Sprintf("the broker lost records that had been read up to offset %d; the group resumed at %d", loss.ConsumedTo, loss.ResetTo),
	})
	e.mu.Lock()
	p := e.parts[at]
	e.mu.Unlock()
	if p != nil {
		p.truncate(loss.ResetTo)
	}
	e.record(func() history.Event {
		return history.Event{Kind: history.Missed, Topic: at.topic, Partition: at.partition, Ranges: []history.Range{{From: loss.ResetTo, To: max(loss.ResetTo, loss.ConsumedTo)}}}
	})
}

// truncate tells the window that the log was cut at offset. Records beyond it that are queued are dropped when their turn comes.
func (p *partition) truncate(offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.win.Truncate(offset)
	maps.DeleteFunc(p.past, func(o int64, _ commitmeta.Attempt) bool { return o >= offset })
	p.seen, p.base = min(p.seen, offset), min(p.base, offset)
	for i, r := range p.backlog {
		if r.Offset >= offset {
			for _, r := range p.backlog[i:] {
				p.release(recordSize(r))
			}
			p.backlog = p.backlog[:i]
			break
		}
	}
	p.moved(time.Now())
}

// fatal says whether an error of the group will not go away by itself, so that running on would only hide it.
func fatal(err error) bool {
	for _, e := range []*kerr.Error{
		kerr.GroupAuthorizationFailed, kerr.TopicAuthorizationFailed, kerr.InconsistentGroupProtocol, kerr.UnsupportedVersion,
		kerr.FencedInstanceID, kerr.InvalidGroupID, kerr.SaslAuthenticationFailed,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// maxDecompress is what a fetched batch may decompress to, and a dead letter may have.
const maxDecompress = 256 << 20
