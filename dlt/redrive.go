package dlt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/admin"
	"github.com/sordini-go/sordini/internal/uuid"
)

// Redriving says which dead letters are to be handled once more.
type Redriving struct {
	Group string // that gave up, and that will handle them again; no other sees them
	Topic string // the source topic; all of the group's when empty

	// IDs are identities, as [Letter.Identity] returns them and sordini dlt ls shows them. All takes every dead letter instead, those that were redriven before
	// among them: what became of a dead letter is not written down yet. One of the two must be given.
	IDs []string
	All bool

	Match func(*Letter) bool // narrows the choice; nil takes all. It is called from one goroutine

	// Operation names the redrive. A letter is handled once for each operation, so that one that was interrupted may be repeated under its name within a day: what
	// it has put into the inboxes is looked up there first, which are kept for that long. A new UUID when empty.
	Operation string

	DryRun bool // only counts
}

// Redriven is what a redrive did.
type Redriven struct {
	Operation  string
	Count      int      // letters that are in the inbox; of a dry run, that would be
	Duplicates int      // copies of those, left by crashes
	Truncated  []string // identities of chosen letters whose record is not whole any more: they stay where they are
	Missing    []string // IDs that no dead letter has
}

// ErrNoInbox is returned by Redrive when the group has no inbox for a topic, or one with too few partitions.
var ErrNoInbox = errors.New("no inbox")

// ErrSelection is returned by Redrive for a Redriving that can not work.
var ErrSelection = errors.New("no possible selection of dead letters")

// Redrive has a group handle dead letters again: it copies them to the group's inbox (see [InboxName]), where the owner of the source partition finds them, at
// once if the group runs. They are handled beside the live records of their key, never at the same time as one of them, and hold none back: they have left the
// key's order. One that fails again is dead-lettered again. The dead letters themselves stay.
//
// Redrive blocks until every in-sync replica has the copies, or ctx ends. With an error, the result says what is in the inbox for certain; repeat the
// redrive with the result's Operation and nothing is handled twice for it. It needs the rights to read the dead-letter topics and to write to the inboxes; with
// an Operation, to read those as well. An impossible choice is refused with an error that wraps [ErrSelection].
func Redrive(ctx context.Context, cluster sordini.Cluster, d Redriving) (Redriven, error) {
	if err := d.check(); err != nil {
		return Redriven{}, err
	}
	out := Redriven{Operation: cmp.Or(d.Operation, string(uuid.Append(nil, uuid.V7())))}
	w, err := d.writer(cluster)
	if err != nil {
		return out, fmt.Errorf("redrive: %w", err)
	}
	defer w.cl.Close()
	wanted := map[string]bool{}
	for _, id := range d.IDs {
		wanted[id] = false
	}
	var seen copies
	for l, err := range Read(ctx, cluster, Query{Group: d.Group, Topic: d.Topic}) {
		switch {
		case errors.Is(err, ErrNotDeadLetter), errors.Is(err, ErrMalformed):
			continue
		case err != nil:
			return w.finish(ctx, out, fmt.Errorf("redrive: %w", err))
		}
		if l.Dialect != DialectSordini || l.Group != d.Group || d.Topic != "" && l.Topic != d.Topic {
			continue
		}
		id := l.Identity()
		if _, ok := wanted[id]; !ok && !d.All {
			continue
		}
		wanted[id] = true
		if d.Match != nil && !d.Match(&l) {
			continue
		}
		if seen.again(&l) {
			out.Duplicates++
			continue
		}
		if l.Truncated >= WithoutHeaders {
			out.Truncated = append(out.Truncated, id)
			continue
		}
		if err := w.put(ctx, &l, out.Operation, d.DryRun); err != nil {
			return w.finish(ctx, out, fmt.Errorf("redrive %s: %w", id, err))
		}
	}
	for _, id := range d.IDs {
		if !wanted[id] {
			out.Missing = append(out.Missing, id)
		}
	}
	return w.finish(ctx, out, nil)
}

func (d Redriving) check() error {
	var why string
	switch {
	case d.Group == "":
		why = "name the group that is to handle the dead letters again"
	case d.All && len(d.IDs) > 0:
		why = "IDs and All exclude each other"
	case !d.All && len(d.IDs) == 0:
		why = "give the IDs of the dead letters, or All"
	case slices.Contains(d.IDs, ""):
		why = "an ID is empty"
	case strings.ContainsFunc(d.Operation, func(r rune) bool { return r < ' ' || r > '~' }) || len(d.Operation) > 200:
		why = "an Operation is at most 200 printable ASCII characters"
	default:
		return nil
	}
	return fmt.Errorf("redrive: %s: %w", why, ErrSelection)
}

