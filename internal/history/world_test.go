package history

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// world makes random good histories: a group of members over a few partitions that does everything the guarantees allow, and nothing else. It is
// written from the design and not from the checker: it knows windows, lanes and commits, and writes down what happens.
type world struct {
	r       *rand.Rand
	at      time.Time
	events  []Event
	parts   []*wPart
	members []*wMember
	named   int
	fence   int64
	ids     int
	orders  map[string]int64
	acks    []Event // of records that exist, whose producers have not been told
}

const wGroup = "billing"

type wPart struct {
	n         int32
	log       []wRecord
	next      int64 // offset of the next record
	start     int64 // retention took what is before
	position  int64 // committed
	completed map[int64]bool
	inbox     []wCopy
	inboxPos  int64
	inboxDone map[int64]bool
	dlt       []Event // found events of dead letters
	attempts  map[int64]int
	redrive   []int64 // dead records that may be redriven
	owner     *wOwner
}

type wRecord struct {
	offset int64
	key    []byte
	id     string
	hash   uint64
	poison bool
}

type wCopy struct {
	source   *wRecord
	redriven bool
	ended    bool
}

type wMember struct {
	name string
	gone bool
}

// wOwner is one ownership.
type wOwner struct {
	p      *wPart
	m      *wMember
	fence  int64
	zombie bool // declared dead
	over   bool
	fetch  int // index in log
	base   int64
	known  map[int64]bool // completion map that was read back: it is committed again until the window has come there
	window []*wRun
	inbox  []*wRun // by offset in the inbox
	asked  *Event  // commits in flight: of the source, and of the inbox
	asked2 *Event
}

type wState int

const (
	wQueued wState = iota
	wRunning
	wDone  // the handler succeeded
	wDying // used up its attempts
	wAcked // its dead letter is acknowledged
	wEnded
)

// wRun is a record in a window.
type wRun struct {
	rec     *wRecord
	copy    int // in the inbox, or -1
	state   wState
	attempt int
	tries   int
}

func newWorld(seed uint64) *world {
	w := &world{r: rand.New(rand.NewPCG(seed, 1)), at: time.Unix(1e9, 0).UTC(), orders: map[string]int64{}}
	for i := range 1 + w.r.IntN(3) {
		p := &wPart{n: int32(i), completed: map[int64]bool{}, inboxDone: map[int64]bool{}, attempts: map[int64]int{}, next: int64(w.r.IntN(3))}
		w.parts = append(w.parts, p)
	}
	return w
}

func (w *world) chance(percent int) bool { return w.r.IntN(100) < percent }

func (w *world) tell(e Event) {
	w.at = w.at.Add(time.Duration(w.r.IntN(5)) * time.Millisecond)
	e.At = w.at
	e.Seq = int64(len(w.events) + 1)
	w.events = append(w.events, e)
}

// run makes a history with about so many records, and ends it in peace.
func (w *world) run(records int) []Event {
	for w.ids < records {
		w.step(true)
	}
	for range 100_000 {
		if w.quiet() {
			break
		}
		w.step(false)
	}
	for _, m := range w.members {
		if !m.gone {
			w.stop(m)
		}
	}
	w.read()
	return w.events
}

func (w *world) step(busy bool) {
	if busy && w.chance(30) {
		w.produce()
	}
	if len(w.acks) > 0 && w.chance(40) {
		w.ack()
	}
	if busy && w.chance(3) {
		w.disturb()
	}
	p := w.parts[w.r.IntN(len(w.parts))]
	if p.owner == nil || p.owner.over {
		w.assign(p)
		return
	}
	for range 3 {
		w.act(p.owner)
	}
}

func (w *world) quiet() bool {
	for _, p := range w.parts {
		o := p.owner
		if o == nil || o.over || o.fetch < len(p.log) || o.asked != nil || o.asked2 != nil {
			return false
		}
		for _, r := range slices.Concat(o.window, o.inbox) {
			if r.state != wEnded {
				return false
			}
		}
	}
	return true
}

