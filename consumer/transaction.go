package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/internal/admin"
	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/internal/txn"
	"github.com/sordini-go/sordini/internal/uuid"
)

// transactions are those of a member whose handlers are transactional. Handlers stage; whoever commits carries out one transaction after the other: outputs,
// then the offsets, as they will be once all of that has ended, then the end. A record ends only then.
//
// A transaction that fails is begun again from the start, by a producer with a new epoch, with what was staged: the handlers' work is not lost. Where it is not
// known whether a commit was applied, the coordinator is made to finish or abort it first, and the group's committed offsets tell which it was.
type transactions struct {
	e      *engine
	client *txn.Client
	full   chan struct{} // tells the commit loop that much is staged

	// Guarded by the engine's committing.
	doubt *inDoubt
	left  bool // a transaction was left as it was, maybe open
	fails int

	mu     sync.Mutex // may be taken with a partition's held
	queue  []*staged  // in the order of staging
	bytes  int64
	number int // of the transaction that collects, for histories
	torn   bool
	untold []history.Event // for the history
}

// inDoubt is a transaction whose end is not known.
type inDoubt struct {
	batch []*staged
	snaps []*snapshot
	name  string
}

const (
	transactionTimeout = 20 * time.Second // less than a session's 30 s: when others take over what a dead member had, nothing of it is open
	maxStagedBytes     = 8 << 20
	maxStagedRecords   = 10_000
)

// newTransactions returns nil for a group whose handlers are not transactional.
func newTransactions(e *engine) *transactions {
	if !slices.ContainsFunc(e.g.handlers, func(h *handler) bool { return h.transactional }) {
		return nil
	}
	name := cmp.Or(e.g.cfg.instance, e.g.cfg.static)
	if name == "" {
		name = string(uuid.Append(nil, uuid.V7()))
	}
	return &transactions{
		e: e, full: make(chan struct{}, 1),
		client: txn.NewClient(txn.Config{
			ID: fmt.Sprintf("sordini-%s-%s", e.g.name, name), Timeout: transactionTimeout, New: e.g.cluster.NewClient,
		}),
	}
}

// add stages a record. Its partition's mutex is held.
func (x *transactions) add(s *staged) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.queue = append(x.queue, s)
	x.bytes += s.bytes
	if s.unnamed = x.torn; !x.torn && x.e.observed {
		x.e.recordAll(s.events(x.name())...)
	}
	if len(x.queue) == 1 {
		x.e.commitSoon()
	}
	if x.bytes >= maxStagedBytes || int64(len(x.queue)) >= min(maxStagedRecords, max(1, x.e.budget.maxRecords/4)) {
		select {
		case x.full <- struct{}{}:
		default:
		}
	}
}

// name is that of the transaction that collects. x.mu is held.
func (x *transactions) name() string { return fmt.Sprintf("%s-tx%d", x.e.member, x.number) }

// addLetter stages what a parked lane has for a companion. p.mu is held.
func (x *transactions) addLetter(p *partition, l *lane) {
	r := l.letter.record
	x.add(&staged{
		p: p, l: l, t: l.head, letter: l.letter, bytes: int64(len(r.Key) + len(r.Value)),
		outs: []txn.Output{{Record: r, Limit: maxDecompress}},
	})
}

// form takes the next transaction's records out of the queue: all of them, or, where one is to be alone, what is before it, or it.
func (x *transactions) form() (batch []*staged, name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	defer x.tell()
	x.sweep()
	n := len(x.queue)
	if i := slices.IndexFunc(x.queue, func(s *staged) bool { return s.alone }); i >= 0 {
		n = max(1, i)
	}
	if n == 0 {
		return nil, ""
	}
	batch = slices.Clone(x.queue[:n])
	rest := slices.Clone(x.queue[n:])
	if len(rest) > 0 { // the history has them in one transaction
		x.tear()
		x.queue = batch
		x.mend()
	}
	name = x.name()
	x.number++
	x.queue, x.bytes = rest, 0
	for _, s := range rest {
		s.unnamed = true
		x.bytes += s.bytes
	}
	x.mend()
	return batch, name
}

