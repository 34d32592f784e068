package broker_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

// inject puts a fault into force that can happen.
func inject(t *testing.T, cluster *broker.Cluster, f broker.Fault) *broker.Injected {
	t.Helper()
	in, err := cluster.Inject(f)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestFaultsThatCanNotHappenAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		for name, f := range map[string]broker.Fault{
			"no such API":                        {API: 30000, Stall: true},
			"no such broker":                     {Broker: 4, Stall: true},
			"a negative count":                   {Count: -1},
			"a negative delay":                   {Delay: -1},
			"a negative jitter":                  {Jitter: -1},
			"a negative rate":                    {BytesPerSecond: -1},
			"a probability above 1":              {Probability: 1.5},
			"a probability that is no number":    {Probability: math.NaN()},
			"a cut without a cut":                {CutAfter: 5},
			"dropped and cut":                    {DropResponse: true, CutResponse: true},
			"never handled and applied":          {DropRequest: true, DropResponse: true},
			"never handled and answered":         {DropRequest: true, Fail: 7},
			"delayed and stalled":                {Delay: time.Second, Stall: true},
			"a topic of a heartbeat":             {API: broker.APIHeartbeat, Topic: "orders"},
			"a partition of a Metadata":          {API: broker.APIMetadata, Topic: "orders", Partitions: []int32{0}},
			"a group of a Produce":               {API: broker.APIProduce, Group: "billing"},
			"a transactional id of a Fetch":      {API: broker.APIFetch, TransactionalID: "id"},
			"no partition at all":                {Partitions: []int32{}},
			"partition -1":                       {Topic: "orders", Partitions: []int32{-1}},
			"connections of a topic":             {RefuseConnections: true, Topic: "orders"},
			"connections of a client":            {RefuseConnections: true, ClientID: "app"},
			"connections refused and delayed":    {RefuseConnections: true, Delay: time.Second},
			"connections refused and partitions": {RefuseConnections: true, Partitions: []int32{1}},
		} {
			if _, err := cluster.Inject(f); !errors.Is(err, broker.ErrFault) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if in := cluster.Faults(); len(in) != 0 {
			t.Errorf("in force: %v", in)
		}
	})
}

func TestDroppedRequestWasNotApplied(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		in := inject(t, cluster, broker.Fault{API: broker.APIProduce, Topic: "orders", DropRequest: true, Count: 1})
		w := dial(t, cluster, 1)
		req := produceRequest("orders", 0, seal(batchOf(text("a")...)))
		req.SetVersion(9)
		w.send(req)
		w.ends("the request is dropped")
		if n := cluster.EndOffset("orders", 0); n != 0 || in.Hits() != 1 {
			t.Errorf("%d records were appended, %d hits", n, in.Hits())
		}
	})
}

func TestResponseIsCutAfterSoManyBytes(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		whole := 0
		for _, after := range []int{0, 1, 3, 4, 7, 1 << 20} {
			f := broker.Fault{API: broker.APIProduce, CutResponse: true, CutAfter: after}
			in := inject(t, cluster, f)
			w := dial(t, cluster, 1)
			req := produceRequest("orders", 0, seal(batchOf(text("a")...)))
			req.SetVersion(9)
			w.send(req)
			got, err := io.ReadAll(w.conn)
			if err != nil {
				t.Fatal(err)
			}
			in.Remove()
			switch {
			case after == 0:
				whole = 2 * len(got)
			case after < whole && len(got) != after:
				t.Errorf("cut after %d bytes: %d came", after, len(got))
			case after > whole && (len(got) < whole-2 || len(got) > whole):
				t.Errorf("cut after more than there is: %d came of about %d", len(got), whole)
			}
		}
	})
}