// produce sends one record.
func (w *world) produce() {
	p := w.parts[w.r.IntN(len(w.parts))]
	w.ids++
	producer := fmt.Sprintf("p%d", w.r.IntN(2))
	w.orders[producer]++
	e := Event{Kind: Accepted, Member: producer, Topic: "orders", Partition: p.n, ID: fmt.Sprintf("r%d", w.ids), Order: w.orders[producer]}
	if !w.chance(20) {
		e.Key = fmt.Appendf(nil, "k%d-%d", p.n, w.r.IntN(4))
	}
	if w.chance(3) {
		e.Kind = Refused
		w.tell(e)
		return
	}
	if w.chance(4) {
		e.Kind = Unknown
		w.tell(e)
		if w.chance(50) {
			return
		}
	}
	switch {
	case w.chance(5):
		p.next++ // a control record
	case w.chance(1):
		p.next += 1 << 31
	}
	rec := wRecord{offset: p.next, key: e.Key, id: e.ID, hash: w.r.Uint64() | 1, poison: w.chance(5)}
	p.next++
	p.log = append(p.log, rec)
	e.Offset, e.Hash, e.Undecodable = rec.offset, rec.hash, rec.poison
	if e.Kind == Accepted {
		w.acks = append(w.acks, e)
	}
}

func (w *world) ack() {
	i := w.r.IntN(len(w.acks))
	w.tell(w.acks[i])
	w.acks = slices.Delete(w.acks, i, i+1)
}

// disturb does what happens to a cluster now and then.
func (w *world) disturb() {
	p := w.parts[w.r.IntN(len(w.parts))]
	o := p.owner
	switch w.r.IntN(12) {
	case 0, 8, 9, 10:
		if o != nil && !o.over {
			w.revoke(o)
		}
	case 1:
		if o != nil && !o.over {
			w.lose(o)
		}
	case 2:
		if o != nil && !o.over {
			w.declareDead(o)
		}
	case 3:
		if o != nil && !o.m.gone {
			w.kill(o.m)
		}
	case 4, 5:
		if o != nil && !o.m.gone {
			w.stop(o.m)
		}
	case 6:
		if n := len(p.log); n > 0 {
			w.take(p, p.log[w.r.IntN(n)].offset)
		}
	case 11:
		w.take(p, p.next)
	case 7:
		if len(p.redrive) > 0 {
			w.redrive(p)
		}
	}
}

func (w *world) take(p *wPart, before int64) {
	if before <= p.start {
		return
	}
	w.tell(Event{Kind: Truncated, Topic: "orders", Partition: p.n, Ranges: []Range{{p.start, before}}})
	p.start = before
}

func (w *world) redrive(p *wPart) {
	off := p.redrive[0]
	p.redrive = p.redrive[1:]
	rec := p.record(off)
	p.inbox = append(p.inbox, wCopy{source: rec, redriven: true})
	at := len(p.inbox) - 1
	w.tell(Event{Kind: Redrive, Group: wGroup, Topic: "orders", Partition: p.n, Offset: off, To: p.inboxPlace(at)})
	if p.owner != nil && !p.owner.over {
		p.owner.inbox = append(p.owner.inbox, &wRun{rec: rec, copy: at, attempt: 1})
	}
}

func (p *wPart) record(offset int64) *wRecord {
	for i := range p.log {
		if p.log[i].offset == offset {
			return &p.log[i]
		}
	}
	return nil
}

func (p *wPart) inboxPlace(at int) *Place { return &Place{"orders.billing.retry", p.n, int64(at)} }

// assign gives the partition to a member: what is not committed comes again.
func (w *world) assign(p *wPart) {
	var m *wMember
	for _, o := range w.members {
		if !o.gone && w.chance(50) {
			m = o
		}
	}
	if m == nil {
		w.named++
		m = &wMember{name: fmt.Sprintf("m%d", w.named)}
		w.members = append(w.members, m)
	}
	w.fence += int64(1 + w.r.IntN(3))
	o := &wOwner{p: p, m: m, fence: w.fence, base: p.position, known: maps.Clone(p.completed)}
	p.owner = o
	for o.fetch < len(p.log) && p.log[o.fetch].offset < p.position {
		o.fetch++
	}
	for i, c := range p.inbox {
		if int64(i) >= p.inboxPos {
			r := &wRun{rec: c.source, copy: i, attempt: 1}
			if p.inboxDone[int64(i)] {
				r.state = wEnded
			}
			o.inbox = append(o.inbox, r)
		}
	}
	w.tell(Event{Kind: Assigned, Group: wGroup, Member: m.name, Topic: "orders", Partition: p.n, Fence: o.fence, Offset: p.position})
}

