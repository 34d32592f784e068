package guarantee

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/producer"
)

// source is a publishing service.
type source struct {
	sc     *scene
	name   string
	net    *network
	p      *producer.Producer
	closed bool

	mu    sync.Mutex // guards what follows, and is held during SendAsync so that order is the order of the calls
	order int64
	pubs  map[*topic]*producer.Publisher[Item]
}

// sentKey is in the context of every send: where the middleware notes what became of the record, so that the history can name its offset.
type sentKey struct{}

// source starts a publishing service.
func (sc *scene) source(opts ...producer.Option) *source {
	sc.t.Helper()
	s := &source{sc: sc, name: fmt.Sprintf("source-%d-%s", len(sc.sources)+1, sc.unique), net: &network{}, pubs: map[*topic]*producer.Publisher[Item]{}}
	cluster := s.net.over(sc.target.Cluster, s.name)
	cluster.Logger = sc.logger(s.name)
	note := func(next sordini.Sender) sordini.Sender {
		return func(ctx context.Context, r *sordini.Record, done func(*sordini.Record, error)) {
			next(ctx, r, func(r *sordini.Record, err error) {
				if at, ok := ctx.Value(sentKey{}).(*history.Place); ok && err == nil {
					*at = history.Place{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
				}
				done(r, err)
			})
		}
	}
	var err error
	if s.p, err = producer.New(cluster, append([]producer.Option{producer.Source(s.name), producer.Middleware(note)}, opts...)...); err != nil {
		sc.t.Fatalf("new producer: %v", err)
	}
	sc.sources = append(sc.sources, s)
	return s
}

// to binds the topic.
func (s *source) to(tp *topic) *producer.Publisher[Item] {
	s.sc.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	pub := s.pubs[tp]
	if pub == nil {
		var err error
		if pub, err = producer.To(s.p, tp.Topic); err != nil {
			s.sc.t.Fatalf("bind %s: %v", tp.Name, err)
		}
		s.pubs[tp] = pub
	}
	return pub
}

// send sends one item with Send, and records what its caller was told.
func (s *source) send(ctx context.Context, tp *topic, it Item) error {
	pub := s.to(tp)
	at := new(history.Place)
	s.mu.Lock()
	s.order++
	order := s.order
	s.mu.Unlock()
	err := pub.Send(context.WithValue(ctx, sentKey{}, at), it)
	s.record(tp, it, at, order, err)
	return err
}

// start sends one item with SendAsync; done is told what its caller is told.
func (s *source) start(ctx context.Context, tp *topic, it Item, done func(error)) {
	pub := s.to(tp)
	at := new(history.Place)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.order++
	order := s.order
	pub.SendAsync(context.WithValue(ctx, sentKey{}, at), it, func(_ producer.Receipt, err error) {
		s.record(tp, it, at, order, err)
		done(err)
	})
}

// sendAll sends the items in their order and waits for all; any error fails the scenario.
func (s *source) sendAll(tp *topic, items ...Item) {
	s.sc.t.Helper()
	for _, err := range s.trySendAll(tp, items...) {
		if err != nil {
			s.sc.t.Fatalf("send to %s: %v", tp.Name, err)
		}
	}
}

// trySendAll is sendAll that returns what the callers of the sends were told.
func (s *source) trySendAll(tp *topic, items ...Item) []error {
	s.sc.t.Helper()
	ctx, cancel := s.sc.patience()
	defer cancel()
	errs := make([]error, len(items))
	var wg sync.WaitGroup
	for i, it := range items {
		wg.Add(1)
		s.start(ctx, tp, it, func(err error) {
			errs[i] = err
			wg.Done()
		})
	}
	wg.Wait()
	return errs
}

func (s *source) record(tp *topic, it Item, at *history.Place, order int64, err error) {
	e := history.Event{Member: s.name, ID: it.ID, Topic: tp.Name, Order: order}
	if tp.Spec().Keyed {
		e.Key = []byte(it.Key)
	}
	switch {
	case err == nil:
		e.Kind, e.Partition, e.Offset = history.Accepted, at.Partition, at.Offset
	case errors.Is(err, producer.ErrOutcomeUnknown):
		e.Kind, e.Err = history.Unknown, err.Error()
	default:
		e.Kind, e.Err = history.Refused, err.Error()
	}
	s.sc.log.Record(e)
}

// close closes the producer; what it could not send fails the scenario.
func (s *source) close() {
	s.sc.t.Helper()
	s.closed = true
	if err := s.p.Close(); err != nil {
		s.sc.t.Errorf("close the producer of %s: %v", s.name, err)
	}
}

// abandon closes it at the end of a scene that did not.
func (s *source) abandon() {
	if !s.closed {
		s.closed = true
		_ = s.p.Close() // what it says is of no interest to a scenario that did not ask
	}
	if n := s.net.openSoon(); n > 0 {
		s.sc.t.Errorf("%s has %d connections open after Close (G12)", s.name, n)
	}
}

// poison puts bytes that do not decode on the topic, as a foreign client does, and records that they were accepted.
func (sc *scene) poison(tp *topic, key string, value []byte) history.Place {
	sc.t.Helper()
	ctx, cancel := sc.patience()
	defer cancel()
	sc.ids++
	id := fmt.Sprintf("%s-%d", sc.unique, sc.ids)
	r := &kgo.Record{Topic: tp.Name, Value: value, Headers: []kgo.RecordHeader{{Key: "id", Value: []byte(id)}, {Key: "id", Value: nil}}}
	if key != "" {
		r.Key = []byte(key)
	}
	if err := sc.admin.ProduceSync(ctx, r).FirstErr(); err != nil {
		sc.t.Fatalf("produce to %s: %v", tp.Name, err)
	}
	sc.log.Record(history.Event{
		Kind: history.Accepted, Member: "foreign-" + sc.unique, ID: id, Topic: tp.Name, Partition: r.Partition, Offset: r.Offset, Key: r.Key,
		Hash: history.HashValue(value), Undecodable: true,
	})
	return history.Place{Topic: tp.Name, Partition: r.Partition, Offset: r.Offset}
}

// bounded runs f, which must return within d, and fails the scenario when it does not; it waits for it all the same.
func (sc *scene) bounded(what string, d time.Duration, f func()) {
	sc.t.Helper()
	began := time.Now()
	f()
	if took := time.Since(began); took > d {
		sc.t.Errorf("%s took %s, the bound is %s (G12)", what, took, d)
	}
}
