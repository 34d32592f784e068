package avro_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
	"github.com/sordini-go/sordini/serde/avro"
	"github.com/sordini-go/sordini/serde/registry"
)

type placed struct {
	ID string `avro:"id"`
}

var orders = sordini.Topic[placed]{
	Name: "orders", Key: sordini.KeyString(func(o placed) string { return o.ID }), Value: avro.Serde[placed](), Config: sordini.TopicConfig{Partitions: 4},
}

// quiet is how the SDK reaches a cluster without logging what goes wrong.
func quiet(c *brokertest.Cluster) sordini.Cluster {
	cl := c.SDK()
	cl.Logger = slog.New(slog.DiscardHandler)
	return cl
}

// outage is a registry that can be taken away.
type outage struct {
	dial func(context.Context, string, string) (net.Conn, error)
	kind atomic.Value // of string; "" when it works
}

func (o *outage) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	kind, _ := o.kind.Load().(string)
	switch kind {
	case "stopped":
		return nil, errors.New("connection refused")
	case "black hole":
		<-ctx.Done()
		return nil, ctx.Err()
	case "503":
		a, b := net.Pipe()
		go func() {
			buf := make([]byte, 4096)
			_, _ = b.Read(buf)
			_, _ = b.Write([]byte("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
			b.Close()
		}()
		return a, nil
	case "401", "403":
		a, b := net.Pipe()
		go func() {
			buf := make([]byte, 4096)
			_, _ = b.Read(buf)
			_, _ = b.Write([]byte("HTTP/1.1 " + kind + " No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
			b.Close()
		}()
		return a, nil
	}
	return o.dial(ctx, network, addr)
}

func produce(t *testing.T, cl sordini.Cluster, ids ...string) {
	t.Helper()
	p, err := producer.New(cl)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	to, err := producer.To(p, orders)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if err := to.Send(t.Context(), placed{id}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestG9AnOutageOfTheRegistryLosesAndKillsNothing takes the registry away before a group has seen the schema, for ten minutes.
func TestG9AnOutageOfTheRegistryLosesAndKillsNothing(t *testing.T) {
	for _, kind := range []string{"stopped", "503", "black hole"} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := brokertest.New(t, brokertest.Topic("orders", 4))
				cl := quiet(c)
				if _, err := registry.Register(t.Context(), cl.Registry, "orders", serde.Value, orders.Value); err != nil {
					t.Fatal(err)
				}
				produce(t, cl, "a", "b", "c", "d", "e", "f")
				o := &outage{dial: c.Dial}
				o.kind.Store(kind)
				var asked atomic.Int64
				cl.Registry.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					asked.Add(1)
					return o.Dial(ctx, network, addr)
				}
				g, err := consumer.New(cl, "billing")
				if err != nil {
					t.Fatal(err)
				}
				var mu sync.Mutex
				handled := make(map[string]int)
				all := make(chan struct{})
				err = consumer.Handle(g, orders, func(_ context.Context, m *consumer.Message[placed]) error {
					mu.Lock()
					defer mu.Unlock()
					handled[m.Value.ID]++
					if len(handled) == 6 {
						close(all)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- g.Run(ctx) }()
				time.Sleep(10 * time.Minute)
				mu.Lock()
				if len(handled) > 0 {
					t.Errorf("handled without a schema: %v", handled)
				}
				mu.Unlock()
				if n := asked.Load(); n > 300 {
					t.Errorf("the registry was asked %d times in ten minutes", n)
				}
				if h := g.Health(); h.OK || !slices.ContainsFunc(h.Reasons, func(r consumer.Reason) bool { return strings.Contains(r.Summary, "registry") }) {
					t.Errorf("health is %+v", h)
				}
				o.kind.Store("")
				<-all
				cancel()
				if err := <-ended; err != nil {
					t.Errorf("run: %v", err)
				}
				for id, n := range handled {
					if n != 1 {
						t.Errorf("%s was handled %d times", id, n)
					}
				}
				for p := range int32(4) {
					if n := c.EndOffset("orders.billing.dlt", p); n > 0 {
						t.Errorf("%d dead letters", n)
					}
				}
			})
		})
	}
}

// noted is placed with a field more: another version of the schema.
type noted struct {
	ID   string `avro:"id"`
	Note string `avro:"note"`
}

// TestG9AnOutageInMidRunHoldsUpWhatItConcernsAndNothingElse takes the registry away while a group runs: records of the schema that it knows go on, those of a
// newer one wait.
func TestG9AnOutageInMidRunHoldsUpWhatItConcernsAndNothingElse(t *testing.T) {
	newer := sordini.Topic[noted]{
		Name: "orders", Key: sordini.KeyString(func(o noted) string { return o.ID }), Value: avro.Serde[noted](avro.Text(
			`{"type":"record","name":"placed","fields":[{"name":"id","type":"string"},{"name":"note","type":"string","default":"none"}]}`)), Config: sordini.TopicConfig{Partitions: 4},
	}
	for _, kind := range []string{"stopped", "503", "black hole"} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := brokertest.New(t, brokertest.Topic("orders", 4))
				cl := quiet(c)
				if _, err := registry.Register(t.Context(), cl.Registry, "orders", serde.Value, orders.Value); err != nil {
					t.Fatal(err)
				}
				if _, err := registry.Register(t.Context(), cl.Registry, "orders", serde.Value, newer.Value); err != nil {
					t.Fatal(err)
				}
				p, err := producer.New(cl)
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				to, err := producer.To(p, newer)
				if err != nil {
					t.Fatal(err)
				}
				if err := to.Send(t.Context(), noted{"before", ""}); err != nil { // so that the producer knows the schema
					t.Fatal(err)
				}
				o := &outage{dial: c.Dial}
				o.kind.Store(kind)
				reading := cl
				reading.Registry.Dial = o.Dial
				o.kind.Store("")
				var mu sync.Mutex
				handled := map[string]int{}
				seen := func() int {
					mu.Lock()
					defer mu.Unlock()
					return len(handled)
				}
				g, err := consumer.New(reading, "billing", consumer.StartAt(consumer.Latest()))
				if err != nil {
					t.Fatal(err)
				}
				err = consumer.Handle(g, orders, func(_ context.Context, m *consumer.Message[placed]) error {
					mu.Lock()
					defer mu.Unlock()
					handled[m.Value.ID]++
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- g.Run(ctx) }()
				time.Sleep(10 * time.Second)
				produce(t, cl, "a", "b")
				time.Sleep(10 * time.Second)
				if n := seen(); n != 2 {
					t.Fatalf("%d handled before the outage", n)
				}
				o.kind.Store(kind)
				for _, id := range []string{"c", "d"} {
					if err := to.Send(t.Context(), noted{id, "new"}); err != nil {
						t.Fatal(err)
					}
				}
				produce(t, cl, "e", "f")
				time.Sleep(10 * time.Minute)
				mu.Lock()
				if len(handled) != 4 || handled["c"]+handled["d"] > 0 {
					t.Errorf("handled in the outage: %v", handled)
				}
				mu.Unlock()
				if h := g.Health(); h.OK || !slices.ContainsFunc(h.Reasons, func(r consumer.Reason) bool { return strings.Contains(r.Summary, "registry") }) {
					t.Errorf("health is %+v", h)
				}
				o.kind.Store("")
				time.Sleep(5 * time.Minute)
				if h := g.Health(); !h.OK {
					t.Errorf("health after the outage is %+v", h)
				}
				cancel()
				if err := <-ended; err != nil {
					t.Errorf("run: %v", err)
				}
				if len(handled) != 6 {
					t.Errorf("handled %v", handled)
				}
				for id, n := range handled {
					if n != 1 {
						t.Errorf("%s was handled %d times", id, n)
					}
				}
				for p := range int32(4) {
					if n := c.EndOffset("orders.billing.dlt", p); n > 0 {
						t.Errorf("%d dead letters", n)
					}
				}
			})
		})
	}
}

