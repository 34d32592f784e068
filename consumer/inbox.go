package consumer

import (
	"fmt"
	"hash/maphash"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
	"github.com/sordini-go/sordini/consumer/internal/inbox"
	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/internal/history"
)

// The inbox of (topic, group) holds what is tried again in minutes or days, what waits behind such a record, and dead letters that were redriven. The owner of
// a source partition reads the inbox partition of the same number, from its index knows what is due, and fetches bodies then. What it hands off is over at the
// source once every in-sync replica has it (guarantee G2), and holds its key from the moment it is on its way (guarantee G3).

// inboxLog is one partition of an inbox, as the ownership of its source partition sees it. The source partition's mutex guards it, but for the first fields.
type inboxLog struct {
	p         *partition
	topic     string
	id        [16]byte
	partition int32
	own       bool // of the topic's present name, not of one that it had

	ix        *inbox.Index // nil until it is known where to read from
	from      int64        // where the ownership began to read
	until     int64        // where reading has to come before the source partition is dispatched
	caughtUp  bool
	closed    bool
	loading   bool      // bodies are being fetched
	notBefore time.Time // bodies are not fetched before, after that failed
	failures  int

	tight     bool // the completion map has taken half of its room
	trimmed   int64
	trimmedAt time.Time
	noTrim    bool // the brokers do not let the group

	suspect     commitmeta.Note // the record of it that ran when the process died
	committed   int64           // what was acknowledged, -1 for nothing
	committedAt time.Time
	unreadable  int64 // an entry that this release can not read, -1 for none
	why         error
}

// waiting is what a record from an inbox brings with it.
type waiting struct {
	log         *inboxLog
	id          inbox.ID
	offset      int64 // in the inbox
	over        bool  // it has ended, or was handed to the inbox again
	due         time.Time
	attempts    int // before this time
	round       int
	firstFailed time.Time
	operation   string
	topicID     [16]byte
}

// handoff is a record on its way to an inbox.
type handoff struct {
	log *inboxLog
	id  inbox.ID
}

// mark notes in an event that its record was read from the inbox.
func (w *waiting) mark(ev *history.Event) {
	if w != nil && w.log != nil {
		ev.Via, ev.Redriven = w.place(), w.operation != ""
	}
}

func (w *waiting) place() *history.Place {
	return &history.Place{Topic: w.log.topic, Partition: w.log.partition, Offset: w.offset}
}

// inboxesOf makes the logs of a new ownership.
func inboxesOf(p *partition) {
	if p.topic.inbox == "" {
		return
	}
	p.inbox = &inboxLog{p: p, topic: p.topic.inbox, id: p.topic.inboxID, partition: p.id, own: true, committed: -1, unreadable: -1}
	p.logs = []*inboxLog{p.inbox}
	if old := p.inboxOfOldName(); old != nil {
		p.logs = append(p.logs, old)
	}
	p.hold |= holdInbox
}

// Identity within the partition: a retry of the topic is told by its source offset alone, and what else may be in the inbox by what else it says.
func (x *inboxLog) scope(r dlt.InboxRecord) string {
	s := r.Record
	if r.Operation == "" && x.own && r.TopicID == x.p.topic.id && s.Topic == x.p.topic.name && s.Partition == x.p.id && r.Group == x.p.e.g.name {
		return ""
	}
	return fmt.Sprintf("%s\x00%x\x00%s\x00%d\x00%s", r.Operation, r.TopicID, s.Topic, s.Partition, r.Group)
}

var checkSeed = maphash.MakeSeed()

// checkOf is a hash of what else tells a source record from another that took its offset.
func checkOf(timestamp time.Time, key []byte) uint32 {
	return uint32((maphash.Bytes(checkSeed, key) ^ uint64(timestamp.UnixMilli())*0x9e3779b97f4a7c15) >> 32)
}

// hashOf is the hash of a key's lane, 0 where it has none.
func (p *partition) hashOf(key []byte) uint64 {
	switch {
	case p.topic.ordering == ByPartition:
		return wholePartition
	case p.topic.ordering == ByKey && key != nil:
		return maphash.Bytes(p.table.seed, key)
	}
	return 0
}

