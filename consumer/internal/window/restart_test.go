package window

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

// record is one record of the log: an offset alone does not identify it, for an unclean election may put another one there.
type record struct {
	offset int64
	epoch  int32
}

// partition is the log of one partition, and what is committed of it.
type partition struct {
	records []record
	end     int64
	epoch   int32

	committed      int64
	committedEpoch int32
	metadata       string
}

// endOf answers OffsetForLeaderEpoch: the end offset of the greatest epoch up to epoch.
func (p *partition) endOf(epoch int32) int64 {
	for _, r := range p.records {
		if r.epoch > epoch {
			return r.offset
		}
	}
	return p.end
}

// owner is one ownership of the partition: a fetch position, a window, what is being handled.
type owner struct {
	log      *partition
	w        *Window
	position int64
	// fetched is the epoch of what was fetched last: a client asks with it where the log was cut.
	fetched int32
	slots   map[record]Slot
	working []record
	ended   map[record]bool // in this ownership
}

// world runs owners of one partition one after the other, and judges them.
type world struct {
	r       *rand.Rand
	log     partition
	o       *owner
	handled map[record]int
	durable map[record]bool // handled, and a commit says so
	cuts    bool            // whether logs are cut by unclean elections

	restarts, commits, truncations int
}

func newWorld(seed uint64, cuts bool) *world {
	w := &world{r: rand.New(rand.NewPCG(seed, 9)), handled: map[record]int{}, durable: map[record]bool{}, cuts: cuts}
	w.log.committedEpoch = -1
	w.log.epoch = 1
	w.start()
	return w
}

// start assigns the partition to a new owner, as the runner does: the commit is read back, metadata that matches is believed, and the position is
// checked against the log.
func (w *world) start() {
	l := &w.log
	o := &owner{log: l, position: l.committed, fetched: l.committedEpoch, slots: map[record]Slot{}, ended: map[record]bool{}}
	var done commitmeta.Completed
	if m, err := commitmeta.Decode(l.metadata); err == nil && m.Matches([16]byte{7}, l.committed, l.committedEpoch) == nil {
		done = m.Completed
	}
	o.w = New(l.committed, l.committedEpoch, done)
	w.o = o
	w.validate()
}

// validate is what a client does after a change of leader (KIP-320): it goes back to where the log was cut.
func (w *world) validate() {
	if w.o.fetched >= 0 {
		w.o.position = min(w.o.position, w.log.endOf(w.o.fetched))
	}
}

func (w *world) produce() {
	l := &w.log
	if w.r.IntN(6) == 0 {
		l.end += 1 + w.r.Int64N(4) // control records, compacted ones
	}
	for range 1 + w.r.IntN(4) {
		l.records = append(l.records, record{l.end, l.epoch})
		l.end++
	}
}

// fetch takes the next record of the log, if there is one.
func (w *world) fetch() error {
	l, o := &w.log, w.o
	for _, r := range l.records {
		if r.offset < o.position {
			continue
		}
		o.position, o.fetched = r.offset+1, r.epoch
		return w.admit(r)
	}
	if l.end > o.position {
		o.position = l.end
		o.w.Pass(l.end, -1)
	}
	return nil
}

func (w *world) admit(r record) error {
	slot, status := w.o.w.Admit(r.offset, r.epoch)
	_, flying := w.o.slots[r]
	switch {
	case status == Admitted && flying:
		return fmt.Errorf("%v is handled twice at once", r)
	case status == Admitted && w.durable[r]:
		return fmt.Errorf("%v is handled again although a commit says that it is done (G7)", r)
	case status != Admitted && !flying && w.handled[r] == 0:
		return fmt.Errorf("%v was never handled and is %v (G1)", r, status)
	case status == Admitted:
		w.o.slots[r] = slot
		w.o.working = append(w.o.working, r)
	}
	return nil
}

// refetch delivers a record of the log once more, as after a reconnect.
func (w *world) refetch() error {
	var seen []record
	for _, r := range w.log.records {
		if r.offset < w.o.position && r.offset >= w.log.committed {
			seen = append(seen, r)
		}
	}
	if len(seen) == 0 {
		return nil
	}
	r := seen[w.r.IntN(len(seen))]
	before := w.o.w.InFlight()
	if err := w.admit(r); err != nil {
		return err
	}
	if w.o.w.InFlight() != before {
		return fmt.Errorf("%v was fetched again and admitted again", r)
	}
	return nil
}

// finish ends the handler of a random record.
func (w *world) finish() {
	o := w.o
	if len(o.working) == 0 {
		return
	}
	i := w.r.IntN(len(o.working))
	if w.r.IntN(3) > 0 {
		i = len(o.working) - 1 - w.r.IntN(min(3, len(o.working))) // the newest first: the old ones are stuck
	}
	r := o.working[i]
	o.working = append(o.working[:i], o.working[i+1:]...)
	w.handled[r]++
	o.ended[r] = true
	o.w.Complete(o.slots[r])
	delete(o.slots, r)
}

