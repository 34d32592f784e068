package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
	"github.com/sordini-go/sordini/internal/admin"
	"github.com/sordini-go/sordini/internal/history"
)

// ErrSought is the cause that a handler's context is cancelled with when Seek or Replay moves its partition's position. It wraps ErrRevoked: what the handler
// answers is not counted, and nothing of it is committed.
var ErrSought = fmt.Errorf("the group's position was moved: %w", ErrRevoked)

// ErrNotOwned is wrapped by the error of Seek and Replay where the member does not own a partition that they are about.
var ErrNotOwned = errors.New("partition is not owned by this member")

// Offset is a position in one partition, for Seek and for Reset of a topic with a single partition that matters. StartAt refuses it.
func Offset(n int64) Start { return Start{kind: startOffset, offset: n} }

// Seek moves the group's position in a partition that this member owns: records from there on are handled again, or those before it are not handled by the group
// any more. Dispatch stops, the new position is committed without what the old commit knew of records beyond it, handlers that run are cancelled with cause
// ErrSought and what is in flight is dropped without being counted; then fetching goes on from the new position. The next attempts have a greater Fence, so that
// a store can refuse a late write of the old run. Dead letters, and records that wait in the inbox, stay where they are.
//
// Seek blocks until the position is committed, and a second longer at most for handlers that do not return at once. An offset that the log does not hold is
// refused (ErrConfig), and so is every seek in a group with transactional handlers: stop that and use Reset. For a partition of another member it returns
// ErrNotOwned. Where the commit fails, or ctx ends before it is acknowledged, the group goes on where it was and the error wraps ErrCommit.
func (g *Group) Seek(ctx context.Context, topic string, partition int32, to Start) error {
	if err := g.seek(ctx, to, map[string][]int32{topic: {partition}}); err != nil {
		return fmt.Errorf("group %q: seek %v: %w", g.name, tp{topic, partition}, err)
	}
	return nil
}

// Replay moves the group's position in all partitions of the given topics, or of all of its topics where none is given; see Seek for what that means. This
// member has to own all of them. In a group of several members it returns ErrNotOwned and changes nothing: stop the members and use Reset, or have each of
// them call Seek for its partitions.
func (g *Group) Replay(ctx context.Context, from Start, topics ...string) error {
	if err := g.replay(ctx, from, topics); err != nil {
		return fmt.Errorf("group %q: replay: %w", g.name, err)
	}
	return nil
}

func (g *Group) replay(ctx context.Context, from Start, topics []string) error {
	e, err := g.running()
	if err != nil {
		return err
	}
	if from.kind == startOffset {
		return refuse("an offset is a position in one partition; use Earliest, Latest or Time, or Seek")
	}
	if len(topics) == 0 {
		for _, t := range e.topics {
			topics = append(topics, t.name)
		}
	}
	meta, err := admin.Metadata(ctx, e.side, topics...)
	if err != nil {
		return err
	}
	ask := map[string][]int32{}
	for _, name := range topics {
		t := meta.Topic(name)
		if t.Err != nil {
			return t.Err
		}
		for _, p := range t.Partitions {
			ask[name] = append(ask[name], p.ID)
		}
	}
	return g.seek(ctx, from, ask)
}

// running returns the engine of a group that runs and may be sought in.
func (g *Group) running() (*engine, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.state != stateRunning:
		return nil, fmt.Errorf("the group does not run; use consumer.Reset while it has no members: %w", ErrNotOwned)
	case g.engine.tx != nil:
		return nil, refuse("the offsets of transactional handlers move in their transactions alone; stop the group and use consumer.Reset")
	}
	select {
	case <-g.engine.joined:
		return g.engine, nil
	default:
		return nil, fmt.Errorf("the group has not joined yet: %w", ErrNotOwned)
	}
}

