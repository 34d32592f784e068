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
	loadAhead  = time.Second // how long before it is due the body of a record is fetched
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
				at, ok := x.ix.NextDue()
				if !ok || at == 1<<63-1 {
					continue
				}
				from := time.UnixMilli(at).Add(-loadAhead)
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
				wg.Add(1)
				go func() { defer wg.Done(); r.fetch(ctx, x, ids) }()
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
	want := map[int64]inbox.ID{}
	var offsets []int64
	p := x.p
	p.mu.Lock()
	for _, id := range ids {
		offset, _, _ := x.ix.At(id)
		want[offset] = id
		offsets = append(offsets, offset)
	}
	p.mu.Unlock()
	slices.Sort(offsets)
	var err error
	for len(offsets) > 0 && err == nil {
		var got []*kgo.Record
		if got, err = r.bodiesFrom(ctx, x, offsets[0]); err != nil {
			break
		}
		p.mu.Lock()
		now := time.Now()
		for _, rec := range got {
			if id, ok := want[rec.Offset]; ok && !x.closed && p.arrive(x, id, rec, now) {
				delete(want, rec.Offset)
			}
		}
		p.dispatch()
		p.mu.Unlock()
		before := len(offsets)
		offsets = slices.DeleteFunc(offsets, func(o int64) bool { _, left := want[o]; return !left })
		if len(offsets) == before {
			err = fmt.Errorf("offset %d is not there", offsets[0])
		}
	}
	p.mu.Lock()
	x.loading = false
	for _, id := range want {
		r.e.bodies.give(1)
		if !x.closed {
			x.ix.Put(id)
		}
	}
	if err != nil {
		x.failures++
		x.notBefore = time.Now().Add(min(30*time.Second, 100*time.Millisecond<<min(x.failures, 10)))
	} else {
		x.failures = 0
	}
	p.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		r.cl.ForceMetadataRefresh()
		r.failed(x.topic, x.partition, err)
	} else if err == nil {
		r.e.resolve("inbox " + tp{x.topic, x.partition}.String())
	}
	r.e.loadSoon()
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