// sweep forgets what can not end any more: of partitions that were given up, and dead letters of those that are being given up. x.mu is held.
func (x *transactions) sweep() {
	before := len(x.queue)
	kept := slices.DeleteFunc(slices.Clone(x.queue), func(s *staged) bool { return s.p.dropped })
	if len(kept) < before {
		x.tear()
		x.queue = kept
		x.mend()
	}
}

// tear ends, for the history, the transaction that collects: what is in it is to be in others. x.mu is held.
func (x *transactions) tear() {
	x.torn = true
	if !x.e.observed {
		return
	}
	x.untold = append(x.untold, history.Event{Kind: history.TxAbort, Tx: x.name()})
	x.number++
	for _, s := range x.queue {
		s.unnamed = true
	}
}

// mend gives what is staged, for the history, to the transaction that collects. x.mu is held.
func (x *transactions) mend() {
	x.torn = false
	if !x.e.observed {
		return
	}
	for _, s := range x.queue {
		if s.unnamed {
			s.unnamed = false
			x.untold = append(x.untold, s.events(x.name())...)
		}
	}
}

// tell records what tear and mend have to say, in one piece: between the end of one transaction and the names in the next, what is staged would be in none, and
// what starts behind it in its lane too early. x.mu is held.
func (x *transactions) tell() {
	x.e.recordAll(x.untold...)
	x.untold = nil
}

// drop forgets what is staged of partitions that are given up.
func (x *transactions) drop(parts []*partition) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range parts {
		p.dropped = true
	}
	x.sweep()
	x.tell()
}

// dropped reports whether a partition of the batch was given up.
func (x *transactions) dropped(batch []*staged) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.ContainsFunc(batch, func(s *staged) bool { return s.p.dropped })
}

// waiting reports whether anything is staged.
func (x *transactions) waiting() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.queue) > 0
}

// commit carries out transactions until nothing is staged, and then commits the offsets of records that need none. Where it insists, it tries again after failures
// until ctx ends. e.committing is held.
func (x *transactions) commit(ctx context.Context, parts []*partition, insist bool) error {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := x.attempt(ctx, parts)
		if err == nil {
			x.e.resolve("transaction")
			if x.fails = 0; !x.waiting() {
				return nil
			}
			wait = 10 * time.Millisecond
			continue
		}
		x.fails++
		if x.fails > 3 {
			x.e.report("transaction", Reason{
				Code:    "transaction-failing",
				Summary: fmt.Sprintf("transactions fail, %d in a row; what handlers sent waits, and is not lost: %v", x.fails, err),
			})
		}
		x.e.log.Warn("transaction failed; it is carried out again", "error", err, "in_a_row", x.fails)
		if !insist {
			wait = min(20*time.Millisecond<<min(x.fails, 10), 5*time.Second)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
		if !insist {
			return err
		}
	}
}