// read takes in records of the inbox, in the order of the log. p.mu is held.
func (x *inboxLog) read(records []*kgo.Record) {
	p := x.p
	for _, r := range records {
		if r.Attrs.IsControl() {
			x.ix.Pass(r.Offset+1, r.LeaderEpoch)
			continue
		}
		rec, err := dlt.ParseInbox(sdkRecord(r))
		if err != nil {
			x.cannotRead(r, err)
			continue
		}
		over := func() bool { return x.caughtUp && rec.Operation == "" && p.settled(rec.Record.Offset) }
		e := inbox.Entry{
			Offset: r.Offset, Source: rec.Record.Offset, Due: inbox.Millis(rec.Due), Key: p.hashOf(rec.Record.Key), Free: rec.Operation != "",
			Scope: x.scope(rec), Check: checkOf(rec.Record.Timestamp, rec.Record.Key),
		}
		if e.Scope != "" {
			over = nil               // what is known of the topic's offsets says nothing of it
			e.Free = e.Free || x.own // it is of another topic, or of one that had this name: no order is shared
		}
		if _, _, folded := x.ix.Read(e, r.LeaderEpoch, over); folded >= 0 {
			x.folded(rec.Record.Partition, rec.Record.Offset, rec.Record.Key, folded)
		}
	}
	p.changed()
}

// settled says whether a source record is in flight or over, so that a copy that this ownership has not made and did not find is of no use. p.mu is held.
func (p *partition) settled(offset int64) bool {
	return offset < p.win.Next() || p.done.Contains(offset)
}

// folded records that a copy ended because another one stands for its record. p.mu is held.
func (x *inboxLog) folded(partition int32, offset int64, key []byte, at int64) {
	e := x.p.e
	e.stats.folded.Add(1)
	e.record(func() history.Event {
		return history.Event{
			Kind: history.Ended, Outcome: history.Folded, Topic: x.p.topic.name, Partition: partition, Offset: offset, Key: key,
			Via: &history.Place{Topic: x.topic, Partition: x.partition, Offset: at},
		}
	})
}

// cannotRead keeps a record that this release does not understand: it never comes due, the offset stays in front of it, and the group says so. p.mu is held.
func (x *inboxLog) cannotRead(r *kgo.Record, err error) {
	x.ix.Read(inbox.Entry{Offset: r.Offset, Source: r.Offset, Due: 1<<63 - 1, Free: true, Scope: "\x00unreadable"}, r.LeaderEpoch, nil)
	if x.unreadable < 0 {
		x.unreadable, x.why = r.Offset, err
	}
}

// has reports whether a source record waits in the inbox, or is on its way there, because it was handed off before. Then that copy goes on. p.mu is held.
func (x *inboxLog) has(r *kgo.Record) bool {
	if x.ix.Len() == 0 {
		return false
	}
	held := x.ix.Held()
	id := x.ix.Find(r.Offset, checkOf(r.Timestamp, r.Key))
	if id == 0 {
		if x.ix.Held() != held { // one that held its key is known now to be of a record that the source has lost
			x.p.wakeBehind(time.Now())
		}
		return false
	}
	e := x.p.e
	e.stats.folded.Add(1)
	e.record(func() history.Event {
		return history.Event{Kind: history.Ended, Outcome: history.Folded, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key}
	})
	return true
}

// crowded says whether a record is for the inbox rather than for its lane, because an earlier one of its key waits there and no more may wait here; or because
// the lane stands still and has its share of the bound (guarantee G4). p.mu is held.
func (x *inboxLog) crowded(l *lane, t *task, hash uint64) bool {
	n, stands := 0, false
	if l != nil {
		n = l.n
		stands = l.state == laneWaiting || l.state == laneParked || l.state == laneBehind
	}
	later := t.later()
	if later.hold {
		return false
	}
	if x.ix.Behind(hash, t.rec.Offset) {
		return n >= later.queue
	}
	return stands && t.handler != nil && t.handler.cfg.goesLater() && int64(n) >= x.p.e.budget.maxRecords/shareOfBound
}

// later is how the task's handler retries through the inbox.
func (t *task) later() laterConfig {
	if t.handler == nil {
		return laterConfig{}
	}
	return t.handler.cfg.later
}

