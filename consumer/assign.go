package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
	"github.com/sordini-go/sordini/consumer/internal/window"
	"github.com/sordini-go/sordini/internal/admin"
	"github.com/sordini-go/sordini/internal/history"
)

// errLost is the cause that tells a lost partition from a revoked one; to a handler both are ErrRevoked.
var errLost = fmt.Errorf("partition lost: %w", ErrRevoked)

// committed is what the broker answered about one partition.
type committed struct {
	offset   int64 // -1 where nothing is committed
	epoch    int32
	metadata string
}

// onOffsetsFetched keeps what was committed, metadata included, for takeOver. franz-go calls it right before.
func (e *engine) onOffsetsFetched(_ context.Context, _ *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.eachCommitted(resp, func(topic string, partition int32, code int16, c committed) {
		if code == 0 {
			e.fetched[tp{topic, partition}] = c
		}
	})
	return nil
}

// eachCommitted calls keep for every partition of an answer, whichever version it is of.
func (e *engine) eachCommitted(resp *kmsg.OffsetFetchResponse, keep func(topic string, partition int32, code int16, c committed)) {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			keep(t.Topic, p.Partition, p.ErrorCode, committed{p.Offset, p.LeaderEpoch, text(p.Metadata)})
		}
	}
	for _, g := range resp.Groups {
		for _, t := range g.Topics {
			name := t.Topic
			if name == "" {
				name = e.topicByID(t.TopicID)
			}
			for _, p := range t.Partitions {
				keep(name, p.Partition, p.ErrorCode, committed{p.Offset, p.LeaderEpoch, text(p.Metadata)})
			}
		}
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (e *engine) topicByID(id [16]byte) string {
	if id == [16]byte{} {
		return ""
	}
	for _, t := range e.topics {
		switch id {
		case t.id:
			return t.name
		case t.inboxID:
			return t.inbox
		case t.old.inboxID:
			return t.old.inbox
		}
	}
	return ""
}

func (e *engine) topic(name string) *topicPlan {
	for _, t := range e.topics {
		if t.name == name {
			return t
		}
	}
	return nil
}

// takeOver makes the partitions that the member was assigned, from what is committed for them, and says where to fetch from. franz-go calls it before it
// fetches the first record of them, and calls it again for a partition when the session ended meanwhile.
func (e *engine) takeOver(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	ask := map[string][]int32{}
	for topic, parts := range offsets {
		for p := range parts {
			ask[topic] = append(ask[topic], p)
		}
	}
	var begin map[tp]span
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		var err error
		if begin, err = e.bounds(ctx, ask); err == nil {
			e.resolve("offsets")
			break
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		e.report("offsets", Reason{Code: "offsets-unknown", Summary: fmt.Sprintf("where the partitions begin and end can not be asked: %v", err)})
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
	_, generation := e.cl.GroupMetadata()
	out := map[string]map[int32]kgo.Offset{}
	for topic, parts := range ask {
		out[topic] = map[int32]kgo.Offset{}
		slices.Sort(parts)
		for _, id := range parts {
			at := e.assign(tp{topic, id}, generation, begin[tp{topic, id}])
			out[topic][id] = kgo.NewOffset().At(at.offset).WithEpoch(at.epoch)
		}
	}
	return out, nil
}

// span is a partition's log as the brokers told it.
type span struct {
	start, end int64
	first      int64 // where a new group starts
}

// bounds asks where the partitions' logs begin and end and where a new group would start.
func (e *engine) bounds(ctx context.Context, ask map[string][]int32) (map[tp]span, error) {
	spans := map[tp]span{}
	list := func(timestamp int64, set func(*span, int64)) error {
		got, err := admin.ListOffsets(ctx, e.side, false, timestamp, ask)
		if err != nil {
			return fmt.Errorf("list offsets: %w", err)
		}
		for topic, parts := range got {
			for id, o := range parts {
				if o.Err != nil {
					return fmt.Errorf("list offsets of %v: %w", tp{topic, id}, o.Err)
				}
				s := spans[tp{topic, id}]
				set(&s, o.Offset)
				spans[tp{topic, id}] = s
			}
		}
		return nil
	}
	if err := list(admin.Earliest, func(s *span, o int64) { s.start, s.first = o, o }); err != nil {
		return nil, err
	}
	if err := list(admin.Latest, func(s *span, o int64) { s.end = o }); err != nil {
		return nil, err
	}
	switch e.g.cfg.start.kind {
	case startLatest:
		for k, s := range spans {
			s.first = s.end
			spans[k] = s
		}
	case startTime:
		err := list(e.g.cfg.start.time.UnixMilli(), func(s *span, o int64) {
			if s.first = o; o < 0 {
				s.first = s.end // no record is as young as that
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return spans, nil
}

// position is where a partition is fetched from.
type position struct {
	offset int64
	epoch  int32
}

// assign makes the ownership of one partition and returns where it begins.
func (e *engine) assign(at tp, generation int32, log span) position {
	e.mu.Lock()
	c, known := e.fetched[at]
	delete(e.fetched, at)
	old := e.parts[at]
	e.mu.Unlock()
	if old != nil {
		old.close() // its session ended before it fetched anything
	}
	if !known {
		c = committed{offset: -1, epoch: -1}
	}
	topic := e.topic(at.topic)
	start, meta, begins, why := e.resume(topic, c, log)
	if e.g.cfg.static != "" || meta.Generation > 0 && generation <= meta.Generation {
		begins = true // the generation does not make the fence grow: a static member may be back in the one that it had
	}
	if begins {
		meta.Incarnation = max(time.Now().UnixMilli(), meta.Incarnation+1)
	}
	p := e.own(topic, at.partition, start, meta, generation)
	p.end.Store(log.end)
	p.commits.offset = c.offset
	e.disbelieved(at, c, start, why)
	e.stats.assigned.Add(1)
	e.record(func() history.Event {
		ev := history.Event{Kind: history.Assigned, Topic: at.topic, Partition: at.partition, Offset: start.offset, Fence: p.fence}
		for r := range meta.Completed.All() {
			ev.Ranges = append(ev.Ranges, history.Range{From: r.From, To: r.To})
		}
		if why != nil {
			ev.Err = why.Error()
		}
		return ev
	})
	if c.offset >= 0 && start.offset < log.start {
		e.missed(p, start.offset, log.start)
		p.win.Pass(log.start, -1)
		p.seen, start = log.start, position{log.start, -1}
	}
	p.base = start.offset
	p.watchCrashes(meta, start.offset, log.end)
	if topic.deadName != "" && at.partition >= topic.grown.Load() {
		p.hold |= holdCompanions
		e.growSoon()
	}
	if begins { // nobody may have it again, also if this member crashes now; nor a higher one, who was expelled and reads the clock later
		p.hold |= holdFence
	}
	e.mu.Lock()
	e.parts[at] = p
	e.owns.Store(int64(len(e.parts)))
	e.mu.Unlock()
	e.follow(p)
	e.reader.openSoon()
	return start
}

// own makes an ownership that begins at start with what the commit's metadata says.
func (e *engine) own(topic *topicPlan, id int32, start position, meta commitmeta.Metadata, generation int32) *partition {
	p := &partition{
		e: e, topic: topic, id: id,
		win:         window.New(start.offset, start.epoch, meta.Completed),
		table:       newLaneTable(),
		incarnation: meta.Incarnation,
		generation:  max(0, generation),
		fence:       fence(meta.Incarnation, generation),
		past:        past(meta.Attempts),
		done:        meta.Completed,
	}
	inboxesOf(p)
	p.mark.Store(start.offset)
	p.seen, p.markMoved = start.offset, time.Now()
	p.lastEnd = p.markMoved // nothing of it is late yet
	p.changed()             // so that the position of a new group and the fence are committed before they matter
	return p
}

// fence is m.Fence: the incarnation (milliseconds since 1970, of the first ownership after the group's offsets came into being, or its generations began again), then
// the group's generation at assignment. A generation that outgrows its 21 bits carries into the incarnation, which is then still far below the time of the next one.
func fence(incarnation int64, generation int32) int64 {
	return incarnation<<21 + int64(max(0, generation))
}

// onRevoked hands partitions over: what runs may finish for a bounded time, what is done is committed, and after that nothing of them counts (guarantee G5).
func (e *engine) onRevoked(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	parts := e.owned(lost)
	if len(parts) == 0 {
		return
	}
	e.stats.rebalances.Add(1)
	var waits []<-chan struct{}
	for _, p := range parts {
		e.record(p.event(history.Revoking))
		waits = append(waits, p.stop())
	}
	limit := time.NewTimer(min(e.g.cfg.drainTimeout, revokeTimeout))
	defer limit.Stop()
	if !all(waits, limit.C, e.hurry) {
		for _, p := range parts {
			p.cancel(ErrRevoked)
		}
		grace := time.NewTimer(graceTimeout)
		defer grace.Stop()
		all(waits, grace.C, nil)
	}
	for _, p := range parts {
		p.close()
		p.handOver()
	}
	ctx, cancel := context.WithTimeout(context.Background(), revokeCommitTimeout)
	defer cancel()
	if err := e.commitParts(ctx, parts, true); err != nil {
		e.log.Warn("last commit before a revocation failed: what it covered is handled again by the next owner", "partitions", describe(parts), "error", err)
	}
	for _, p := range parts {
		p.lose() // a commit that waits for its turn since before would be made in the next generation, over what the next owner has committed
	}
	e.give(parts)
	for _, p := range parts {
		e.record(p.event(history.Revoked))
	}
	e.leaveBehind(parts)
}

// leaveBehind has Run say so where a member that stops gave up partitions without an acknowledged commit of all that was handled there.
func (e *engine) leaveBehind(parts []*partition) {
	e.g.mu.Lock()
	stops := e.g.state == stateDraining
	e.g.mu.Unlock()
	if parts = slices.DeleteFunc(slices.Clone(parts), (*partition).committed); stops && len(parts) > 0 {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.behind = errors.Join(e.behind, fmt.Errorf("%w: %s went to other members while this one stopped, before what was handled there was committed", ErrCommit, describe(parts)))
	}
}

const (
	revokeTimeout       = 20 * time.Second // a third of the rebalance timeout
	revokeCommitTimeout = 5 * time.Second
)

// onLost drops partitions that another member may own already: their handlers are cancelled, and nothing is committed.
func (e *engine) onLost(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	parts := e.owned(lost)
	if len(parts) == 0 {
		return
	}
	e.stats.rebalances.Add(1)
	e.stats.lost.Add(int64(len(parts)))
	e.log.Warn("partitions lost: the group went on without this member", "partitions", describe(parts))
	for _, p := range parts {
		p.lose()
		e.record(p.event(history.Lost)) // no attempt and no commit starts behind it
		p.cancel(errLost)
	}
	e.give(parts)
	e.leaveBehind(parts)
}

// owned returns the partitions of the map that the member owns, in order.
func (e *engine) owned(m map[string][]int32) []*partition {
	e.mu.Lock()
	defer e.mu.Unlock()
	var parts []*partition
	for topic, ids := range m {
		for _, id := range ids {
			if p := e.parts[tp{topic, id}]; p != nil {
				parts = append(parts, p)
			}
		}
	}
	return parts
}

// give fences partitions and forgets them.
func (e *engine) give(parts []*partition) {
	for _, p := range parts {
		p.close()
	}
	if e.tx != nil {
		e.tx.drop(parts)
	}
	e.mu.Lock()
	for _, p := range parts {
		if e.parts[tp{p.topic.name, p.id}] == p {
			delete(e.parts, tp{p.topic.name, p.id})
		}
	}
	e.owns.Store(int64(len(e.parts)))
	e.mu.Unlock()
	e.reader.leave(parts)
	for _, p := range parts {
		e.resolve("metadata " + tp{p.topic.name, p.id}.String())
		e.steer(tp{p.topic.name, p.id}) // the client's pause would outlast the ownership
	}
}

// all waits until every channel is closed, and reports false when limit or hurry came first.
func all(waits []<-chan struct{}, limit <-chan time.Time, hurry <-chan struct{}) bool {
	for _, w := range waits {
		select {
		case <-w:
			continue
		default:
		}
		select {
		case <-w:
		case <-limit:
			return false
		case <-hurry:
			return false
		}
	}
	return true
}

func describe(parts []*partition) string {
	at := make([]tp, len(parts))
	for i, p := range parts {
		at[i] = tp{p.topic.name, p.id}
	}
	return list(namesOf(at))
}