func TestJitterHoldsRequestsForTimesThatTheSeedDecides(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		run := func(seed uint64) (times []time.Duration) {
			in := inject(t, cluster, broker.Fault{API: broker.APIProduce, Delay: time.Second, Jitter: time.Second, Seed: seed})
			defer in.Remove()
			for range 20 {
				begin := time.Now()
				w.produce("orders", 0, seal(batchOf(text("a")...)))
				times = append(times, time.Since(begin))
			}
			return times
		}
		a, b, c := run(1), run(1), run(2)
		same, differ := 0, false
		for i := range a {
			if a[i] < time.Second || a[i] > 2*time.Second {
				t.Errorf("held for %v", a[i])
			}
			if a[i] == b[i] {
				same++
			}
			differ = differ || a[i] != c[i] && a[i] != a[0]
		}
		if same != len(a) || !differ {
			t.Errorf("seed 1: %v and %v, seed 2: %v", a, b, c)
		}
	})
}

func TestProbabilityIsOfRequestsAndItsSeedIsPrinted(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		run := func(seed uint64) (which string) {
			in := inject(t, cluster, broker.Fault{API: broker.APIProduce, Fail: kerr.NotEnoughReplicas.Code, Probability: 0.3, Seed: seed})
			defer in.Remove()
			for range 200 {
				if w.produce("orders", 0, seal(batchOf(text("a")...))).ErrorCode != 0 {
					which += "x"
				} else {
					which += "."
				}
			}
			if n := strings.Count(which, "x"); n != in.Hits() || n < 30 || n > 90 {
				t.Errorf("it happened to %d of 200, %d hits", n, in.Hits())
			}
			return which
		}
		if first, again := run(7), run(7); first != again {
			t.Error("the same seed chose other requests")
		}
		in := inject(t, cluster, broker.Fault{Probability: 0.5})
		if s := in.String(); !strings.Contains(s, "Seed=") {
			t.Errorf("no seed: %s", s)
		}
	})
}

func TestSlowNetworkTakesItsTimeWithRequestAndResponse(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		big := string(bytes.Repeat([]byte("x"), 10_000))
		w := dial(t, cluster, 1)
		in := inject(t, cluster, broker.Fault{API: broker.APIProduce, BytesPerSecond: 1000})
		begin := time.Now()
		w.produce("orders", 0, seal(batchOf(text(big)...)))
		if d := time.Since(begin); d < 10*time.Second || d > 11*time.Second {
			t.Errorf("10 KB at 1 KB/s were produced in %v", d)
		}
		in.Remove()
		inject(t, cluster, broker.Fault{API: broker.APIFetch, BytesPerSecond: 1000})
		begin = time.Now()
		if got := ask[*kmsg.FetchResponse](w, 4, fetchRequest("orders", 0, 0)); len(got.Topics[0].Partitions[0].RecordBatches) < 10_000 {
			t.Errorf("%d bytes came", len(got.Topics[0].Partitions[0].RecordBatches))
		}
		if d := time.Since(begin); d < 10*time.Second || d > 11*time.Second {
			t.Errorf("10 KB at 1 KB/s were fetched in %v", d)
		}
	})
}

func TestRefusedConnectionsEndAtOnceAndOthersStay(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		before := dial(t, cluster, 1)
		synctest.Wait() // until it is accepted
		in := inject(t, cluster, broker.Fault{RefuseConnections: true, Broker: 1, Count: 1})
		if got := ask[*kmsg.ApiVersionsResponse](dial(t, cluster, 2), 0, kmsg.NewPtrApiVersionsRequest()); got.ErrorCode != 0 {
			t.Errorf("another broker: error code %d", got.ErrorCode)
		}
		dial(t, cluster, 1).ends("the connection is refused")
		if in.Hits() != 1 {
			t.Errorf("%d hits", in.Hits())
		}
		for _, w := range []*wire{before, dial(t, cluster, 1), dial(t, cluster, 2)} {
			if got := ask[*kmsg.ApiVersionsResponse](w, 0, kmsg.NewPtrApiVersionsRequest()); got.ErrorCode != 0 {
				t.Errorf("error code %d", got.ErrorCode)
			}
		}
	})
}

