package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
	"github.com/sordini-go/sordini/consumer/internal/inbox"
	"github.com/sordini-go/sordini/internal/admin"
)

// inboxReader reads the inboxes of the partitions that the member owns, with a client that is in no group. One goroutine polls it and changes what it reads, so
// that nothing of an earlier ownership reaches a later one.
type inboxReader struct {
	e  *engine
	cl *kgo.Client

	opening chan struct{} // there is a partition whose inbox is to be opened
	loading chan struct{} // something may be due

	mu        sync.Mutex
	todo      []func()
	interrupt context.CancelFunc
	logs      map[tp]*inboxLog // the reading goroutine's
}

// bodies bounds the records from inboxes that are in memory, beside the bound of MaxInFlight, which they count for but do not wait for.
type bodies struct {
	most int64
	n    atomic.Int64
}

func (b *bodies) give(n int) { b.n.Add(-int64(n)) }

// forgetBody gives up the place of a record from an inbox. p.mu is held.
func (p *partition) forgetBody() {
	p.bodies--
	p.e.bodies.give(1)
	p.e.loadSoon()
}

func (b *bodies) free() int { return int(max(0, b.most-b.n.Load())) }

// tell has the reading goroutine do something between two polls.
func (r *inboxReader) tell(do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.todo = append(r.todo, do)
	if r.interrupt != nil {
		r.interrupt()
	}
}

// run polls until stop is closed.
func (r *inboxReader) run(stop <-chan struct{}) {
	base, cancel := until(stop)
	defer cancel()
	for base.Err() == nil {
		r.mu.Lock()
		todo := r.todo
		r.todo = nil
		ctx, done := context.WithCancel(base)
		if r.interrupt = done; len(todo) > 0 {
			done()
		}
		r.mu.Unlock()
		for _, do := range todo {
			do()
		}
		if len(todo) == 0 {
			fs := r.cl.PollRecords(ctx, 10_000)
			fs.EachError(func(topic string, partition int32, err error) {
				if topic != "" && !errors.Is(err, context.Canceled) {
					r.failed(topic, partition, err)
				}
			})
			fs.EachPartition(func(f kgo.FetchTopicPartition) {
				if x := r.logs[tp{f.Topic, f.Partition}]; x != nil && len(f.Records) > 0 {
					r.took(x, f.Records)
				}
			})
		}
		done()
	}
}

func (r *inboxReader) failed(topic string, partition int32, err error) {
	r.e.report("inbox "+tp{topic, partition}.String(), Reason{
		Code: "inbox-unreadable", Topic: topic, Partition: partition, Summary: fmt.Sprintf("the inbox can not be read, and what waits in it is not handled: %v", err),
	})
}

// took hands records to the ownership that they are for.
func (r *inboxReader) took(x *inboxLog, records []*kgo.Record) {
	r.e.resolve("inbox " + tp{x.topic, x.partition}.String())
	p := x.p
	p.mu.Lock()
	if !x.closed {
		x.read(records)
		x.p.catchUp(x)
	}
	p.mu.Unlock()
	r.e.steer(tp{p.topic.name, p.id})
	r.e.loadSoon()
}

// catchUp dispatches the partition once everything that waits is known. p.mu is held.
func (p *partition) catchUp(x *inboxLog) {
	if x.caughtUp || x.ix.Next() < x.until {
		return
	}
	x.caughtUp = true
	if slices.ContainsFunc(p.logs, func(o *inboxLog) bool { return !o.caughtUp }) {
		return
	}
	p.hold &^= holdInbox
	p.goOn()
	p.paused = false // what was kept behind is in; the next fetch decides anew
	p.dispatch()
}

// open finds out where to read the inboxes of new ownerships from, until stop is closed.
func (r *inboxReader) open(stop <-chan struct{}) {
	ctx, cancel := until(stop)
	defer cancel()
	for {
		select {
		case <-stop:
			return
		case <-r.opening:
		}
		var all []*inboxLog
		for _, p := range r.e.partitions() {
			p.mu.Lock()
			for _, x := range p.logs {
				if x.ix == nil && !x.closed {
					all = append(all, x)
				}
			}
			p.mu.Unlock()
		}
		if len(all) == 0 {
			continue
		}
		if err := r.begin(ctx, all); err != nil && ctx.Err() == nil {
			r.e.report("inboxes", Reason{Code: "inbox-unreadable", Topic: all[0].topic, Partition: all[0].partition, Summary: fmt.Sprintf("where the inbox begins can not be asked, and its partition waits: %v", err)})
			select {
			case <-stop:
				return
			case <-time.After(time.Second):
			}
			r.openSoon()
			continue
		}
		r.e.resolve("inboxes")
	}
}

func (r *inboxReader) openSoon() {
	select {
	case r.opening <- struct{}{}:
	default:
	}
}