func (o *wOwner) event(k Kind, r *wRun) Event {
	e := Event{Kind: k, Group: wGroup, Member: o.m.name, Topic: "orders", Partition: o.p.n, Offset: r.rec.offset}
	if k == AttemptStart || k == AttemptEnd || k == AttemptCancel || k == Ended {
		e.Fence = o.fence
	}
	if r.copy >= 0 {
		e.Via = o.p.inboxPlace(r.copy)
		e.Redriven = o.p.inbox[r.copy].redriven
	}
	return e
}

// act does one thing of an ownership.
func (w *world) act(o *wOwner) {
	switch n := w.r.IntN(20); {
	case n < 5:
		w.fetch(o)
	case n < 17:
		all := slices.Concat(o.window, o.inbox)
		if len(all) > 0 {
			// The first that is not ended, or any.
			i := slices.IndexFunc(all, func(r *wRun) bool { return r.state != wEnded })
			if i < 0 || w.chance(60) {
				i = w.r.IntN(len(all))
			}
			w.advance(o, all[i])
		}
	default:
		w.commit(o)
	}
}

func (w *world) fetch(o *wOwner) {
	p := o.p
	if o.fetch >= len(p.log) || len(o.window) > 40 {
		return
	}
	rec := &p.log[o.fetch]
	if rec.offset < p.start {
		from := max(o.base, rec.offset)
		for o.fetch < len(p.log) && p.log[o.fetch].offset < p.start {
			o.fetch++
		}
		if !o.zombie {
			w.tell(Event{Kind: Missed, Group: wGroup, Member: o.m.name, Topic: "orders", Partition: p.n, Ranges: []Range{{from, p.start}}})
		}
		return
	}
	o.fetch++
	if o.known[rec.offset] {
		o.window = append(o.window, &wRun{rec: rec, copy: -1, state: wEnded})
		return
	}
	r := &wRun{rec: rec, copy: -1, attempt: max(1, p.attempts[rec.offset])}
	o.window = append(o.window, r)
	if rec.poison {
		r.state = wDying
		return
	}
	// A record handed off twice by a crash is recognised by its identity.
	if slices.ContainsFunc(o.inbox, func(x *wRun) bool {
		return x.rec.offset == rec.offset && !p.inbox[x.copy].redriven && x.state != wEnded
	}) {
		e := o.event(Ended, r)
		e.Outcome = Folded
		w.tell(e)
		r.state = wEnded
	}
}

// mayStart is the rule of lanes.
func (o *wOwner) mayStart(r *wRun) bool {
	redriven := r.copy >= 0 && o.p.inbox[r.copy].redriven
	for _, x := range slices.Concat(o.window, o.inbox) {
		if x == r || x.state == wEnded {
			continue
		}
		xRedriven := x.copy >= 0 && o.p.inbox[x.copy].redriven
		if x.rec.offset == r.rec.offset && x.state != wQueued {
			return false
		}
		if string(x.rec.key) != string(r.rec.key) || x.rec.key == nil {
			continue
		}
		if x.state == wRunning || !redriven && !xRedriven && x.rec.offset < r.rec.offset && !(x.rec.poison && x.copy < 0) {
			return false
		}
	}
	// In the source, what is fetched later is behind what waits in the inbox; that is in o.inbox.
	return true
}

