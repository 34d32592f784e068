package broker_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

// three appends three batches of two records to orders[0].
func three(t *testing.T, w *wire) {
	t.Helper()
	for i := range 3 {
		if p := w.produce("orders", 0, seal(batchOf(text(fmt.Sprint(2*i), fmt.Sprint(2*i+1))...))); p.ErrorCode != 0 {
			t.Fatalf("produce: %v", kerr.ErrorForCode(p.ErrorCode))
		}
	}
}

// offsets returns the base offsets of the batches in a fetch's answer.
func offsets(t *testing.T, raw []byte) (bases []int64) {
	t.Helper()
	for len(raw) > 0 {
		var b kmsg.RecordBatch
		if err := b.ReadFrom(raw); err != nil {
			t.Fatal(err)
		}
		bases = append(bases, b.FirstOffset)
		raw = raw[12+b.Length:]
	}
	return bases
}

func TestFetchAnswersAsKafkaDoes(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		three(t, w)
		size := int32(len(seal(batchOf(text("0", "1")...))))
		for name, test := range map[string]struct {
			offset  int64
			version int16
			change  func(*kmsg.FetchRequest, *kmsg.FetchRequestTopicPartition)
			want    *kerr.Error
			bases   []int64
		}{
			"from the beginning":           {0, 11, nil, nil, []int64{0, 2, 4}},
			"from the middle of a batch":   {3, 11, nil, nil, []int64{2, 4}},
			"from the end":                 {6, 11, nil, nil, nil},
			"beyond the end":               {7, 11, nil, kerr.OffsetOutOfRange, nil},
			"before the beginning":         {-1, 11, nil, kerr.OffsetOutOfRange, nil},
			"unknown partition":            {0, 11, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.Partition = 5 }, kerr.UnknownTopicOrPartition, nil},
			"another broker's":             {0, 11, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.Partition = 1 }, kerr.NotLeaderForPartition, nil},
			"unknown topic":                {0, 11, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.Topics[0].Topic = "nowhere" }, kerr.UnknownTopicOrPartition, nil},
			"unknown topic id":             {0, 13, nil, kerr.UnknownTopicID, nil},
			"partition limit of a byte":    {0, 11, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.PartitionMaxBytes = 1 }, nil, []int64{0}},
			"partition limit of two":       {0, 11, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.PartitionMaxBytes = 2*size + 1 }, nil, []int64{0, 2}},
			"request limit of nothing":     {0, 11, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.MaxBytes = 0 }, nil, []int64{0}},
			"current leader epoch":         {0, 11, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = 0 }, nil, []int64{0, 2, 4}},
			"leader epoch of the future":   {0, 11, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = 9 }, kerr.UnknownLeaderEpoch, nil},
			"committed records":            {0, 11, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.IsolationLevel = 1 }, nil, []int64{0, 2, 4}},
			"last fetched epoch":           {2, 12, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.LastFetchedEpoch = 0 }, nil, []int64{2, 4}},
			"last fetched epoch not known": {2, 12, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.LastFetchedEpoch = 4 }, kerr.OffsetOutOfRange, nil},
			"a follower":                   {0, 11, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.ReplicaID = 2 }, nil, []int64{0, 2, 4}},
			"the leader's own id":          {0, 11, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.ReplicaID = 1 }, kerr.NotLeaderForPartition, nil},
			"no follower": {0, 11, func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) {
				r.ReplicaID, p.CurrentLeaderEpoch = 9, 0
			}, kerr.UnknownLeaderEpoch, nil},
		} {
			req := fetchRequest("orders", 0, test.offset)
			if test.change != nil {
				test.change(req, &req.Topics[0].Partitions[0])
			}
			p := ask[*kmsg.FetchResponse](w, test.version, req).Topics[0].Partitions[0]
			want := int16(0)
			if test.want != nil {
				want = test.want.Code
			}
			if bases := offsets(t, p.RecordBatches); p.ErrorCode != want || !slices.Equal(bases, test.bases) {
				t.Errorf("%s: %v with batches %v, want %v with %v", name, kerr.ErrorForCode(p.ErrorCode), bases, test.want, test.bases)
			}
			if hw := int64(6); test.want == nil && (p.HighWatermark != hw || p.LastStableOffset != hw || p.LogStartOffset != 0) {
				t.Errorf("%s: offsets %+v", name, p)
			}
		}
	})
}