// present lets a lane go on with its head: now, when it is due, or when what is before it in the inbox has ended. p.mu is held.
func (p *partition) present(l *lane, now time.Time) {
	for l.head != nil {
		t := l.head
		if t.over {
			p.endOver(l, now)
			continue
		}
		if w := t.wait; w != nil {
			if !l.guest && w.log.ix.Behind(l.hash, t.rec.Offset) { // it was fetched, and then one before it was handed to the inbox
				w.log.ix.Put(w.id)
				p.pop(l)
				continue
			}
			l.attempts, l.firstFailed = w.attempts, w.firstFailed
			switch {
			case !w.due.After(now):
				p.makeReady(l)
			case p.stopping:
				l.state = laneHeld
			default:
				l.state = laneWaiting
				p.e.due.add(l, w.due)
			}
			return
		}
		if p.inbox == nil || l.hash == 0 || p.inbox.ix == nil || !p.inbox.ix.Behind(l.hash, t.rec.Offset) {
			p.makeReady(l)
			return
		}
		if later := t.later(); l.n <= later.queue || later.hold || p.stopping {
			l.state = laneBehind
			t.rec = detach(t.rec)
			return
		}
		if l.head = t.next; l.head == nil {
			l.tail = nil
		}
		l.n--
		t.next = nil
		p.spill(t, l.hash)
	}
	p.discard(l)
}

// wakeBehind lets the lanes go on that waited for something in the inbox, where that is gone. p.mu is held.
func (p *partition) wakeBehind(now time.Time) {
	var lanes []*lane
	p.eachLane(func(l *lane) {
		if l.state == laneBehind {
			lanes = append(lanes, l)
		}
	})
	for _, l := range lanes {
		p.present(l, now)
	}
}

// spill hands a record to the inbox that waits behind another there. p.mu is held.
func (p *partition) spill(t *task, hash uint64) {
	l := p.newLane()
	l.head, l.tail, l.n = t, t, 1
	if p.stopping {
		l.state = laneHeld
		return
	}
	p.e.stats.spilled.Add(1)
	p.list(l)
	p.hand(l, hash, time.Now(), 0)
}

// hand produces the head of a lane to the inbox. Nothing waits for it but the lane. p.mu is held.
func (p *partition) hand(l *lane, hash uint64, due time.Time, round int) {
	t, x, e := l.head, p.inbox, p.e
	rec := dlt.InboxRecord{
		Record: sdkRecord(t.rec), TopicID: p.topic.id, Group: e.g.name, Due: due, Attempts: l.attempts, Round: round, FirstFailed: l.firstFailed,
	}
	if l.cause != nil {
		rec.Error = e.g.cfg.format.Redacted(l.cause.Error())
	}
	var id inbox.ID
	if w := t.wait; w != nil {
		x, id = w.log, w.id
		rec.TopicID, rec.Operation = w.topicID, w.operation
		x.ix.Again(id, inbox.Millis(due))
	} else {
		id = x.ix.Hand(inbox.Entry{Source: t.rec.Offset, Due: inbox.Millis(due), Key: hash, Check: checkOf(t.rec.Timestamp, t.rec.Key)})
	}
	r := clientRecord(rec.Encode(x.topic))
	r.Partition = x.partition
	l.letter = &letter{record: r, hand: &handoff{x, id}}
	l.state, l.since = laneParked, time.Now()
	p.parked++
	e.produce(p, l)
}

// event is what a history has of a hand-off to a place.
func (h *handoff) event(t *task, to history.Place, tx string) history.Event {
	ev := history.Event{
		Kind: history.Ended, Outcome: history.Handed, Topic: t.rec.Topic, Partition: t.rec.Partition, Offset: t.rec.Offset, Key: t.rec.Key, To: &to, Tx: tx,
	}
	t.wait.mark(&ev)
	return ev
}

// handed hears that every in-sync replica has what hand produced, at an offset: its record has left the lane. It reports whether fetching the partition should go
// on. p.mu is held.
func (p *partition) handed(l *lane, offset int64) (resume bool) {
	e, t, h := p.e, l.head, l.letter.hand
	if l.cause != nil {
		e.logRecord(slog.LevelInfo, "record is tried again later", t.rec, l.cause.Error(), "error", l.cause, "attempts", l.attempts, "inbox", h.log.topic)
	}
	h.arrived(t, offset)
	return p.complete(l, time.Now())
}

// arrived enters what was handed off into the index. p.mu is held.
func (h *handoff) arrived(t *task, offset int64) {
	if t.wait != nil {
		t.wait.over = true
	}
	if folded := h.log.ix.Handed(h.id, offset); folded >= 0 {
		h.log.folded(t.rec.Partition, t.rec.Offset, t.rec.Key, folded)
	}
	h.log.p.e.loadSoon()
}