func (w *world) advance(o *wOwner, r *wRun) {
	p := o.p
	switch r.state {
	case wQueued:
		if r.copy >= 0 && !p.inbox[r.copy].redriven {
			// The copy of a record whose source this ownership has in flight waits for that; what was not committed before its source may hold earlier
			// records of its key, which come again and go first.
			if n := len(p.log); o.fetch < n && p.log[o.fetch].offset <= r.rec.offset {
				return
			}
			if slices.ContainsFunc(o.window, func(x *wRun) bool { return x.rec.offset == r.rec.offset && x.state != wEnded }) {
				return
			}
		}
		if !o.mayStart(r) {
			return
		}
		e := o.event(AttemptStart, r)
		e.Key, e.Attempt = r.rec.key, r.attempt
		w.tell(e)
		r.state = wRunning
	case wRunning:
		e := o.event(AttemptEnd, r)
		e.Attempt, e.Outcome = r.attempt, Succeeded
		r.state = wDone
		if w.chance(35) {
			e.Outcome, e.Err = Failed, "boom"
			r.attempt++
			r.tries++
			r.state = wQueued
			if r.tries > 2 {
				r.state = wDying
			}
		}
		w.tell(e)
	case wDone:
		w.end(o, r, Handled)
	case wDying:
		switch {
		case !r.rec.poison && w.chance(25):
			w.end(o, r, Skipped)
		case !r.rec.poison && w.chance(30) && (r.copy < 0 || !p.inbox[r.copy].redriven):
			w.hand(o, r)
		default:
			e := o.event(DeadLettered, r)
			e.To = &Place{"orders.billing.dlt", p.n, int64(len(p.dlt))}
			w.tell(e)
			p.dlt = append(p.dlt, Event{Kind: Found, Group: wGroup, Topic: "orders", Partition: p.n, Offset: r.rec.offset, Via: e.To, Key: r.rec.key, Hash: r.rec.hash})
			r.state = wAcked
		}
	case wAcked:
		w.end(o, r, Dead)
	}
}

func (w *world) hand(o *wOwner, r *wRun) {
	p := o.p
	p.inbox = append(p.inbox, wCopy{source: r.rec})
	at := len(p.inbox) - 1
	e := o.event(Ended, r)
	e.Outcome, e.To = Handed, p.inboxPlace(at)
	w.tell(e)
	r.state = wEnded
	if r.copy >= 0 && !o.zombie {
		p.inbox[r.copy].ended = true
	}
	o.inbox = append(o.inbox, &wRun{rec: r.rec, copy: at, attempt: r.attempt})
	if o.zombie && p.owner != o && !p.owner.over {
		next := &wRun{rec: r.rec, copy: at, attempt: 1, state: wEnded} // the new owner reads it, and has the record itself
		p.owner.inbox = append(p.owner.inbox, next)
		p.inbox[at].ended = true
		e := p.owner.event(Ended, next)
		e.Outcome = Folded
		w.tell(e)
	}
}

func (w *world) end(o *wOwner, r *wRun, how Outcome) {
	e := o.event(Ended, r)
	e.Outcome = how
	if how == Dead {
		e.Class = "exhausted"
		if r.rec.poison {
			e.Class = "decode"
		} else if !o.zombie && r.copy < 0 {
			o.p.redrive = append(o.p.redrive, r.rec.offset)
		}
	}
	w.tell(e)
	r.state = wEnded
	if r.copy >= 0 && !o.zombie {
		o.p.inbox[r.copy].ended = true
	}
}

// commit asks for one, or gets the answer.
func (w *world) commit(o *wOwner) {
	if o.asked != nil {
		w.answer(o, w.chance(80))
		return
	}
	w.ask(o)
}

func (w *world) ask(o *wOwner) {
	p := o.p
	pos, done := o.mark()
	e := Event{Kind: CommitStart, Group: wGroup, Member: o.m.name, Topic: "orders", Partition: p.n, Offset: pos, Call: int64(len(w.events))}
	for _, off := range done {
		e.Ranges = append(e.Ranges, Range{off, off + 1})
	}
	w.tell(e)
	o.asked = &e
	if len(o.inbox) > 0 && w.chance(70) {
		pos, done := o.inboxMark()
		e2 := Event{Kind: CommitStart, Group: wGroup, Member: o.m.name, Topic: "orders.billing.retry", Partition: p.n, Offset: pos, Call: e.Call}
		for _, off := range done {
			e2.Ranges = append(e2.Ranges, Range{off, off + 1})
		}
		w.tell(e2)
		o.asked2 = &e2
	}
}