func TestDivergedConsumerIsToldWhere(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		three(t, w)
		if err := cluster.MoveLeader("orders", 0, 1); err != nil { // a new epoch
			t.Fatal(err)
		}
		req := fetchRequest("orders", 0, 7)
		req.Topics[0].Partitions[0].LastFetchedEpoch = 0
		p := ask[*kmsg.FetchResponse](w, 12, req).Topics[0].Partitions[0]
		if p.ErrorCode != 0 || p.DivergingEpoch.Epoch != 0 || p.DivergingEpoch.EndOffset != 6 {
			t.Errorf("answer %+v", p)
		}
		req.Topics[0].Partitions[0].CurrentLeaderEpoch = 0
		if p := ask[*kmsg.FetchResponse](w, 12, req).Topics[0].Partitions[0]; p.ErrorCode != kerr.FencedLeaderEpoch.Code {
			t.Errorf("old leader epoch: %v", kerr.ErrorForCode(p.ErrorCode))
		}
	})
}

func TestFetchWaitsForRecordsAndNotLonger(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w, other := dial(t, cluster, 1), dial(t, cluster, 1)
		req := fetchRequest("orders", 0, 0)
		req.MaxWaitMillis = 5_000
		begin := time.Now()
		if p := ask[*kmsg.FetchResponse](w, 11, req).Topics[0].Partitions[0]; p.ErrorCode != 0 || len(p.RecordBatches) != 0 {
			t.Errorf("answer %+v", p)
		}
		if d := time.Since(begin); d != 5*time.Second {
			t.Errorf("answered after %v", d)
		}
		begin = time.Now()
		req.MaxWaitMillis = 3_600_000
		req.SetVersion(11)
		w.send(req)
		time.Sleep(time.Minute)
		other.produce("orders", 0, seal(batchOf(text("a")...)))
		resp, err := w.receive(req)
		if err != nil {
			t.Fatal(err)
		}
		if bases := offsets(t, resp.(*kmsg.FetchResponse).Topics[0].Partitions[0].RecordBatches); !slices.Equal(bases, []int64{0}) {
			t.Errorf("batches %v", bases)
		}
		if d := time.Since(begin); d != time.Minute {
			t.Errorf("answered after %v", d)
		}
	})
}

func TestFetchWaitsForMinBytes(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w, other := dial(t, cluster, 1), dial(t, cluster, 1)
		raw := seal(batchOf(text("a")...))
		req := fetchRequest("orders", 0, 0)
		req.MaxWaitMillis, req.MinBytes = 3_600_000, int32(2*len(raw))
		req.SetVersion(11)
		w.send(req)
		begin := time.Now()
		for range 2 {
			time.Sleep(time.Minute)
			other.produce("orders", 0, seal(batchOf(text("a")...)))
		}
		resp, err := w.receive(req)
		if err != nil {
			t.Fatal(err)
		}
		if bases := offsets(t, resp.(*kmsg.FetchResponse).Topics[0].Partitions[0].RecordBatches); !slices.Equal(bases, []int64{0, 1}) {
			t.Errorf("batches %v", bases)
		}
		if d := time.Since(begin); d != 2*time.Minute {
			t.Errorf("answered after %v", d)
		}
	})
}

func TestWaitingFetchLearnsThatItsPartitionHasGone(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(*broker.Cluster, *wire) error
		want *kerr.Error
	}{
		"leader moved": {func(c *broker.Cluster, _ *wire) error { return c.MoveLeader("orders", 0, 2) }, kerr.FencedLeaderEpoch},
		"topic deleted": {func(_ *broker.Cluster, w *wire) error {
			req := kmsg.NewPtrDeleteTopicsRequest()
			req.TopicNames = []string{"orders"}
			ask[*kmsg.DeleteTopicsResponse](w, 3, req)
			return nil
		}, kerr.UnknownTopicID},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, cluster *broker.Cluster) {
				w := dial(t, cluster, 1)
				req := fetchRequest("orders", 0, 0)
				req.MaxWaitMillis = 3_600_000
				req.Topics[0].Partitions[0].CurrentLeaderEpoch = 0 // who knows none goes on reading from what is a follower now
				meta, topic := kmsg.NewPtrMetadataRequest(), "orders"
				meta.Topics = append(meta.Topics, kmsg.MetadataRequestTopic{Topic: &topic})
				req.Topics[0].TopicID = ask[*kmsg.MetadataResponse](w, 12, meta).Topics[0].TopicID
				req.SetVersion(16) // the first with hints
				w.send(req)
				time.Sleep(time.Minute)
				if err := test.do(cluster, dial(t, cluster, 2)); err != nil {
					t.Fatal(err)
				}
				resp, err := w.receive(req)
				if err != nil {
					t.Fatal(err)
				}
				p := resp.(*kmsg.FetchResponse).Topics[0].Partitions[0]
				if p.ErrorCode != test.want.Code {
					t.Errorf("answer %v", kerr.ErrorForCode(p.ErrorCode))
				}
				if name == "leader moved" && (p.CurrentLeader.LeaderID != 2 || p.CurrentLeader.LeaderEpoch != 1) {
					t.Errorf("leader hint %+v", p.CurrentLeader)
				}
			})
		})
	}
}

