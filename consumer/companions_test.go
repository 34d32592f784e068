package consumer_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/admin"
)

func TestNewPartitionWaitsUntilItsCompanionsHaveGrown(t *testing.T) {
	for _, allowed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1)
			w.whole = true
			got := newSeen(t)
			g := w.group(func(_ context.Context, m *consumer.Message[string]) error {
				if m.Record.Partition == 1 {
					defer got.add(m.Value)
					return consumer.Permanent(errBoom)
				}
				return nil
			})
			r := start(t, g)
			waitFor(t, "it runs", func() bool { return w.committed() == 0 })
			if err := admin.CreatePartitions(t.Context(), w.raw, "orders", 2); err != nil {
				t.Fatal(err)
			}
			var refuse *broker.Injected
			if !allowed {
				refuse = w.Inject(broker.Fault{API: broker.APICreatePartitions, Fail: kerr.TopicAuthorizationFailed.Code})
			}
			w.raw.ForceMetadataRefresh()
			late := record("a=1")
			late.Partition = 1
			waitFor(t, "the new partition takes records", func() bool {
				return w.raw.ProduceSync(t.Context(), late).FirstErr() == nil
			})
			if !allowed {
				waitFor(t, "the group says so", func() bool { return hasReason(g, "companions-behind") })
				if len(got.all()) != 0 || g.Health().OK {
					t.Errorf("handled %v with health %+v", got.all(), g.Health())
				}
				refuse.Remove()
			}
			got.wait(1)
			waitFor(t, "its dead letter is committed", func() bool {
				offset, _, _ := w.Committed("g", "orders", 1)
				return offset == 1
			})
			if letters, err := w.Records("orders.g.dlt", 1); err != nil || len(letters) != 1 {
				t.Errorf("%d dead letters in the new partition, %v", len(letters), err)
			}
			if !g.Health().OK {
				t.Errorf("health %+v", g.Health())
			}
			r.cleanly()
		})
	}
}

func TestDeadLetterThatIsTooLargeKeepsItsIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		g := w.group(func(context.Context, *consumer.Message[string]) error { return consumer.Permanent(errBoom) })
		r := start(t, g)
		waitFor(t, "it runs", func() bool { return w.committed() == 0 })
		limit := "2000"
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		res := kmsg.NewIncrementalAlterConfigsRequestResource()
		res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, "orders.g.dlt"
		res.Configs = append(res.Configs, kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: "max.message.bytes", Value: &limit})
		req.Resources = append(req.Resources, res)
		request(w, req.RequestWith)

		value := make([]byte, 50_000)
		rand.Read(value) // does not compress
		w.produce(&kgo.Record{Topic: "orders", Key: []byte("17"), Value: value})
		waitFor(t, "it is committed", func() bool { return w.committed() == 1 })
		d := w.dead()
		if len(d) != 1 || string(d[0].Key) != "17" || d[0].Value != nil {
			t.Fatalf("%d dead letters, want one without its value", len(d))
		}
		var offset, cut string
		for _, h := range d[0].Headers {
			switch h.Key {
			case "dlt-offset":
				offset = string(h.Value)
			case "dlt-truncated":
				cut = string(h.Value)
			}
		}
		if offset != "0" || cut != "value" {
			t.Errorf("dlt-offset %q, dlt-truncated %q", offset, cut)
		}
		if h := g.Health(); h.OK || !hasReason(g, "dead-letter-truncated") {
			t.Errorf("health %+v, want dead-letter-truncated", h)
		}
		r.cleanly()
	})
}

func TestLargeRecordThatCompressesKeepsItsBodyInTheDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		value := bytes.Repeat([]byte("nothing lost "), 400_000) // 5 MB, in a topic of 1 MiB
		cl, err := w.sdk().NewClient(kgo.ProducerBatchMaxBytes(64<<20), kgo.ProducerBatchCompression(kgo.GzipCompression()))
		if err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Key: []byte("17"), Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		cl.Close()
		r := start(t, w.group(func(context.Context, *consumer.Message[string]) error { return consumer.Permanent(errBoom) }))
		waitFor(t, "it is committed", func() bool { return w.committed() == 1 })
		if d := w.dead(); len(d) != 1 || !bytes.Equal(d[0].Value, value) {
			t.Errorf("%d dead letters, want one with the whole value", len(d))
		}
		r.cleanly()
	})
}

func TestTopicThatIsRecreatedWhileTheGroupRunsEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1")
		g := w.group(nop)
		done := make(chan error, 1)
		go func() { done <- g.Run(t.Context()) }()
		waitFor(t, "it is committed", func() bool { return w.committed() == 1 })
		recreate(w, "orders", 1)
		w.history = nil
		select {
		case err := <-done:
			if err == nil || !strings.Contains(err.Error(), "orders") || !strings.Contains(err.Error(), "recreated") {
				t.Errorf("run: %v, want the topic named", err)
			}
			if errors.Is(err, consumer.ErrUndrained) {
				t.Errorf("run: %v", err)
			}
		case <-time.After(10 * time.Minute):
			t.Errorf("the group goes on, with health %+v", g.Health())
		}
	})
}

// TestG7InboxIsKnownByTheAnswerThatShowsIt: brokers hear of a topic that was just created one after the other, and commits name it by its id.
func TestG7InboxIsKnownByTheAnswerThatShowsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, brokertest.Brokers(3))
		for i := range 12 {
			name := fmt.Sprintf("g%d", i)
			var deaf []*broker.Injected
			for node := range int32(3) {
				if node == int32(i%3) {
					continue
				}
				deaf = append(deaf, w.Inject(broker.Fault{API: broker.APIMetadata, Broker: node + 1, Topic: "orders." + name + ".retry", Fail: kerr.UnknownTopicOrPartition.Code}))
			}
			got := newSeen(t)
			g, err := consumer.New(w.sdk(), name)
			if err != nil {
				t.Fatal(err)
			}
			if err := consumer.Handle(g, orders, func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }); err != nil {
				t.Fatal(err)
			}
			r := start(t, g)
			w.put("a=1")
			got.wait(i + 1)
			for _, d := range deaf {
				d.Remove()
			}
			r.cleanly()
		}
	})
}