// attempt carries out one transaction, or commits without one where nothing is staged.
func (x *transactions) attempt(ctx context.Context, parts []*partition) error {
	if x.doubt != nil {
		if err := x.findOut(ctx); err != nil {
			return err
		}
	}
	batch, name := x.form()
	if len(batch) == 0 {
		if x.left { // readers would wait for it until it times out
			if err := x.open(ctx); err != nil {
				return err
			}
		}
		m := x.e.membership()
		snaps := x.e.snapshots(parts)
		if len(snaps) == 0 {
			return nil
		}
		err, _ := x.e.send(ctx, m, snaps)
		return err
	}
	if err := x.open(ctx); err != nil {
		x.again(batch, name, nil)
		return err
	}
	x.e.record(func() history.Event { return history.Event{Kind: history.TxBegin, Tx: name} })
	var outs []txn.Output
	var of []*staged
	for _, s := range batch {
		for _, o := range s.outs {
			outs, of = append(outs, o), append(of, s)
		}
	}
	places := make([]int64, len(outs))
	failed, err := x.client.Produce(ctx, outs, func(i int, r *kgo.Record) { places[i] = r.Offset })
	if err != nil || len(failed) > 0 {
		x.leave()
		x.again(batch, name, x.judge(batch, of, failed))
		if err == nil {
			f := failed[0]
			err = fmt.Errorf("output to %s: %w", outs[f.Index].Record.Topic, f.Err)
		}
		return err
	}
	x.bury(batch, of, places, name)
	snaps, err := x.offsets(ctx, batch, parts, name)
	if err != nil {
		x.leave()
		x.again(batch, name, nil)
		return err
	}
	if x.dropped(batch) {
		x.leave()
		x.again(batch, name, nil)
		return errors.New("a partition was given up in the middle of the transaction")
	}
	if err := x.client.Commit(ctx); err != nil {
		x.leave()
		x.doubt = &inDoubt{batch, snaps, name}
		return err
	}
	x.committed(batch, snaps, name)
	return nil
}

// open begins with a new epoch where the last one was left; then nothing is open any more.
func (x *transactions) open(ctx context.Context) error {
	if err := x.client.Open(ctx); err != nil {
		return err
	}
	x.left = false
	return nil
}

// leave gives the transaction up as it is.
func (x *transactions) leave() {
	x.client.Close()
	x.left = true
}

// offsets adds the offsets of the batch's partitions, and of those in parts that have something to say, to the transaction.
func (x *transactions) offsets(ctx context.Context, batch []*staged, parts []*partition, name string) ([]*snapshot, error) {
	parts = slices.Clone(parts)
	m := x.e.membership()
	var own []*partition
	for _, s := range batch {
		if !slices.Contains(own, s.p) {
			own = append(own, s.p)
		}
		s.p.mu.Lock()
		s.p.pend(s.t, true)
		s.p.mu.Unlock()
	}
	for _, p := range own {
		if !slices.Contains(parts, p) {
			parts = append(parts, p)
		}
	}
	snaps := x.e.snapshots(parts)
	for _, p := range own { // what is lost has no snapshot
		if p.isLost() {
			return nil, fmt.Errorf("commit %s[%d]: %w", p.topic.name, p.id, errLost)
		}
	}
	offsets := make([]*txn.Offset, len(snaps))
	for i, s := range snaps {
		if s.cut {
			return nil, fmt.Errorf("commit metadata of %v: the completion map does not fit the broker's limit of %d; the transaction waits until it does", s.place(), x.e.metadata.most.Load())
		}
		offsets[i] = &txn.Offset{
			Topic: s.place().topic, TopicID: s.topicID(), Partition: s.place().partition, Offset: s.offset, LeaderEpoch: s.epoch, Metadata: s.text,
		}
		if !s.begin(name) {
			return nil, fmt.Errorf("commit %s: %w", s.place(), errLost)
		}
	}
	err := x.client.Offsets(ctx, txn.Group{Name: x.e.g.name, Member: m.id, Instance: x.e.g.cfg.instanceID(), Generation: m.generation}, offsets)
	now := time.Now()
	for i, s := range snaps {
		s.err = cmp.Or(offsets[i].Err, err)
		if x.e.metadata.learn(s.probe, s.err); s.err == nil {
			continue
		}
		x.e.stats.commitFailures.Add(1)
		s.p.mu.Lock()
		if s.p.commits.err = s.err; s.p.commits.failing.IsZero() {
			s.p.commits.failing = now
		}
		s.p.mu.Unlock()
		if err == nil {
			err = fmt.Errorf("commit %s at %d: %w", s.place(), s.offset, s.err)
		}
	}
	return snaps, err
}

