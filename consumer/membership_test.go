package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/consumer"
)

// protocols are both of Kafka's.
var protocols = map[string]consumer.GroupProtocol{"classic": consumer.ClassicProtocol, "consumer": consumer.ConsumerProtocol}

func eachProtocol(t *testing.T, f func(t *testing.T, p consumer.Option)) {
	for name, p := range protocols {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, consumer.Protocol(p)) })
		})
	}
}

// described is what Kafka's own request says of a consumer group: its error code where there is none of that name.
func (w *world) described(group string) (state string, members int, err error) {
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = []string{group}
	resp, failed := req.RequestWith(context.Background(), w.raw)
	if failed != nil {
		return "", 0, failed
	}
	g := resp.Groups[0]
	return g.State, len(g.Members), kerr.ErrorForCode(g.ErrorCode)
}

func TestConsumerProtocolIsWhatTheBrokerSees(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p consumer.Option) {
		w := newWorld(t, 4)
		w.whole = true
		got := newSeen(t)
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }, p))
		w.put("a=1", "b=2")
		got.wait(2)
		state, members, err := w.described("g")
		g, _ := w.Group("g")
		if g.Type == "consumer" && (state != "Stable" || members != 1 || err != nil) {
			t.Errorf("described as %s with %d members, %v", state, members, err)
		}
		if g.Type == "classic" && !errors.Is(err, kerr.GroupIDNotFound) {
			t.Errorf("a classic group is described as %s, %v", state, err)
		}
		if want := t.Name()[strings.LastIndexByte(t.Name(), '/')+1:]; g.Type != want {
			t.Errorf("the group is %s, want %s", g.Type, want)
		}
		waitFor(t, "all is committed", func() bool { return w.committed() == 2 })
		r.cleanly()
	})
}

// TestMembersComeAndGo: every record is handled, none twice but by chance of the move, and fences grow with each ownership.
func TestG5MembersComeAndGoInBothProtocols(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p consumer.Option) {
		w := newWorld(t, 6)
		w.whole = true
		var handled atomic.Int64
		handle := func(ctx context.Context, _ *consumer.Message[string]) error {
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
			handled.Add(1)
			return nil
		}
		var sent int64
		put := func(n int) {
			for range n {
				r := record(fmt.Sprintf("k%d=%d", sent%10, sent))
				r.Partition = int32(sent%10) % 6
				w.produce(r)
				sent++
			}
		}
		var runs []*run
		for range 3 {
			runs = append(runs, start(t, w.group(handle, p)))
			put(60)
			time.Sleep(8 * time.Second)
		}
		waitFor(t, "three members share the partitions", func() bool {
			g, _ := w.Group("g")
			return len(g.Members) == 3 && !slices.ContainsFunc(g.Members, func(m broker.Member) bool { return len(m.Partitions["orders"]) != 2 })
		})
		for _, r := range runs {
			put(60)
			r.cleanly()
		}
		last := start(t, w.group(handle, p))
		waitFor(t, "everything was handled", func() bool { return handled.Load() >= sent })
		last.cleanly()
	})
}

func TestRunningGroupGoesOverToTheConsumerProtocolAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		w.whole = true
		got := newSeen(t)
		n := 0
		more := func() {
			for range 8 {
				r := record(fmt.Sprintf("k%d=%d", n%4, n))
				r.Partition = int32(n % 4)
				w.produce(r)
				n++
			}
			got.wait(n)
		}
		handle := func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }
		var old *run
		for _, p := range []consumer.GroupProtocol{consumer.ClassicProtocol, consumer.ConsumerProtocol, consumer.ClassicProtocol} {
			next := start(t, w.group(handle, consumer.Protocol(p)))
			if old != nil {
				waitFor(t, "both are members", func() bool { return len(w.Members("g")) == 2 })
				more()
				old.cleanly()
			}
			more()
			old = next
		}
		old.cleanly()
	})
}

func TestStaticMemberThatIsBackInTimeMovesNothing(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p consumer.Option) {
		w := newWorld(t, 4)
		w.whole = true
		got := newSeen(t)
		handle := func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }
		other := start(t, w.group(handle, p, consumer.StaticMember("b")))
		waitFor(t, "it leads the group", func() bool { return len(w.Members("g")) == 1 }) // a leader that is back has the others confirm what they have
		r := start(t, w.group(handle, p, consumer.StaticMember("a")))
		shared := func() bool {
			g, _ := w.Group("g")
			return len(g.Members) == 2 && !slices.ContainsFunc(g.Members, func(m broker.Member) bool { return len(m.Partitions["orders"]) != 2 })
		}
		waitFor(t, "they share the partitions", shared)
		time.Sleep(time.Minute)
		before, _ := w.Group("g")
		r.cleanly()
		time.Sleep(10 * time.Second)
		r = start(t, w.group(handle, p, consumer.StaticMember("a")))
		for i := range int32(4) {
			x := record(fmt.Sprintf("k=%d", i))
			x.Partition = i
			w.produce(x)
		}
		got.wait(4)
		if after, _ := w.Group("g"); after.Generation != before.Generation || !shared() {
			t.Errorf("the group went from generation %d to %d with members %+v", before.Generation, after.Generation, after.Members)
		}
		r.cleanly()
		other.cleanly()
	})
}

