package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/consumer/internal/inbox"
)

const (
	loadBefore = time.Second    // how long before it is due the body of a record is fetched, at the latest
	loadAhead  = 2 * loadBefore // and at the earliest: one fetch serves what comes due within a second, however finely that is spread
	loadAtOnce = 256

	// commitAgain is how old the commit of an inbox may get. Nobody subscribes to it, and Kafka forgets offsets of such topics some days after their last
	// commit (offsets.retention.minutes).
	commitAgain = 12 * time.Hour
)

// loadSoon tells the loader that something may be due, or that there is room.
func (e *engine) loadSoon() {
	if e.reader == nil {
		return
	}
	select {
	case e.reader.loading <- struct{}{}:
	default:
	}
}

// load fetches the bodies of what is due soon, until stop is closed.
func (r *inboxReader) load(stop <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		now := time.Now()
		next := now.Add(time.Hour)
		for _, p := range r.e.partitions() {
			p.mu.Lock()
			for _, x := range p.logs {
				if x.committed >= 0 && now.Sub(x.committedAt) > commitAgain {
					p.changed()
				}
				if !x.caughtUp || p.hold&holdInbox != 0 || p.stopping || x.closed || x.loading {
					continue
				}
				if ids := x.tidy(now); len(ids) > 0 {
					wg.Go(func() { r.move(ctx, x, ids) })
					continue
				}
				if to := x.trimTo(now); to > 0 {
					wg.Go(func() { r.trim(ctx, x, to) })
				}
				at, ok := x.ix.NextDue()
				if !ok || at == 1<<63-1 {
					continue
				}
				from := time.UnixMilli(at).Add(-loadBefore)
				if x.notBefore.After(from) {
					from = x.notBefore
				}
				if from.After(now) {
					if from.Before(next) {
						next = from
					}
					continue
				}
				free := r.e.bodies.free()
				if free == 0 {
					continue // who gives room says so
				}
				ids := x.ix.Take(now.Add(loadAhead).UnixMilli(), min(free, loadAtOnce))
				r.e.bodies.n.Add(int64(len(ids)))
				x.loading = true
				wg.Go(func() { r.fetch(ctx, x, ids) })
			}
			p.mu.Unlock()
		}
		timer.Reset(time.Until(next))
		select {
		case <-stop:
			return
		case <-r.loading:
		case <-timer.C:
		}
	}
}

// fetch fetches the bodies of entries and hands them to their lanes.
func (r *inboxReader) fetch(ctx context.Context, x *inboxLog, ids []inbox.ID) {
	p := x.p
	left, err := r.each(ctx, x, ids, func(id inbox.ID, rec *kgo.Record) bool { return p.arrive(x, id, rec, time.Now()) })
	p.mu.Lock()
	x.loading = false
	for _, id := range left {
		r.e.bodies.give(1)
		if !x.closed {
			x.ix.Put(id)
		}
	}
	x.fetched(err)
	p.mu.Unlock()
	r.told(ctx, x, err)
}

// fetched hears how fetching bodies went. p.mu is held.
func (x *inboxLog) fetched(err error) {
	if err == nil {
		x.failures = 0
		return
	}
	x.failures++
	x.notBefore = time.Now().Add(min(30*time.Second, 100*time.Millisecond<<min(x.failures, 10)))
}

// told says how fetching bodies went, and has the loader look again.
func (r *inboxReader) told(ctx context.Context, x *inboxLog, err error) {
	switch {
	case err == nil:
		r.e.resolve("inbox " + tp{x.topic, x.partition}.String())
	case ctx.Err() != nil:
	case errors.Is(err, kerr.OffsetOutOfRange) && r.cut(ctx, x):
	default:
		r.cl.ForceMetadataRefresh()
		r.failed(x.topic, x.partition, err)
	}
	r.e.loadSoon()
}

// each fetches the bodies of entries and calls take for each, with p.mu held. It returns the entries that it has not taken, and why.
func (r *inboxReader) each(ctx context.Context, x *inboxLog, ids []inbox.ID, take func(inbox.ID, *kgo.Record) bool) (left map[int64]inbox.ID, err error) {
	left = map[int64]inbox.ID{}
	var offsets []int64
	p := x.p
	p.mu.Lock()
	for _, id := range ids {
		offset, _, _ := x.ix.At(id)
		left[offset] = id
		offsets = append(offsets, offset)
	}
	p.mu.Unlock()
	slices.Sort(offsets)
	for len(offsets) > 0 {
		got, err := r.bodiesFrom(ctx, x, offsets[0])
		if err != nil {
			return left, err
		}
		p.mu.Lock()
		for _, rec := range got {
			if id, ok := left[rec.Offset]; ok && !x.closed && take(id, rec) {
				delete(left, rec.Offset)
			}
		}
		p.dispatch()
		p.mu.Unlock()
		before := len(offsets)
		offsets = slices.DeleteFunc(offsets, func(o int64) bool { _, there := left[o]; return !there })
		if len(offsets) == before {
			return left, fmt.Errorf("offset %d is not there", offsets[0])
		}
	}
	return left, nil
}

// bodiesFrom fetches records of the inbox from an offset on. It goes over another connection than reading does, which waits for the brokers.
func (r *inboxReader) bodiesFrom(ctx context.Context, x *inboxLog, offset int64) ([]*kgo.Record, error) {
	leader, _, err := r.cl.PartitionLeader(x.topic, x.partition)
	if err != nil {
		return nil, err
	}
	if leader < 0 {
		return nil, errors.New("the partition has no leader")
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 0, 1, 8<<20
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = x.topic, x.id
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = x.partition, offset, 1<<20
	t.Partitions = append(t.Partitions, part)
	req.Topics = append(req.Topics, t)
	resp, err := r.e.side.Broker(int(leader)).Request(ctx, req)
	if err != nil {
		return nil, err
	}
	answer := resp.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
		return nil, err
	}
	if len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1 {
		return nil, errNoAnswer
	}
	fp, _ := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{Offset: offset, Topic: x.topic, Partition: x.partition}, &answer.Topics[0].Partitions[0], kgo.DefaultDecompressor(), nil)
	return fp.Records, fp.Err
}