// recall takes back a hand-off that has not come to be. p.mu is held.
func (h *handoff) recall(t *task) {
	if t.wait == nil {
		h.log.ix.End(h.id)
	}
}

// outgrown gives up the head of a lane because the inbox does not take a record of its size. p.mu is held.
func (p *partition) outgrown(l *lane, err error) {
	t, h := l.head, l.letter.hand
	h.recall(t) // it never came there; its lane holds what is behind it in memory
	l.cause = fmt.Errorf("hand the record to %s: %w", h.log.topic, err)
	a := newAttempt(p, l, time.Now())
	a.number = l.attempts
	l.letter = p.e.write(a, decision{class: dlt.TooLarge, err: l.cause})
	l.state = laneParked
	p.parked++
	p.e.produce(p, l)
}

// arrive takes in the body of a record that is due, or will be soon. It reports false for one that it can not read. p.mu is held.
func (p *partition) arrive(x *inboxLog, id inbox.ID, r *kgo.Record, now time.Time) bool {
	rec, err := dlt.ParseInbox(sdkRecord(r))
	if err != nil {
		return false
	}
	p.bodies++
	t := p.newTask()
	t.rec = detach(clientRecord(rec.Record))
	t.handler = p.topic.handlerOf(recordType(p.topic, t.rec))
	t.size = int32(min(recordSize(t.rec), 1<<31-1))
	t.wait = &waiting{
		log: x, id: id, offset: r.Offset, due: rec.Due, attempts: rec.Attempts, round: rec.Round, firstFailed: rec.FirstFailed, operation: rec.Operation,
		topicID: rec.TopicID,
	}
	p.records++
	p.size += int64(t.size)
	p.e.budget.take(1, int64(t.size))
	if !x.own || x.scope(rec) != "" {
		p.invite(t, now)
		return true
	}
	l, hash := p.lane(t.rec.Key)
	switch {
	case l == nil:
		l = p.newLane()
		l.head, l.tail, l.n = t, t, 1
		p.join(l, hash)
		p.present(l, now)
	case l.head == nil: // what is before it is staged
		l.head, l.tail = t, t
		l.n++
		p.present(l, now)
	case l.state == laneBehind && t.rec.Offset < l.head.rec.Offset:
		t.next = l.head
		l.head = t
		l.n++
		p.present(l, now)
	case l.head.rec.Offset < t.rec.Offset: // in its place behind what the lane has begun with
		before := l.head
		if l.tail.rec.Offset < t.rec.Offset {
			before = l.tail
		}
		for before.next != nil && before.next.rec.Offset < t.rec.Offset {
			before = before.next
		}
		if t.next = before.next; t.next == nil {
			l.tail = t
		}
		before.next = t
		l.n++
	default:
		p.invite(t, now)
	}
	return true
}

// invite gives a record that has left the order of its key a lane of its own. p.mu is held.
func (p *partition) invite(t *task, now time.Time) {
	l := p.newLane()
	l.head, l.tail, l.n = t, t, 1
	l.guest, l.hash = true, p.hashOf(t.rec.Key)
	p.guests++
	p.present(l, now)
}

// busy says whether an attempt of the lane's key, or of another copy of its record, runs in another lane. p.mu is held.
func (p *partition) busy(l *lane) bool {
	src := l.head.rec
	for _, a := range p.running {
		for x := range a.each() {
			if x.l != l && (l.hash != 0 && x.l.hash == l.hash || x.src.Offset == src.Offset && x.src.Topic == src.Topic) {
				return true
			}
		}
	}
	return false
}

// unblock lets the lanes try again that waited for an attempt of their key. p.mu is held.
func (p *partition) unblock() {
	for i, l := range p.blocked {
		p.makeReady(l)
		p.blocked[i] = nil
	}
	p.blocked = p.blocked[:0]
}

// sdkRecord and clientRecord are the same record to the SDK and to franz-go.
func sdkRecord(r *kgo.Record) *sordini.Record {
	return &sordini.Record{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, LeaderEpoch: r.LeaderEpoch, Timestamp: r.Timestamp,
		Key: r.Key, Value: r.Value, Headers: r.Headers,
	}
}

func clientRecord(r *sordini.Record) *kgo.Record {
	return &kgo.Record{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, LeaderEpoch: r.LeaderEpoch, Timestamp: r.Timestamp,
		Key: r.Key, Value: r.Value, Headers: r.Headers,
	}
}