func TestSecondStaticMemberWithTheSameIDEndsTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		got := newSeen(t)
		handle := func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- w.group(handle, consumer.StaticMember("pod-0")).Run(ctx) }()
		w.put("a=1")
		got.wait(1)
		second := start(t, w.group(handle, consumer.StaticMember("pod-0")))
		if err := <-ended; !errors.Is(err, kerr.FencedInstanceID) || !strings.Contains(err.Error(), "instance id") {
			t.Errorf("the first one's Run: %v", err)
		}
		w.put("a=2")
		got.wait(2)
		second.cleanly()
	})
}

// TestSecondStaticMemberOfTheConsumerProtocolWaitsForTheFirst: Kafka gives the place to nobody else before the first has stopped.
func TestSecondStaticMemberOfTheConsumerProtocolWaitsForTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		got, late := newSeen(t), newSeen(t)
		p := consumer.Protocol(consumer.ConsumerProtocol)
		first := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }, p, consumer.StaticMember("pod-0")))
		w.put("a=1")
		got.wait(1)
		g := w.group(func(_ context.Context, m *consumer.Message[string]) error { late.add(m.Value); return nil }, p, consumer.StaticMember("pod-0"))
		second := start(t, g)
		waitFor(t, "it says what it waits for", func() bool {
			return slices.ContainsFunc(g.Health().Reasons, func(r consumer.Reason) bool {
				return r.Code == "group-session" && strings.Contains(r.Summary, "UNRELEASED_INSTANCE_ID")
			})
		})
		w.put("a=2")
		got.wait(2)
		first.cleanly()
		w.put("a=3")
		late.wait(1)
		if all := late.all(); all[0] != "3" {
			t.Errorf("the second handled %q", all)
		}
		waitFor(t, "it is healthy", func() bool { return g.Health().OK })
		second.cleanly()
	})
}

func TestRackReadsFromAReplicaNearby(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, brokertest.Racks("a", "b", "c"), brokertest.Topics(broker.Topic{Name: "near", Partitions: 1, ReplicationFactor: 3}),
			brokertest.Properties(map[string]string{"replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector"}))
		leader, _ := w.Leader("near", 0)
		follower := leader%3 + 1
		fetches := w.Inject(broker.Fault{API: broker.APIFetch, Broker: follower, Topic: "near", Delay: time.Millisecond})
		g, err := consumer.New(w.sdk(), "near", consumer.Rack(string('a'+follower-1)))
		if err != nil {
			t.Fatal(err)
		}
		got := newSeen(t)
		topic := orders
		topic.Name = "near"
		if err := consumer.Handle(g, topic, func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }); err != nil {
			t.Fatal(err)
		}
		r := start(t, g)
		for i := range 3 {
			if err := w.raw.ProduceSync(context.Background(), &kgo.Record{Topic: "near", Value: []byte{'0' + byte(i)}}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			got.wait(i + 1)
		}
		if fetches.Hits() == 0 {
			t.Errorf("nothing was fetched from broker %d, whose rack it is; the leader is %d", follower, leader)
		}
		r.cleanly()
	})
}

func TestImpossibleMembershipIsRefused(t *testing.T) {
	w := newWorld(t, 1)
	for name, o := range map[string]consumer.Option{
		"no such protocol":    consumer.Protocol(7),
		"empty instance id":   consumer.StaticMember(""),
		"instance id too big": consumer.StaticMember(strings.Repeat("x", 250)),
		"empty rack":          consumer.Rack(""),
	} {
		if _, err := consumer.New(w.sdk(), "g", o); !errors.Is(err, consumer.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestG3NothingIsHandledBeforeTheFenceIsCommitted where neither the commit nor the generation makes it grow. A static member that crashes comes back in its
// generation, so that only a commit tells its next run of the fence that it had; and in a new group a member that was expelled, and does not know it, may read the
// clock later than its successor.
func TestG3NothingIsHandledBeforeTheFenceIsCommitted(t *testing.T) {
	for name, options := range map[string][]consumer.Option{
		"of a static member": {consumer.StaticMember("a")},
		"in a new group":     {consumer.CommitInterval(48 * time.Hour)}, // which does not hold it up
	} {
		t.Run(name, func(t *testing.T) {
			eachProtocol(t, func(t *testing.T, p consumer.Option) {
				w := newWorld(t, 1)
				w.whole = true
				got := newSeen(t)
				handle := func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }
				before := 0
				if name == "of a static member" { // which has the generation after that of the last commit
					r := start(t, w.group(handle, p))
					w.put("a=0")
					got.wait(1)
					r.cleanly()
					before = 1
				}
				refuse := w.Inject(broker.Fault{API: broker.APIOffsetCommit, Fail: kerr.RebalanceInProgress.Code})
				r := start(t, w.group(handle, append(options, p)...))
				w.put("a=1")
				time.Sleep(time.Minute)
				if n := len(got.all()); n != before {
					t.Errorf("%d records were handled", n-before)
				}
				if h := r.g.Health(); h.OK || !strings.Contains(h.Reasons[0].Summary, "nothing is handled") {
					t.Errorf("health %+v", h)
				}
				refuse.Remove()
				got.wait(before + 1)
				r.cleanly()
				if w.committed() != int64(before+1) {
					t.Errorf("committed %d", w.committed())
				}
			})
		})
	}
}