func TestFaultOfATransactionalIDLeavesOthersAlone(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		inject(t, cluster, broker.Fault{API: broker.APIFindCoordinator, TransactionalID: "mine", Fail: kerr.CoordinatorNotAvailable.Code})
		w := dial(t, cluster, 1)
		for id, want := range map[string]int16{"mine": kerr.CoordinatorNotAvailable.Code, "other": 0} {
			req := kmsg.NewPtrFindCoordinatorRequest()
			req.CoordinatorType, req.CoordinatorKey = 1, id
			if got := ask[*kmsg.FindCoordinatorResponse](w, 3, req).ErrorCode; got != want {
				t.Errorf("%s: error code %d, want %d", id, got, want)
			}
		}
	})
}

func TestFaultOfABrokerLeavesOthersAlone(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		inject(t, cluster, broker.Fault{API: broker.APIFindCoordinator, Broker: 2, Fail: kerr.CoordinatorNotAvailable.Code})
		for node, want := range map[int]int16{1: 0, 2: kerr.CoordinatorNotAvailable.Code, 3: 0} {
			req := kmsg.NewPtrFindCoordinatorRequest()
			req.CoordinatorKey = "billing"
			if got := ask[*kmsg.FindCoordinatorResponse](dial(t, cluster, node), 3, req).ErrorCode; got != want {
				t.Errorf("broker %d: error code %d, want %d", node, got, want)
			}
		}
	})
}

// The dump says why things go wrong when a test fails.
func TestDumpSaysWhichFaultsAreInForce(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		for want, f := range map[string]broker.Fault{
			"fault API=Produce Broker=1 Topic=orders Partitions=[0 2] Count=3 Fail=NOT_ENOUGH_REPLICAS, happened to 0\n": {
				API: broker.APIProduce, Topic: "orders", Partitions: []int32{0, 2}, Broker: 1, Fail: kerr.NotEnoughReplicas.Code, Count: 3,
			},
			"fault Group=billing Probability=0.5 Seed=9 Delay=1s Jitter=2s, happened to 0\n": {
				Group: "billing", Delay: time.Second, Jitter: 2 * time.Second, Probability: 0.5, Seed: 9,
			},
			"fault Broker=2 RefuseConnections, happened to 0\n": {RefuseConnections: true, Broker: 2},
			"fault API=EndTxn TransactionalID=id CutResponse CutAfter=5, happened to 0\n": {
				API: broker.APIEndTxn, TransactionalID: "id", CutResponse: true, CutAfter: 5,
			},
		} {
			in := inject(t, cluster, f)
			var b bytes.Buffer
			cluster.Dump(&b)
			if !strings.Contains(b.String(), want) {
				t.Errorf("%q is not in the dump:\n%s", want, b.String())
			}
			in.Remove()
			b.Reset()
			cluster.Dump(&b)
			if strings.Contains(b.String(), "fault ") {
				t.Errorf("a removed fault is in the dump:\n%s", b.String())
			}
		}
	})
}

func TestExpiredMemberIsOutOfItsGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := start(t, broker.Config{Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders"}}})
		w := dial(t, cluster, 1)
		beat := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		beat.Group, beat.MemberID, beat.SubscribedTopicNames, beat.Topics = "billing", "me", []string{"orders"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		beat.RebalanceTimeoutMillis = 60_000
		epoch := ask[*kmsg.ConsumerGroupHeartbeatResponse](w, 1, beat).MemberEpoch
		if err := cluster.ExpireMember("billing", "nobody"); !errors.Is(err, broker.ErrUnknownMember) {
			t.Errorf("expire nobody: %v", err)
		}
		if err := cluster.ExpireMember("billing", "me"); err != nil {
			t.Fatal(err)
		}
		beat = kmsg.NewPtrConsumerGroupHeartbeatRequest()
		beat.Group, beat.MemberID, beat.MemberEpoch = "billing", "me", epoch
		if got := ask[*kmsg.ConsumerGroupHeartbeatResponse](w, 1, beat); got.ErrorCode != kerr.UnknownMemberID.Code {
			t.Errorf("heartbeat of the member that expired: %d", got.ErrorCode)
		}
	})
}