func TestG9ARecordOfAWrongSchemaDiesAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := brokertest.New(t, brokertest.Topic("orders", 1))
		cl := quiet(c)
		s, err := registry.Register(t.Context(), cl.Registry, "orders", serde.Value, orders.Value)
		if err != nil {
			t.Fatal(err)
		}
		other, err := registry.Register(t.Context(), cl.Registry, "numbers", serde.Value, avro.Generic(avro.Text(`"long"`)))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...), kgo.Dialer(c.Dial), kgo.DefaultProduceTopic("orders"))
		if err != nil {
			t.Fatal(err)
		}
		good := append(registry.AppendPrefix(nil, s.ID), "\x02x"...)
		bad := [][]byte{
			append(registry.AppendPrefix(nil, 99), "\x02x"...),            // unknown
			append(registry.AppendPrefix(nil, other.ID), 2),               // of another type
			append(registry.AppendPrefix(nil, s.ID), "\x7fx"...),          // truncated
			[]byte(`{"id":"x"}`),                                          // not framed
			append(registry.AppendPrefix(nil, s.ID), "\x02x trailing"...), // too long
		}
		for _, b := range bad {
			for _, v := range [][]byte{good, b} {
				if err := raw.ProduceSync(t.Context(), &kgo.Record{Key: []byte("k"), Value: v}).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
		}
		raw.Close()
		g, err := consumer.New(cl, "billing")
		if err != nil {
			t.Fatal(err)
		}
		var handled atomic.Int64
		if err := consumer.Handle(g, orders, func(context.Context, *consumer.Message[placed]) error { handled.Add(1); return nil }); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- g.Run(ctx) }()
		time.Sleep(time.Minute)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		letters, err := c.Records("orders.billing.dlt", 0)
		if err != nil {
			t.Fatal(err)
		}
		if int(handled.Load()) != len(bad) || len(letters) != len(bad) {
			t.Fatalf("%d handled and %d dead, want %d of each", handled.Load(), len(letters), len(bad))
		}
		for i, l := range letters {
			if string(l.Value) != string(bad[i]) {
				t.Errorf("letter %d holds % x, want % x", i, l.Value, bad[i])
			}
		}
	})
}

func TestG9ARegistryThatRefusesTheCredentialsStopsTheGroup(t *testing.T) {
	for _, kind := range []string{"401", "403"} {
		synctest.Test(t, func(t *testing.T) {
			c := brokertest.New(t, brokertest.Topic("orders", 4))
			cl := quiet(c)
			if _, err := registry.Register(t.Context(), cl.Registry, "orders", serde.Value, orders.Value); err != nil {
				t.Fatal(err)
			}
			produce(t, cl, "a", "b")
			o := &outage{dial: c.Dial}
			o.kind.Store(kind)
			cl.Registry.Dial = o.Dial
			g, err := consumer.New(cl, "billing")
			if err != nil {
				t.Fatal(err)
			}
			if err := consumer.Handle(g, orders, func(context.Context, *consumer.Message[placed]) error { return nil }); err != nil {
				t.Fatal(err)
			}
			err = g.Run(t.Context())
			if d, ok := sordini.Diagnose(err); !ok || d.Code != sordini.CodeRegistryAccess {
				t.Errorf("run ends with %v, %+v", err, d)
			}
			for p := range int32(4) {
				if offset, _, ok := c.Committed("billing", "orders", p); ok && offset > 0 {
					t.Errorf("committed %d", offset)
				}
			}
		})
	}
}