// bury notes where the dead letters and hand-offs of a transaction are, and tells the history of them.
func (x *transactions) bury(batch, of []*staged, places []int64, name string) {
	for _, s := range batch {
		if s.letter == nil {
			continue
		}
		r := s.letter.record
		at := places[slices.Index(of, s)]
		if s.at = at; s.letter.hand != nil {
			x.e.record(func() history.Event {
				return s.letter.hand.event(s.t, history.Place{Topic: r.Topic, Partition: r.Partition, Offset: at}, name)
			})
			continue
		}
		for _, kind := range []history.Kind{history.DeadLettered, history.Ended} {
			x.e.record(func() history.Event {
				ev := s.t.died(kind, s.letter.class, nil)
				if ev.Tx = name; kind == history.DeadLettered {
					ev.To = &history.Place{Topic: r.Topic, Partition: r.Partition, Offset: at}
				}
				return ev
			})
		}
	}
}

// committed ends the records of a transaction that is committed.
func (x *transactions) committed(batch []*staged, snaps []*snapshot, name string) {
	x.e.record(func() history.Event { return history.Event{Kind: history.TxCommit, Tx: name} })
	now := time.Now()
	byPart := map[*partition][]*staged{}
	for _, s := range batch {
		byPart[s.p] = append(byPart[s.p], s)
	}
	for _, s := range snaps {
		p := s.p
		p.mu.Lock()
		if s.log != nil {
			s.log.committed, s.log.committedAt = s.offset, now
			p.started(s)
			p.mu.Unlock()
			continue
		}
		same := p.version == s.version
		p.commits = commitState{offset: s.offset}
		p.started(s)
		p.acked = s.version
		p.hold &^= holdFence
		resume := false
		for _, st := range byPart[p] {
			resume = p.ended(st, now) || resume
		}
		if same {
			p.acked = p.version
		}
		p.dispatch()
		p.mu.Unlock()
		x.e.stats.commits.Add(1)
		if resume {
			x.e.steer(tp{p.topic.name, p.id})
		}
	}
	for _, s := range batch {
		if s.letter != nil && s.letter.hand == nil {
			x.e.stats.letters(s.letter.class).Add(1)
		}
	}
}

// again puts the records of a transaction that is not committed back, before what was staged since. Those in guilty are not: their outputs are refused.
func (x *transactions) again(batch []*staged, name string, guilty map[*staged]error) {
	x.mu.Lock()
	if x.e.observed {
		x.untold = append(x.untold, history.Event{Kind: history.TxAbort, Tx: name})
	}
	x.tear()
	x.queue = append(slices.Clone(batch), x.queue...)
	for _, s := range batch {
		s.unnamed = true
		x.bytes += s.bytes
	}
	if len(guilty) == 0 {
		x.mend()
	}
	x.tell()
	x.mu.Unlock()
	for _, s := range batch {
		s.p.mu.Lock()
		s.p.pend(s.t, false)
		s.p.mu.Unlock()
	}
	for _, s := range batch {
		if err := guilty[s]; err != nil {
			x.convict(s, err)
		}
	}
	x.mu.Lock()
	x.mend()
	x.sweep()
	x.tell()
	x.mu.Unlock()
}

// convict takes a record whose output is refused out of what is staged, with all that was staged of its lane after it.
func (x *transactions) convict(s *staged, err error) {
	p := s.p
	p.mu.Lock()
	x.mu.Lock()
	i := slices.Index(x.queue, s)
	if i < 0 {
		x.mu.Unlock()
		p.mu.Unlock()
		return // went with one before it in its lane
	}
	n := i
	x.queue = slices.DeleteFunc(x.queue, func(o *staged) bool {
		n--
		return o == s || n < -1 && o.l == s.l && o.p == p
	})
	x.mu.Unlock()
	if s.letter != nil {
		p.mu.Unlock()
		x.e.posted(p, s.l, s.letter.record, err)
		return
	}
	if p.closed {
		p.mu.Unlock()
		return
	}
	post, resume := p.rewind(&verdict{s, err})
	p.dispatch()
	p.mu.Unlock()
	if resume {
		x.e.steer(tp{p.topic.name, p.id})
	}
	if post {
		x.e.post(p, s.l)
	}
}