func TestFetchSessionTellsOnlyWhatHasChanged(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		for p := range int32(2) {
			if err := cluster.MoveLeader("orders", p, 1); err != nil {
				t.Fatal(err)
			}
		}
		w := dial(t, cluster, 1)
		full := fetchRequest("orders", 0, 0)
		full.SessionEpoch = 0
		second := full.Topics[0].Partitions[0]
		second.Partition = 1
		full.Topics[0].Partitions = append(full.Topics[0].Partitions, second)
		opened := ask[*kmsg.FetchResponse](w, 11, full)
		if opened.SessionID == 0 || len(opened.Topics[0].Partitions) != 2 {
			t.Fatalf("opened: %+v", opened)
		}
		next := func(epoch int32, change func(*kmsg.FetchRequest)) *kmsg.FetchResponse {
			t.Helper()
			req := kmsg.NewPtrFetchRequest()
			req.MinBytes, req.MaxBytes, req.SessionID, req.SessionEpoch = 1, 1<<20, opened.SessionID, epoch
			if change != nil {
				change(req)
			}
			return ask[*kmsg.FetchResponse](w, 11, req)
		}
		told := func(resp *kmsg.FetchResponse) (parts []string) {
			for _, t := range resp.Topics {
				for _, p := range t.Partitions {
					parts = append(parts, fmt.Sprint(t.Topic, p.Partition, " ", p.ErrorCode, " ", len(p.RecordBatches) > 0))
				}
			}
			return parts
		}
		check := func(what string, resp *kmsg.FetchResponse, want ...string) {
			t.Helper()
			if got := told(resp); resp.ErrorCode != 0 || !slices.Equal(got, want) {
				t.Errorf("%s: error %d, told %q, want %q", what, resp.ErrorCode, got, want)
			}
		}
		check("nothing new", next(1, nil))
		w.produce("orders", 1, seal(batchOf(text("a")...)))
		check("records", next(2, nil), "orders1 0 true")
		check("the same records", next(3, nil), "orders1 0 true")
		check("read on", next(4, func(req *kmsg.FetchRequest) {
			req.Topics = fetchRequest("orders", 1, 1).Topics
		}))
		if resp := next(9, nil); resp.ErrorCode != kerr.InvalidFetchSessionEpoch.Code {
			t.Errorf("wrong epoch: %v", kerr.ErrorForCode(resp.ErrorCode))
		}
		check("added", next(5, func(req *kmsg.FetchRequest) { req.Topics = fetchRequest("nowhere", 0, 0).Topics }), "nowhere0 3 false")
		check("an error is told again", next(6, nil), "nowhere0 3 false")
		check("forgotten", next(7, func(req *kmsg.FetchRequest) {
			req.ForgottenTopics = []kmsg.FetchRequestForgottenTopic{{Topic: "nowhere", Partitions: []int32{0}}}
		}))
		if resp := next(1, func(req *kmsg.FetchRequest) { req.SessionID++ }); resp.ErrorCode != kerr.FetchSessionIDNotFound.Code {
			t.Errorf("unknown session: %v", kerr.ErrorForCode(resp.ErrorCode))
		}
		check("closed", next(-1, func(req *kmsg.FetchRequest) { req.Topics = fetchRequest("orders", 1, 0).Topics }), "orders1 0 true")
		if resp := next(8, nil); resp.ErrorCode != kerr.FetchSessionIDNotFound.Code {
			t.Errorf("closed session: %v", kerr.ErrorForCode(resp.ErrorCode))
		}
	})
}