// answer is the broker's: a member that was declared dead is fenced.
func (w *world) answer(o *wOwner, yes bool) {
	p := o.p
	if e := o.asked; e != nil && yes && !o.zombie {
		e.Kind = Commit
		w.tell(*e)
		p.position, p.completed = e.Offset, map[int64]bool{}
		for _, r := range e.Ranges {
			p.completed[r.From] = true
		}
	}
	if e := o.asked2; e != nil && yes && !o.zombie {
		e.Kind = Commit
		w.tell(*e)
		p.inboxPos, p.inboxDone = e.Offset, map[int64]bool{}
		for _, r := range e.Ranges {
			p.inboxDone[r.From] = true
		}
	}
	o.asked, o.asked2 = nil, nil
	o.window = slices.DeleteFunc(o.window, func(r *wRun) bool { return r.state == wEnded && r.rec.offset < p.position && !o.zombie })
}

// mark is the first offset that has not ended, and the ended ones beyond it.
func (o *wOwner) mark() (int64, []int64) {
	pos := o.base
	if o.fetch > 0 {
		pos = max(pos, o.p.log[o.fetch-1].offset+1)
	}
	for _, r := range o.window {
		if r.state != wEnded {
			pos = r.rec.offset
			break
		}
	}
	var done []int64
	for _, r := range o.window {
		if r.state == wEnded && r.rec.offset > pos {
			done = append(done, r.rec.offset)
		}
	}
	for _, rec := range o.p.log[o.fetch:] {
		if o.known[rec.offset] && rec.offset >= pos {
			done = append(done, rec.offset)
		}
	}
	return pos, done
}

func (o *wOwner) inboxMark() (int64, []int64) {
	open := map[int64]bool{}
	pos := o.p.inboxPos
	for _, r := range o.inbox {
		pos = max(pos, int64(r.copy)+1)
	}
	end := pos
	for _, r := range o.inbox {
		if r.state != wEnded {
			open[int64(r.copy)] = true
			pos = min(pos, int64(r.copy))
		}
	}
	var done []int64
	for i := pos + 1; i < end; i++ {
		if !open[i] {
			done = append(done, i)
		}
	}
	return pos, done
}

func (o *wOwner) running() []*wRun {
	var rs []*wRun
	for _, r := range slices.Concat(o.window, o.inbox) {
		if r.state == wRunning {
			rs = append(rs, r)
		}
	}
	return rs
}

func (w *world) cancel(o *wOwner, r *wRun, c Cause) {
	e := o.event(AttemptCancel, r)
	e.Cause = c
	w.tell(e)
}

func (w *world) returned(o *wOwner, r *wRun, how Outcome, c Cause) {
	e := o.event(AttemptEnd, r)
	e.Attempt, e.Outcome, e.Cause = r.attempt, how, c
	w.tell(e)
}

func (w *world) plain(k Kind, o *wOwner) {
	w.tell(Event{Kind: k, Group: wGroup, Member: o.m.name, Topic: "orders", Partition: o.p.n})
}

// revoke: what runs ends in time, or is cancelled and outlives it.
func (w *world) revoke(o *wOwner) {
	w.plain(Revoking, o)
	var late []*wRun
	for _, r := range o.running() {
		switch w.r.IntN(3) {
		case 0:
			w.returned(o, r, Succeeded, 0)
			w.end(o, r, Handled)
		case 1:
			w.cancel(o, r, CauseRevoked)
			w.returned(o, r, Cancelled, CauseRevoked)
			r.state = wQueued
		case 2:
			if w.chance(50) {
				w.cancel(o, r, CauseRevoked)
			}
			late = append(late, r)
		}
	}
	w.answer(o, true)
	if w.chance(70) {
		w.ask(o)
		w.answer(o, w.chance(90))
	}
	w.plain(Revoked, o)
	o.over = true
	if w.chance(50) {
		w.assign(o.p)
		for range 5 {
			w.act(o.p.owner)
		}
	}
	for _, r := range late {
		how := []Outcome{Succeeded, Cancelled, Failed}[w.r.IntN(3)]
		w.returned(o, r, how, CauseRevoked)
		if how == Succeeded && w.chance(30) {
			e := o.event(Ended, r) // fenced
			e.Outcome = Handled
			w.tell(e)
		}
	}
}