// judge says which records are to blame for outputs that were refused. Where it may have been one of several, each is tried alone.
func (x *transactions) judge(batch, of []*staged, failed []txn.Failure) map[*staged]error {
	guilty := map[*staged]error{}
	for _, f := range failed {
		if txn.Refused(f.Err) {
			s := of[f.Index]
			guilty[s] = cmp.Or(guilty[s], fmt.Errorf("an output of the handler is refused by topic %s: %w", f.Topic, f.Err))
		}
	}
	if len(guilty) < 2 {
		return guilty
	}
	for s := range guilty {
		s.alone = true
	}
	return nil
}

// findOut ends a doubt: with a new epoch the coordinator has finished or aborted the transaction, and what the group has committed tells which.
func (x *transactions) findOut(ctx context.Context) error {
	if err := x.open(ctx); err != nil {
		return err
	}
	d := x.doubt
	mine := map[tp]*snapshot{}
	for _, s := range d.snaps { // what a record of the batch was read from: the commit says something new of it
		if !x.gone(s.p) && slices.ContainsFunc(d.batch, func(st *staged) bool { return st.p == s.p && st.p.readAt(st.t) == s.place() }) {
			mine[s.place()] = s
		}
	}
	if len(mine) == 0 { // whoever has the partitions goes on from what is committed, and here nobody needs to know
		x.doubt = nil
		x.forget(d)
		return nil
	}
	now, err := x.e.committedNow(ctx, mine)
	if err != nil {
		return fmt.Errorf("find out whether the last transaction was committed: %w", err)
	}
	x.doubt = nil
	for at, s := range mine {
		if c := now[at]; c.offset == s.offset && c.metadata == s.text {
			x.committed(d.batch, d.snaps, d.name)
			return nil
		}
	}
	x.again(d.batch, d.name, nil)
	return nil
}

func (x *transactions) gone(p *partition) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return p.dropped
}

// forget drops a transaction of partitions that were all given up.
func (x *transactions) forget(d *inDoubt) {
	for _, s := range d.batch {
		s.p.mu.Lock()
		s.p.pend(s.t, false)
		s.p.mu.Unlock()
	}
}

// committedNow asks what the group has committed. No transaction may be open on what is asked for.
func (e *engine) committedNow(ctx context.Context, ask map[tp]*snapshot) (map[tp]committed, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group, req.RequireStable = e.g.name, true
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = e.g.name
	for at, s := range ask {
		id := s.topicID()
		i := slices.IndexFunc(g.Topics, func(t kmsg.OffsetFetchRequestGroupTopic) bool { return t.Topic == at.topic })
		if i < 0 {
			i = len(g.Topics)
			t := kmsg.NewOffsetFetchRequestGroupTopic()
			t.Topic, t.TopicID = at.topic, id
			g.Topics = append(g.Topics, t)
			old := kmsg.NewOffsetFetchRequestTopic()
			old.Topic = at.topic
			req.Topics = append(req.Topics, old)
		}
		g.Topics[i].Partitions = append(g.Topics[i].Partitions, at.partition)
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, at.partition)
	}
	req.Groups = append(req.Groups, g)
	resp, err := admin.AskCoordinator(ctx, e.side, req.RequestWith)
	if err != nil {
		return nil, err
	}
	got := map[tp]committed{}
	e.eachCommitted(resp, func(topic string, partition int32, code int16, c committed) {
		if failed := kerr.ErrorForCode(code); failed != nil {
			err = errors.Join(err, fmt.Errorf("committed offset of %s[%d]: %w", topic, partition, failed))
		}
		got[tp{topic, partition}] = c
	})
	for at := range ask {
		if _, ok := got[at]; !ok && err == nil {
			err = fmt.Errorf("committed offset of %v: %w", at, errNoAnswer)
		}
	}
	return got, err
}