// inboxWriter writes to a group's inboxes.
type inboxWriter struct {
	cl         *kgo.Client
	cluster    sordini.Cluster
	repeated   bool            // the operation may have been here before
	partitions map[string]int  // of each inbox that was looked up
	there      map[string]bool // identities that the operation has put into them

	mu     sync.Mutex // guards what follows
	count  int
	failed error
}

func (d Redriving) writer(cluster sordini.Cluster) (*inboxWriter, error) {
	cl, err := cluster.NewClient(
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.GzipCompression()), // as the runner's own hand-offs are
		kgo.ProducerBatchMaxBytes(redriveBatch),
		kgo.BrokerMaxWriteBytes(2*redriveBatch),
		kgo.MaxBufferedRecords(1000),
		kgo.MaxBufferedBytes(redriveBatch),
	)
	if err != nil {
		return nil, err
	}
	return &inboxWriter{cl: cl, cluster: cluster, repeated: d.Operation != "", partitions: map[string]int{}, there: map[string]bool{}}, nil
}

// redriveBatch is what a batch may have before it is compressed; the inbox's max.message.bytes has the last word.
const redriveBatch = 256 << 20

// put hands a letter over, or only looks whether it could be.
func (w *inboxWriter) put(ctx context.Context, l *Letter, operation string, dry bool) error {
	inbox, err := InboxName(l.Topic, l.Group)
	if err != nil {
		return err
	}
	n, known := w.partitions[inbox]
	if !known {
		all, err := admin.Metadata(ctx, w.cl, inbox)
		if err != nil {
			return err
		}
		have := all.Topic(inbox)
		switch {
		case errors.Is(have.Err, kerr.UnknownTopicOrPartition):
			return fmt.Errorf("topic %q does not exist; start group %q once with dead letters on, which creates it: %w", inbox, l.Group, ErrNoInbox)
		case have.Err != nil:
			return have.Err
		}
		if n = len(have.Partitions); w.repeated {
			if err := w.lookUp(ctx, inbox, operation); err != nil {
				return err
			}
		}
		w.partitions[inbox] = n
	}
	if int(l.Partition) >= n {
		return fmt.Errorf("topic %q has %d partitions, and the record comes from partition %d; start group %q, which adds what is missing: %w", inbox, n, l.Partition, l.Group, ErrNoInbox)
	}
	w.mu.Lock()
	err = w.failed
	there := w.there[l.Identity()]
	if dry || there && err == nil {
		w.count++
	}
	w.mu.Unlock()
	if err != nil || dry || there {
		return err
	}
	x := InboxRecord{Record: l.Source(), TopicID: l.TopicID, Group: l.Group, Due: time.Now(), Operation: operation}.Encode(inbox)
	r := &kgo.Record{Topic: x.Topic, Partition: x.Partition, Key: x.Key, Value: x.Value, Headers: x.Headers, Timestamp: x.Timestamp}
	w.cl.Produce(ctx, r, func(_ *kgo.Record, err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if err == nil {
			w.count++
		} else if w.failed == nil {
			w.failed = fmt.Errorf("write to %s: %w", inbox, err)
		}
	})
	return nil
}

// lookUp finds what an operation has put into an inbox already: the owner of a partition knows what it has handled itself, and not what an owner before it has.
func (w *inboxWriter) lookUp(ctx context.Context, inbox, operation string) error {
	return w.cluster.Read(ctx, func(r *sordini.Record) error {
		if x, err := ParseInbox(r); err == nil && x.Operation == operation {
			w.there[x.Identity()] = true
		}
		return nil
	}, inbox)
}

// finish waits for what is on its way.
func (w *inboxWriter) finish(ctx context.Context, out Redriven, err error) (Redriven, error) {
	if e := w.cl.Flush(ctx); e != nil && err == nil {
		err = fmt.Errorf("redrive: %w", e)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	out.Count = w.count
	if w.failed != nil && !errors.Is(err, w.failed) {
		err = errors.Join(err, fmt.Errorf("redrive: %w", w.failed))
	}
	if err != nil {
		err = fmt.Errorf("%w (operation %s; %d letters are in the inbox)", err, out.Operation, out.Count)
	}
	return out, err
}
