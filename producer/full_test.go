package producer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

// text is a contract of plain text without keys.
func text(name string) sordini.Topic[string] {
	return sordini.Topic[string]{Name: name, Key: sordini.Unkeyed[string](), Value: serde.String()}
}

func TestFullBufferFailsAtOnceWhereThatIsChosen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.MaxBuffered(3, 1<<20), producer.WhenFull(producer.Fail))
		f.warm()
		stall := f.Inject(broker.Fault{API: broker.APIProduce, Stall: true})
		var o outcomes
		for _, id := range sequence(3) {
			o.send(t.Context(), f.pub, id)
		}
		err := f.pub.Send(t.Context(), order{ID: "late"}) // nobody gives room: one that waited would hang
		if !errors.Is(err, producer.ErrBufferFull) || !errors.Is(err, producer.ErrNotWritten) {
			t.Errorf("send: %v", err)
		}
		refused := make(chan error, 1)
		f.pub.SendAsync(context.Background(), order{ID: "late"}, func(_ producer.Receipt, err error) { refused <- err })
		if err := <-refused; !errors.Is(err, producer.ErrBufferFull) || !errors.Is(err, producer.ErrNotWritten) {
			t.Errorf("send async: %v", err)
		}
		stall.Remove()
		if failed := o.wait(t); len(failed) > 0 {
			t.Error(failed)
		}
		if err := f.pub.Send(t.Context(), order{ID: "again"}); err != nil {
			t.Errorf("once there is room: %v", err)
		}
		if got := f.ids(); len(got) != 4 {
			t.Errorf("on the log: %v", got)
		}
	})
}

// A batch waits for its own room where it is larger than that, and batches for that of each other.
func TestG8BatchesLargerThanTheRoomAreSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.MaxBuffered(10, 1<<20))
		began := time.Now()
		var done sync.WaitGroup
		for b := range 5 {
			done.Go(func() {
				var batch []order
				for i := range 33 {
					batch = append(batch, order{ID: fmt.Sprint(b, "-", i)})
				}
				if err := f.pub.SendBatch(t.Context(), batch); err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
		if got := f.ids(); len(got) != 5*33 || time.Since(began) > 10*time.Second {
			t.Errorf("%d records on the log after %v", len(got), time.Since(began))
		}
	})
}

func TestChosenPartitionIsWhereTheRecordGoes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, []brokertest.Option{brokertest.Topic("orders", 5), brokertest.Topic("texts", 5)})
		texts := publisher(t, f.p, text("texts"))
		for p := range int32(5) { // the first before the topic is known
			if err := f.pub.Send(t.Context(), order{ID: "same key"}, producer.Partition(p)); err != nil {
				t.Fatal(err)
			}
			if err := texts.Send(t.Context(), "no key", producer.Partition(p)); err != nil {
				t.Fatal(err)
			}
		}
		for p := range int32(5) {
			for _, topic := range []string{"orders", "texts"} {
				if rs, err := f.Records(topic, p); err != nil || len(rs) != 1 {
					t.Errorf("%s[%d] has %d records, %v", topic, p, len(rs), err)
				}
			}
		}
		for _, p := range []int32{5, -1, -7} {
			if err := f.pub.Send(t.Context(), order{ID: "1"}, producer.Partition(p)); !errors.Is(err, producer.ErrPartition) || !errors.Is(err, producer.ErrNotWritten) {
				t.Errorf("partition %d: %v", p, err)
			}
		}
	})
}

// A record that middleware makes by itself has zeros where nothing was chosen: it belongs where its key does.
func TestZeroRecordOfMiddlewareGoesWhereItsKeyBelongs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		mirror := func(next sordini.Sender) sordini.Sender {
			return func(ctx context.Context, r *sordini.Record, done func(*sordini.Record, error)) {
				next(ctx, &sordini.Record{Topic: r.Topic, Key: r.Key, Value: r.Value}, func(_ *sordini.Record, err error) { done(r, err) })
			}
		}
		f := start(t, []brokertest.Option{brokertest.Topic("orders", 5)}, producer.Middleware(mirror))
		for _, id := range sequence(20) {
			if err := f.pub.Send(t.Context(), order{ID: id}); err != nil {
				t.Fatal(err)
			}
		}
		if rs, err := f.Records("orders", 0); err != nil || len(rs) == 20 {
			t.Errorf("all of them are in partition 0, %v", err)
		}
	})
}

// Middleware that refuses a record may say that it is not written; whatever it says, the caller is told one of the two (guarantee G10).
func TestG10ErrorsOfMiddlewareSayWhatBecameOfTheRecord(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cause := errors.New("no")
		for _, refusal := range []error{cause, errors.Join(cause, sordini.ErrNotWritten)} {
			f := start(t, nil, producer.Middleware(func(sordini.Sender) sordini.Sender {
				return func(_ context.Context, r *sordini.Record, done func(*sordini.Record, error)) { done(r, refusal) }
			}))
			certain := errors.Is(refusal, sordini.ErrNotWritten)
			async := make(chan error, 1)
			f.pub.SendAsync(t.Context(), order{ID: "1"}, func(_ producer.Receipt, err error) { async <- err })
			for what, err := range map[string]error{"send": f.pub.Send(t.Context(), order{ID: "1"}), "async": <-async, "batch": f.pub.SendBatch(t.Context(), []order{{ID: "1"}})} {
				var told *producer.SendError
				if !errors.Is(err, cause) || !errors.As(err, &told) || told.MaybeWritten == certain || errors.Is(err, producer.ErrNotWritten) != certain || errors.Is(err, producer.ErrOutcomeUnknown) == certain {
					t.Errorf("%s, refused with %q: %v", what, refusal, err)
				}
			}
		}
	})
}