// begin opens logs: what was committed, and where the log begins and ends.
func (r *inboxReader) begin(ctx context.Context, logs []*inboxLog) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ask, ids := map[string][]int32{}, map[string][16]byte{}
	for _, x := range logs {
		ask[x.topic], ids[x.topic] = append(ask[x.topic], x.partition), x.id
	}
	was, err := r.e.fetchOffsets(ctx, ask, ids)
	if err != nil {
		return err
	}
	starts, err := admin.ListOffsets(ctx, r.e.side, false, admin.Earliest, ask)
	if err != nil {
		return err
	}
	ends, err := admin.ListOffsets(ctx, r.e.side, true, admin.Latest, ask)
	if err != nil {
		return err
	}
	for _, x := range logs {
		start, end := starts[x.topic][x.partition], ends[x.topic][x.partition]
		if err := errors.Join(start.Err, end.Err); err != nil {
			return fmt.Errorf("list offsets of %v: %w", tp{x.topic, x.partition}, err)
		}
		r.beginAt(x, was[tp{x.topic, x.partition}], start.Offset, end.Offset)
	}
	return nil
}

func (r *inboxReader) beginAt(x *inboxLog, c committed, start, end int64) {
	at, done, noted := start, commitmeta.Completed{}, commitmeta.Note{}
	if c.offset >= start && c.offset <= end {
		meta, err := commitmeta.Decode(c.metadata)
		if err == nil {
			err = meta.Matches(x.id, c.offset, c.epoch)
		}
		switch {
		case err == nil:
			at, done, noted = c.offset, meta.Completed, meta.Noted
		case errors.Is(err, commitmeta.ErrTopicRecreated):
		default:
			at = c.offset
		}
	}
	p := x.p
	p.mu.Lock()
	if x.ix != nil || x.closed {
		p.mu.Unlock()
		return
	}
	defer func() {
		if c.offset >= 0 && c.offset < start {
			x.lost(start-c.offset, start)
		} else if c.offset > end {
			r.e.log.Warn("the inbox ends before what is committed: it is read from its beginning", "inbox", tp{x.topic, x.partition}.String(), "committed", c.offset, "end", end)
		}
	}()
	x.ix, x.until, x.committed, x.trimmed = inbox.New(at, done), end, c.offset, start
	x.from, x.suspect = at, suspected(noted, at, done)
	if x.own {
		x.ix.Reach(p.readSoFar())
	}
	p.changed()
	p.catchUp(x)
	p.mu.Unlock()
	r.tell(func() {
		r.logs[tp{x.topic, x.partition}] = x
		r.cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{x.topic: {x.partition: kgo.NewOffset().At(at)}})
	})
	r.e.steer(tp{p.topic.name, p.id})
}

// leave stops reading the inboxes of ownerships that are over.
func (r *inboxReader) leave(parts []*partition) {
	r.tell(func() {
		gone := map[string][]int32{}
		for _, p := range parts {
			for _, x := range p.logs {
				if at := (tp{x.topic, x.partition}); r.logs[at] == x {
					delete(r.logs, at)
					gone[x.topic] = append(gone[x.topic], x.partition)
				}
			}
		}
		r.cl.RemoveConsumePartitions(gone)
	})
}

// fetchOffsets asks for what the group has committed for partitions that it is not subscribed to.
func (e *engine) fetchOffsets(ctx context.Context, ask map[string][]int32, ids map[string][16]byte) (map[tp]committed, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = e.g.name
	for topic, parts := range ask {
		t := kmsg.NewOffsetFetchRequestGroupTopic()
		t.Topic, t.TopicID, t.Partitions = topic, ids[topic], parts
		g.Topics = append(g.Topics, t)
	}
	req.Groups = append(req.Groups, g)
	resp, err := admin.AskCoordinator(ctx, e.side, req.RequestWith)
	if err != nil {
		return nil, fmt.Errorf("fetch offsets: %w", err)
	}
	found := map[tp]committed{}
	for _, g := range resp.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil {
			return nil, fmt.Errorf("fetch offsets: %w", err)
		}
		for _, t := range g.Topics {
			name := t.Topic
			for topic, id := range ids {
				if name == "" && id == t.TopicID {
					name = topic
				}
			}
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, fmt.Errorf("fetch offsets of %v: %w", tp{name, p.Partition}, err)
				}
				found[tp{name, p.Partition}] = committed{p.Offset, p.LeaderEpoch, text(p.Metadata)}
			}
		}
	}
	for topic, parts := range ask {
		for _, p := range parts {
			if _, ok := found[tp{topic, p}]; !ok {
				return nil, fmt.Errorf("fetch offsets of %v: %w", tp{topic, p}, errNoAnswer)
			}
		}
	}
	return found, nil
}