// commit writes the mark and the map, and checks both against the log.
func (w *world) commit() error {
	l := &w.log
	mark, epoch := w.o.w.Mark()
	m := commitmeta.Metadata{TopicID: [16]byte{7}, Base: mark, LeaderEpoch: epoch, Completed: w.o.w.Completed()}
	enc := encodings[w.r.IntN(len(encodings))]
	s, err := m.Encode(enc, 4096)
	if err != nil {
		return err
	}
	l.committed, l.committedEpoch, l.metadata = mark, epoch, s
	w.commits++
	for _, r := range l.records {
		covered := r.offset < mark || m.Completed.Contains(r.offset) && r.epoch <= m.Completed.LeaderEpoch()
		if covered && r.offset < mark && r.epoch > epoch {
			covered = false // written anew below the mark: its epoch tells the client
		}
		if covered && w.handled[r] == 0 {
			return fmt.Errorf("commit of %d with %v passes %v, which was not handled (G2)", mark, m.Completed, r)
		}
		if !covered && (w.o.ended[r] || w.durable[r]) {
			return fmt.Errorf("commit of %d with %v does not name %v, which ended (G7)", mark, m.Completed, r)
		}
		if covered {
			w.durable[r] = true
		}
	}
	return nil
}

var encodings = []commitmeta.Encoding{commitmeta.Base64, commitmeta.UTF16}

// crash forgets everything but the log and the commit. What the old owner still handled may end later: nobody hears of it.
func (w *world) crash() {
	old := w.o
	w.restarts++
	w.truncations += old.w.Truncations()
	w.start()
	for r, slot := range old.slots {
		if w.o.w.Has(slot) || w.o.w.Complete(slot) {
			panic(fmt.Sprint("a slot of the last owner ended a record of this one: ", r))
		}
	}
}

// cut is an unclean election: the new leader lacks the end of the log.
func (w *world) cut() {
	l := &w.log
	l.epoch++
	if n := len(l.records); n > 0 {
		keep := n - w.r.IntN(min(n, 12)+1)
		l.records = l.records[:keep]
		l.end = 0
		if keep > 0 {
			l.end = l.records[keep-1].offset + 1
		}
	}
	w.validate()
}

func (w *world) step() error {
	switch n := w.r.IntN(100); {
	case n < 20:
		w.produce()
	case n < 50:
		return w.fetch()
	case n < 80:
		w.finish()
	case n < 90:
		return w.commit()
	case n < 95:
		return w.refetch()
	case n < 97:
		w.crash()
	case n < 98:
		if err := w.commit(); err != nil { // a clean stop: fetching has ended, what ended is committed
			return err
		}
		w.crash()
	case n < 99:
		w.log.epoch++ // a clean election
		w.validate()
	case w.cuts:
		w.cut()
	}
	return nil
}

// drain lets everything end and checks that all of the log was handled.
func (w *world) drain() error {
	for i := 0; w.o.position < w.log.end || w.o.w.InFlight() > 0; i++ {
		if i > 100_000 {
			return fmt.Errorf("no end: position %d of %d, %d in flight", w.o.position, w.log.end, w.o.w.InFlight())
		}
		if err := w.fetch(); err != nil {
			return err
		}
		w.finish()
	}
	if err := w.commit(); err != nil {
		return err
	}
	for _, r := range w.log.records {
		if w.handled[r] == 0 {
			return fmt.Errorf("%v was never handled (G1)", r)
		}
	}
	if w.log.committed != w.log.end {
		return fmt.Errorf("committed %d of %d after everything ended: lag for ever", w.log.committed, w.log.end)
	}
	return nil
}

func explore(t *testing.T, cuts bool) {
	t.Helper()
	restarts, commits, truncations, records, twice := 0, 0, 0, 0, 0
	for seed := range uint64(200) {
		w := newWorld(seed, cuts)
		for i := range 600 {
			if err := w.step(); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, i, err)
			}
		}
		if err := w.drain(); err != nil {
			t.Fatalf("seed %d, drain: %v", seed, err)
		}
		restarts, commits, records = restarts+w.restarts, commits+w.commits, records+len(w.handled)
		truncations += w.truncations
		for _, n := range w.handled {
			if n > 1 {
				twice++
			}
		}
	}
	t.Logf("%d records, %d commits, %d restarts, %d logs found cut, %d records handled more than once after crashes", records, commits, restarts, truncations, twice)
	if cuts != (truncations > 0) {
		t.Errorf("%d logs were found cut", truncations)
	}
}

// The window and the metadata together: records end in random order, the process dies at random and reads back what it committed.
func TestCrashSkipsNothingAndRepeatsNothingCommitted(t *testing.T) { // G1, G2, G7
	explore(t, false)
}

// The same with unclean elections, which put other records at offsets that were handled or committed.
func TestTruncatedLogIsNeitherSkippedNorMistaken(t *testing.T) { // G1
	explore(t, true)
}

// After a clean stop nothing is handled twice, whatever was stuck.
func TestCleanStopRepeatsNothing(t *testing.T) { // G7
	for seed := range uint64(200) {
		w := newWorld(seed, false)
		for i := range 300 {
			var err error
			switch n := w.r.IntN(100); {
			case n < 20:
				w.produce()
			case n < 55:
				err = w.fetch()
			case n < 90:
				w.finish()
			case n < 97:
				err = w.commit()
			default:
				if err = w.commit(); err == nil {
					w.crash()
				}
			}
			if err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, i, err)
			}
		}
		if err := w.drain(); err != nil {
			t.Fatalf("seed %d, drain: %v", seed, err)
		}
		for r, n := range w.handled {
			if n > 1 {
				t.Fatalf("seed %d: %v was handled %d times", seed, r, n)
			}
		}
	}
}