func (g *Group) seek(ctx context.Context, to Start, ask map[string][]int32) error {
	e, err := g.running()
	if err != nil {
		return err
	}
	var missing []string
	for topic, ids := range ask {
		for _, id := range ids {
			if at := (tp{topic, id}); e.partition(at) == nil {
				missing = append(missing, at.String())
			}
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return fmt.Errorf("%w: %s; stop the group and use consumer.Reset, or call Seek on the member that owns it", ErrNotOwned, list(missing))
	}
	offsets, err := positions(ctx, e.side, to, ask)
	if err != nil {
		return err
	}
	moves, err := e.beginMoves(offsets)
	if err != nil {
		return err
	}
	parts := make([]*partition, len(moves))
	for i, m := range moves {
		parts[i] = m.p
	}
	limited, cancel := context.WithTimeout(ctx, seekTimeout)
	defer cancel()
	if err := e.commitParts(limited, parts, true); err != nil {
		e.undoMoves(moves)
		return fmt.Errorf("%w, and the group goes on where it was: %w", ErrCommit, err)
	}
	var waits []<-chan struct{}
	for _, p := range parts {
		waits = append(waits, p.stop())
		p.cancel(ErrSought)
	}
	grace := time.NewTimer(graceTimeout)
	defer grace.Stop()
	all(waits, grace.C, nil)
	if err := e.commitParts(limited, parts, true); err != nil { // what ended of the inbox meanwhile
		e.log.Warn("what ended of the inbox while the position was moved is not committed, and is handled again", "error", err)
	}
	done := make(chan struct{})
	e.tasks.add(func() bool { return e.finishMoves(moves, done) })
	select {
	case <-done:
	case <-e.stopping: // committed all the same: the next run begins there
	}
	return nil
}

// seekTimeout bounds the commit of a new position.
const seekTimeout = 10 * time.Second

// move is one partition on its way to a new position.
type move struct {
	p  *partition
	to target
}

// target is where a partition's position is being moved.
type target struct {
	offset      int64
	incarnation int64
}

// beginMoves holds partitions and lets their commits say the new position. A revocation meanwhile commits it as well.
func (e *engine) beginMoves(offsets map[tp]int64) (moves []move, err error) {
	defer func() {
		if err != nil {
			e.undoMoves(moves)
		}
	}()
	for at, offset := range offsets {
		p := e.partition(at)
		if p == nil {
			return moves, fmt.Errorf("%w: %v went to another member", ErrNotOwned, at)
		}
		p.mu.Lock()
		if p.closed || p.stopping {
			p.mu.Unlock()
			return moves, fmt.Errorf("%w: %v is being given up", ErrNotOwned, at)
		}
		if p.target != nil {
			p.mu.Unlock()
			return moves, fmt.Errorf("%v is being moved by another call", at)
		}
		m := move{p, target{offset, max(time.Now().UnixMilli(), p.incarnation+1)}}
		p.target = &m.to
		p.hold |= holdSeek
		p.changed()
		p.mu.Unlock()
		moves = append(moves, m)
		e.record(func() history.Event {
			return history.Event{Kind: history.Seek, Topic: at.topic, Partition: at.partition, Offset: offset}
		})
	}
	return moves, nil
}

// undoMoves lets partitions go on where they were.
func (e *engine) undoMoves(moves []move) {
	for _, m := range moves {
		p := m.p
		e.record(func() history.Event {
			return history.Event{Kind: history.Seek, Topic: p.topic.name, Partition: p.id, Offset: p.mark.Load()}
		})
		p.mu.Lock()
		p.target = nil
		p.hold &^= holdSeek
		p.changed()
		p.dispatch()
		p.mu.Unlock()
	}
}

// finishMoves puts new ownerships in the place of those that were moved, and has the client fetch from the new positions. The poll loop calls it, between two
// polls and with rebalances held off. It reports false when the client does not fetch one of them yet, and is called again.
func (e *engine) finishMoves(moves []move, done chan<- struct{}) bool {
	fetched := e.cl.CommittedOffsets()
	for _, m := range moves {
		if _, ok := fetched[m.p.topic.name][m.p.id]; !ok && e.partition(tp{m.p.topic.name, m.p.id}) == m.p {
			return false
		}
	}
	set := map[string]map[int32]kgo.EpochOffset{}
	_, generation := e.cl.GroupMetadata()
	for _, m := range moves {
		old, at := m.p, tp{m.p.topic.name, m.p.id}
		if e.partition(at) != old {
			continue // it was taken away meanwhile; its last commit said the new position
		}
		old.close()
		p := e.own(old.topic, at.partition, position{m.to.offset, -1}, commitmeta.Metadata{Incarnation: m.to.incarnation}, generation)
		p.base, p.commits.offset = m.to.offset, m.to.offset
		p.end.Store(old.end.Load())
		old.mu.Lock()
		p.hold |= old.hold & holdCompanions
		old.mu.Unlock()
		e.record(func() history.Event {
			return history.Event{Kind: history.Assigned, Topic: at.topic, Partition: at.partition, Offset: m.to.offset, Fence: p.fence}
		})
		e.log.Info("position moved", "partition", at.String(), "from", old.mark.Load(), "to", m.to.offset)
		e.mu.Lock()
		e.parts[at] = p
		e.mu.Unlock()
		e.resolve("fetch " + at.String())
		e.follow(p)
		e.reader.leave([]*partition{old})
		e.reader.openSoon()
		if set[at.topic] == nil {
			set[at.topic] = map[int32]kgo.EpochOffset{}
		}
		set[at.topic][at.partition] = kgo.EpochOffset{Epoch: -1, Offset: m.to.offset}
	}
	e.cl.SetOffsets(set)
	close(done)
	return true
}

// partition returns the ownership of a partition, nil where there is none.
func (e *engine) partition(at tp) *partition {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.parts[at]
}

// positions finds the offsets of a position in partitions, and refuses those that their logs do not hold.
func positions(ctx context.Context, cl *kgo.Client, to Start, ask map[string][]int32) (map[tp]int64, error) {
	found := map[tp]int64{}
	list := func(timestamp int64, set func(at tp, o int64) error) error {
		got, err := admin.ListOffsets(ctx, cl, false, timestamp, ask)
		if err != nil {
			return err
		}
		for topic, parts := range got {
			for id, o := range parts {
				if o.Err != nil {
					return o.Err
				}
				if err := set(tp{topic, id}, o.Offset); err != nil {
					return err
				}
			}
		}
		return nil
	}
	keep := func(at tp, o int64) error { found[at] = o; return nil }
	switch to.kind {
	case startEarliest:
		return found, list(admin.Earliest, keep)
	case startLatest:
		return found, list(admin.Latest, keep)
	case startTime:
		if err := list(admin.Latest, keep); err != nil {
			return nil, err
		}
		return found, list(to.time.UnixMilli(), func(at tp, o int64) error {
			if o >= 0 { // else no record is as young as that, and the end it is
				found[at] = o
			}
			return nil
		})
	}
	err := list(admin.Earliest, func(at tp, o int64) error {
		if found[at] = to.offset; to.offset < o {
			return refuse("offset %d of %v: the log begins at %d; Earliest is that", to.offset, at, o)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, list(admin.Latest, func(at tp, o int64) error {
		if to.offset > o {
			return refuse("offset %d of %v: the log ends at %d; Latest is that", to.offset, at, o)
		}
		return nil
	})
}

// tasks are for the poll loop, between two polls and with rebalances held off.
type tasks struct {
	mu   sync.Mutex
	list []func() bool // reports false to be called again
	wake func()        // ends the poll that is out
	some chan struct{} // there are some
}

func (t *tasks) add(f func() bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append(t.list, f)
	select {
	case t.some <- struct{}{}:
	default:
	}
	if t.wake != nil {
		t.wake()
	}
}

// poll returns the context of the next poll.
func (t *tasks) poll(parent context.Context) context.Context {
	ctx, cancel := context.WithCancel(parent)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wake != nil {
		t.wake()
	}
	if t.wake = cancel; len(t.list) > 0 {
		cancel()
	}
	return ctx
}

// run does what is to be done, and reports whether there was anything.
func (t *tasks) run() bool {
	t.mu.Lock()
	list := t.list
	t.list = nil
	t.mu.Unlock()
	for _, f := range list {
		if !f() {
			time.AfterFunc(50*time.Millisecond, func() { t.add(f) })
		}
	}
	return len(list) > 0
}
