package guarantee

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/internal/history"
)

// redriven is what a load knows of dead letters that were put into its inbox once more.
type redriven struct {
	operations int
	read       map[place]int64 // by partition of the inbox (offset 0): how far it was read for copies
	last       map[place]int64 // the same: behind the last copy
	copies     map[string]int  // by operation
	ids        map[string]bool // of items that were chosen
	trimmed    bool            // the owner deleted some before they were read here: they are over, and not counted
}

// redriveVerbs are what a tool does beside the group.
func (l *load) redriveVerbs(verbs map[string]func()) {
	verbs["dead letters are redriven"] = func() { l.redrive(l.target.Patience) }
	verbs["a redrive is cancelled"] = func() { l.redrive(l.upTo(1) / 4) }
	verbs["a redrive's answer is lost"] = func() {
		l.some(Fault{API: kmsg.Produce, Topic: l.inbox(l.topic, l.group), Do: DropResponse})()
		l.redrive(l.target.Patience)
	}
}

// redrive has the group handle dead letters again: all, some, or those of an operation that was cut short before. Half of them will work now. It may be
// cancelled at any step; what the inbox has of it is read there, whatever the caller was told.
func (l *load) redrive(within time.Duration) {
	seed, n := l.rng.Uint64(), l.redriven.operations
	if n == 0 || l.rng.IntN(4) > 0 {
		n++
		l.redriven.operations = n
	}
	if l.redriven.ids == nil {
		l.redriven.ids = map[string]bool{}
	}
	d := dlt.Redriving{Group: l.group, Topic: l.topic.Name, All: true, Operation: fmt.Sprintf("%s-%d", l.group, n)}
	rng, part := rand.New(rand.NewPCG(seed, 0)), 1+int(seed%3)
	d.Match = func(letter *dlt.Letter) bool {
		var it Item
		if json.Unmarshal(letter.Record.Value, &it) == nil && rng.IntN(2) == 0 {
			l.forgive(it.ID)
		}
		if rng.IntN(part) > 0 || l.kind.transactional && l.redriven.ids[it.ID] { // twice redriven it has two outputs, of one name
			return false
		}
		l.redriven.ids[it.ID] = true
		return true
	}
	net := &network{}
	ctx, cancel := context.WithTimeout(l.ctx, within)
	defer cancel()
	done := make(chan struct{})
	var out dlt.Redriven
	var err error
	go func() {
		defer close(done)
		out, err = dlt.Redrive(ctx, net.over(l.target.Cluster, "redrive-"+l.group), d)
	}()
	l.during(done)
	l.t.Logf("chaos: redrive %s: %d copies, %v", d.Operation, out.Count, err)
	l.tellRedriven()
	if have := l.redriven.copies[d.Operation]; out.Count > have && !l.redriven.trimmed {
		l.t.Errorf("redrive %s said that %d letters are in the inbox for certain, and %d are", d.Operation, out.Count, have)
	}
	if n := net.openSoon(); n > 0 {
		l.t.Errorf("redrive %s left %d connections open (G12)", d.Operation, n)
	}
}

// forgive lets an item work from now on, whatever it was made for.
func (l *load) forgive(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forgiven[id] = true
}

// forgiveAll lets every item work from now on.
func (l *load) forgiveAll() { l.forgive("") }

func (l *load) isForgiven(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.forgiven[id] || l.forgiven[""]
}

// tellRedriven notes in the history which redriven copies the inbox has that were not noted before.
func (l *load) tellRedriven() {
	r := &l.redriven
	if r.operations == 0 {
		return
	}
	if r.read == nil {
		r.read, r.last, r.copies = map[place]int64{}, map[place]int64{}, map[string]int{}
	}
	ctx, cancel := l.patience()
	defer cancel()
	inbox := []string{l.inbox(l.topic, l.group)}
	ends := l.offsets(ctx, inbox, -1, readCommitted)
	for {
		for at, start := range l.offsets(ctx, inbox, -2, readUncommitted) { // the owner deletes what is over
			r.trimmed = r.trimmed || start > r.read[at]
			r.read[at] = max(r.read[at], start)
		}
		err := l.readFrom(ctx, r.read, ends, l.tellCopy)
		if err == nil {
			break
		}
		if !errors.Is(err, kerr.OffsetOutOfRange) {
			l.t.Fatalf("independent reader: %v", err)
		}
	}
	for at, end := range ends {
		r.read[at] = max(r.read[at], end)
	}
}

// tellCopy notes a record of the inbox in the history if a redrive has put it there.
func (l *load) tellCopy(f found) {
	r, at := &l.redriven, place{f.Topic, f.Partition, 0}
	r.read[at] = f.Offset + 1
	operation := headers(f.Headers)[dlt.HeaderInboxOperation]
	if operation == "" {
		return
	}
	r.copies[operation]++
	r.last[at] = f.Offset + 1
	l.log.Record(history.Event{
		Kind: history.Redrive, Group: l.group, Topic: f.source.topic, Partition: f.source.partition, Offset: f.source.offset,
		To: &history.Place{Topic: f.Topic, Partition: f.Partition, Offset: f.Offset},
	})
}

// redrivenOver reports whether every redriven copy has ended and the inbox is committed behind it.
func (l *load) redrivenOver() bool {
	if len(l.redriven.last) == 0 {
		return true
	}
	inbox := &topic{partitions: chaosPartitions}
	inbox.Name = l.inbox(l.topic, l.group)
	committed := l.committed(l.group, inbox)
	for at, last := range l.redriven.last {
		if committed[at.partition] < last {
			return false
		}
	}
	return true
}
