package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/consumer/internal/inbox"
	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/internal/admin"
	"github.com/sordini-go/sordini/internal/history"
)

// An inbox is kept in order while it is read: its completion map small, by appending again at the tail what lies between completed ranges, and its log short, by
// deleting what is over for good.

const (
	movedAtOnce = 256
	trimAfter   = 1000             // records that are over before the log is trimmed
	trimAgain   = 10 * time.Minute // how long trimming one inbox waits for the next time
	trimAge     = 24 * time.Hour   // how old they are then: a redrive that is repeated finds by them what is done (dlt.Redriving.Operation)
)

// tidy returns the entries to append again at the tail, now that the completion map has taken half of the room that a commit has for it. They are on their way from
// here on. p.mu is held.
func (x *inboxLog) tidy(now time.Time) []inbox.ID {
	if !x.tight || now.Before(x.notBefore) {
		return nil
	}
	ids := x.ix.Gaps(movedAtOnce)
	ids = ids[:min(len(ids), movedAtOnce)]
	for _, id := range ids {
		_, _, due := x.ix.At(id)
		x.ix.Again(id, due)
	}
	x.tight, x.loading = false, len(ids) > 0
	return ids
}

// move appends entries again at the tail, each with the identity and the time that it has. Their old places are over once every in-sync replica has the new ones.
func (r *inboxReader) move(ctx context.Context, x *inboxLog, ids []inbox.ID) {
	p, e := x.p, r.e
	outcomes := make(chan struct{}, len(ids))
	n := 0
	left, err := r.each(ctx, x, ids, func(id inbox.ID, was *kgo.Record) bool {
		n++
		rec := &kgo.Record{Topic: x.topic, Partition: x.partition, Key: was.Key, Value: was.Value, Headers: was.Headers, Timestamp: time.Now()}
		e.side.TryProduce(ctx, rec, func(rec *kgo.Record, err error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			defer func() { outcomes <- struct{}{} }()
			switch {
			case x.closed:
			case err != nil:
				x.ix.Stay(id)
				x.fetched(err)
			default:
				x.moved(id, was, rec.Offset)
			}
		})
		return true
	})
	for range n {
		<-outcomes
	}
	p.mu.Lock()
	x.loading = false
	if !x.closed {
		for _, id := range left {
			x.ix.Stay(id)
		}
		p.changed()
	}
	x.fetched(err)
	p.mu.Unlock()
	r.told(ctx, x, err)
}

// moved hears that an entry is at the tail. p.mu is held.
func (x *inboxLog) moved(id inbox.ID, was *kgo.Record, to int64) {
	e := x.p.e
	e.stats.movedInbox.Add(1)
	rec, err := dlt.ParseInbox(sdkRecord(was))
	if err != nil {
		rec.Record = sdkRecord(was)
	}
	e.record(func() history.Event {
		return history.Event{
			Kind: history.Ended, Outcome: history.Handed, Topic: rec.Record.Topic, Partition: rec.Record.Partition, Offset: rec.Record.Offset, Key: was.Key,
			Via: &history.Place{Topic: x.topic, Partition: x.partition, Offset: was.Offset},
			To:  &history.Place{Topic: x.topic, Partition: x.partition, Offset: to}, Redriven: rec.Operation != "",
		}
	})
	if folded := x.ix.Handed(id, to); folded >= 0 {
		x.folded(rec.Record.Partition, rec.Record.Offset, was.Key, folded)
	}
}

// trimTo returns up to where the log may be deleted, 0 for nowhere. p.mu is held.
func (x *inboxLog) trimTo(now time.Time) int64 {
	if x.noTrim || x.committed-x.trimmed < trimAfter || now.Sub(x.trimmedAt) < trimAgain {
		return 0
	}
	x.trimmedAt = now
	return x.committed
}

// trim deletes what lies before a committed offset and is old enough. A group that may not does without.
func (r *inboxReader) trim(ctx context.Context, x *inboxLog, to int64) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	young, err := admin.ListOffsets(ctx, r.e.side, false, time.Now().Add(-trimAge).UnixMilli(), map[string][]int32{x.topic: {x.partition}})
	first := young[x.topic][x.partition]
	if err != nil || first.Err != nil {
		return
	}
	if first.Offset >= 0 { // else all is older
		to = min(to, first.Offset)
	}
	if to <= x.trimmedTo() {
		return
	}
	_, err = admin.DeleteRecords(ctx, r.e.side, x.topic, x.partition, to)
	x.p.mu.Lock()
	defer x.p.mu.Unlock()
	if err == nil {
		x.trimmed = to
	} else if errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.PolicyViolation) {
		x.noTrim = true
		r.e.log.Info("the inbox is not trimmed: the group may not delete records of it", "topic", x.topic, "error", err)
	}
}

// trimmedTo is up to where the log was deleted.
func (x *inboxLog) trimmedTo() int64 {
	x.p.mu.Lock()
	defer x.p.mu.Unlock()
	return x.trimmed
}

// cut drops the entries whose records somebody has deleted, and says so. It reports whether there were any.
func (r *inboxReader) cut(ctx context.Context, x *inboxLog) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	got, err := admin.ListOffsets(ctx, r.e.side, false, admin.Earliest, map[string][]int32{x.topic: {x.partition}})
	if err != nil || got[x.topic][x.partition].Err != nil {
		return false
	}
	start := got[x.topic][x.partition].Offset
	x.p.mu.Lock()
	lost := 0
	if !x.closed {
		if lost = x.ix.Cut(start); lost > 0 {
			x.notBefore = time.Time{}
			x.p.wakeBehind(time.Now())
			x.p.dispatch()
			x.p.changed()
		}
	}
	x.p.mu.Unlock()
	if lost > 0 {
		x.lost(int64(lost), start)
	}
	return lost > 0
}

// lost reports records that were deleted from the inbox before they ended (guarantee G1).
func (x *inboxLog) lost(n, start int64) {
	e, at := x.p.e, tp{x.topic, x.partition}
	e.stats.missed.Add(n)
	e.log.Error("records were deleted from the inbox before the group handled them", "inbox", at.String(), "below", start, "count", n)
	e.report("missed "+at.String(), Reason{
		Code: "inbox-missed", Notice: true, Topic: x.topic, Partition: x.partition, Offset: start,
		Summary: fmt.Sprintf("up to %d records of the inbox below offset %d were deleted before the group handled them; nobody but the group may delete there, and retention.ms is to be -1", n, start),
	})
}