// As Apache Kafka 4.3.1 answers the same requests.
func TestFetchSessionKnowsTheNameOfATopicThatIsGone(t *testing.T) {
	cluster := start(t, broker.Config{})
	w := dial(t, cluster, 1)
	create := func() [16]byte {
		req := kmsg.NewPtrCreateTopicsRequest()
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "orders", 1, 1
		req.Topics = append(req.Topics, topic)
		return ask[*kmsg.CreateTopicsResponse](w, 7, req).Topics[0].TopicID
	}
	id := create()
	session, epoch := int32(0), int32(0)
	fetch := func(resend bool) int16 {
		t.Helper()
		req := kmsg.NewPtrFetchRequest()
		req.MaxBytes, req.SessionID, req.SessionEpoch = 1<<20, session, epoch
		if resend {
			p := kmsg.NewFetchRequestTopicPartition()
			p.PartitionMaxBytes = 1 << 20
			req.Topics = append(req.Topics, kmsg.FetchRequestTopic{TopicID: id, Partitions: []kmsg.FetchRequestTopicPartition{p}})
		}
		resp := ask[*kmsg.FetchResponse](w, 17, req)
		if session = resp.SessionID; session == 0 {
			t.Fatalf("no session: %d", resp.ErrorCode)
		}
		epoch++
		return resp.Topics[0].Partitions[0].ErrorCode
	}
	expect := func(when string, got int16, want *kerr.Error) {
		t.Helper()
		if got != want.Code {
			t.Errorf("%s: %v, want %v", when, kerr.ErrorForCode(got), want)
		}
	}
	if code := fetch(true); code != 0 {
		t.Fatalf("fetch: %d", code)
	}
	del := kmsg.NewPtrDeleteTopicsRequest()
	name := "orders"
	del.Topics = append(del.Topics, kmsg.DeleteTopicsRequestTopic{Topic: &name})
	if code := ask[*kmsg.DeleteTopicsResponse](w, 6, del).Topics[0].ErrorCode; code != 0 {
		t.Fatalf("delete: %d", code)
	}
	expect("deleted", fetch(false), kerr.UnknownTopicOrPartition)
	expect("deleted, sent again", fetch(true), kerr.UnknownTopicOrPartition)
	create()
	expect("made anew", fetch(false), kerr.InconsistentTopicID)
	expect("made anew, sent again", fetch(true), kerr.InconsistentTopicID)
	session, epoch = 0, 0
	expect("in a new session", fetch(true), kerr.UnknownTopicID)
}

func TestSessionOfManyPartitionsStarvesNone(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		create(t, w, "wide", 4, 3)
		full := fetchRequest("wide", 0, 0)
		full.SessionEpoch = 0
		for p := range int32(4) {
			if err := cluster.MoveLeader("wide", p, 1); err != nil {
				t.Fatal(err)
			}
			w.produce("wide", p, seal(batchOf(text("a")...)))
			if p > 0 {
				more := full.Topics[0].Partitions[0]
				more.Partition = p
				full.Topics[0].Partitions = append(full.Topics[0].Partitions, more)
			}
		}
		full.MaxBytes = 1 // one batch a response, and nobody reads on
		seen := map[int32]bool{}
		note := func(resp *kmsg.FetchResponse) {
			for _, p := range resp.Topics[0].Partitions {
				if len(p.RecordBatches) > 0 {
					seen[p.Partition] = true
				}
			}
		}
		opened := ask[*kmsg.FetchResponse](w, 11, full)
		note(opened)
		for epoch := range int32(3) {
			req := kmsg.NewPtrFetchRequest()
			req.MinBytes, req.MaxBytes, req.SessionID, req.SessionEpoch = 1, 1, opened.SessionID, epoch+1
			note(ask[*kmsg.FetchResponse](w, 11, req))
		}
		if len(seen) != 4 {
			t.Errorf("partitions %v were read", seen)
		}
	})
}

func TestRestartedBrokerHasForgottenItsSessions(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		full := fetchRequest("orders", 0, 0)
		full.SessionEpoch = 0
		id := ask[*kmsg.FetchResponse](dial(t, cluster, 1), 11, full).SessionID
		if err := cluster.KillBroker(1); err != nil {
			t.Fatal(err)
		}
		if err := cluster.StartBroker(1); err != nil {
			t.Fatal(err)
		}
		next := kmsg.NewPtrFetchRequest()
		next.SessionID, next.SessionEpoch = id, 1
		if resp := ask[*kmsg.FetchResponse](dial(t, cluster, 1), 11, next); resp.ErrorCode != kerr.FetchSessionIDNotFound.Code {
			t.Errorf("old session: %v", kerr.ErrorForCode(resp.ErrorCode))
		}
	})
}