func (w *world) lose(o *wOwner) {
	w.plain(Lost, o)
	o.over = true
	late := o.running()
	if w.chance(50) {
		w.assign(o.p)
		for range 5 {
			w.act(o.p.owner)
		}
	}
	for _, r := range late {
		w.returned(o, r, Failed, CauseLost)
	}
}

// declareDead gives the partition to another member while this one goes on.
func (w *world) declareDead(o *wOwner) {
	o.zombie = true
	w.assign(o.p)
	if o.p.owner.m == o.m { // it came back at once, under another fence
		for _, r := range o.running() {
			w.returned(o, r, Failed, CauseLost)
		}
		o.over = true
		return
	}
	for range 20 {
		w.act(o)
		if !o.p.owner.over && o.p.owner != o {
			w.act(o.p.owner)
		}
	}
	for _, r := range o.running() {
		w.returned(o, r, Succeeded, CauseLost)
	}
	w.plain(Lost, o)
	o.over = true
}

func (w *world) kill(m *wMember) {
	m.gone = true
	for _, p := range w.parts {
		if p.owner != nil && p.owner.m == m {
			p.owner.over = true
		}
	}
	w.tell(Event{Kind: RunEnd, Group: wGroup, Member: m.name, Outcome: Killed})
}

// stop is a clean drain.
func (w *world) stop(m *wMember) {
	m.gone = true
	w.tell(Event{Kind: DrainStart, Group: wGroup, Member: m.name})
	for _, p := range w.parts {
		o := p.owner
		if o == nil || o.m != m || o.over {
			continue
		}
		for _, r := range o.running() {
			if w.chance(50) {
				w.returned(o, r, Succeeded, 0)
				w.end(o, r, Handled)
				continue
			}
			w.cancel(o, r, CauseDraining)
			w.returned(o, r, []Outcome{Cancelled, Failed}[w.r.IntN(2)], CauseDraining)
			if r.copy < 0 {
				p.attempts[r.rec.offset] = r.attempt
			}
			r.state = wQueued
		}
		w.answer(o, true)
		w.ask(o)
		if len(o.inbox) > 0 && o.asked2 == nil {
			pos, done := o.inboxMark()
			e := Event{Kind: CommitStart, Group: wGroup, Member: m.name, Topic: "orders.billing.retry", Partition: p.n, Offset: pos, Call: o.asked.Call}
			for _, off := range done {
				e.Ranges = append(e.Ranges, Range{off, off + 1})
			}
			w.tell(e)
			o.asked2 = &e
		}
		w.answer(o, true)
		w.plain(Revoked, o)
		o.over = true
	}
	w.tell(Event{Kind: RunEnd, Group: wGroup, Member: m.name, Outcome: Clean})
}

// read is the independent reader, after the end.
func (w *world) read() {
	for len(w.acks) > 0 {
		w.ack()
	}
	for _, p := range w.parts {
		for _, rec := range p.log {
			if rec.offset >= p.start {
				w.tell(Event{Kind: Found, Topic: "orders", Partition: p.n, Offset: rec.offset, Key: rec.key, ID: rec.id, Hash: rec.hash, Undecodable: rec.poison})
			}
		}
		w.tell(Event{Kind: Scanned, Topic: "orders", Partition: p.n, Ranges: []Range{{p.start, p.next}}})
		for _, e := range p.dlt {
			w.tell(e)
		}
		w.tell(Event{Kind: Scanned, Topic: "orders.billing.dlt", Partition: p.n, Ranges: []Range{{0, int64(len(p.dlt))}}})
	}
}
