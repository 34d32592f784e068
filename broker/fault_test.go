package broker_test

import (
	"context"
	"errors"
	"io"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

// bubble runs a test in virtual time against a cluster with the topic "orders", 3 partitions led by one broker each.
func bubble(t *testing.T, fn func(t *testing.T, cluster *broker.Cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fn(t, start(t, broker.Config{Brokers: 3, Network: broker.NewNetwork(),
			Properties: map[string]string{"connections.max.idle.ms": "-1"}, // tests sleep for hours
			Topics:     []broker.Topic{{Name: "orders", Partitions: 3, ReplicationFactor: 2}, {Name: "others", Partitions: 1}}}))
	})
}

func TestFailAnswersInPlaceOfAppending(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		fault := inject(t, cluster, broker.Fault{API: broker.APIProduce, Topic: "orders", Fail: kerr.NotEnoughReplicas.Code, Count: 2})
		for range 2 {
			if p := w.produce("orders", 0, seal(batchOf(text("a")...))); p.ErrorCode != kerr.NotEnoughReplicas.Code {
				t.Errorf("error code %d", p.ErrorCode)
			}
		}
		if n := cluster.EndOffset("orders", 0); n != 0 {
			t.Errorf("%d records were appended", n)
		}
		if p := w.produce("others", 0, seal(batchOf(text("a")...))); p.ErrorCode != 0 {
			t.Errorf("another topic was failed with %d", p.ErrorCode)
		}
		if p := w.produce("orders", 0, seal(batchOf(text("a")...))); p.ErrorCode != 0 {
			t.Errorf("the third request was failed with %d", p.ErrorCode)
		}
		if fault.Hits() != 2 {
			t.Errorf("%d hits", fault.Hits())
		}
	})
}

func TestFailTakesOnlyThePartitionsThatMatch(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		for p := range int32(3) {
			if err := cluster.MoveLeader("orders", p, 1); err != nil {
				t.Fatal(err)
			}
		}
		inject(t, cluster, broker.Fault{Partitions: []int32{1}, Fail: kerr.KafkaStorageError.Code})
		req := produceRequest("orders", 0, seal(batchOf(text("a")...)))
		for p := range int32(2) {
			more := kmsg.NewProduceRequestTopicPartition()
			more.Partition, more.Records = p+1, seal(batchOf(text("a")...))
			req.Topics[0].Partitions = append(req.Topics[0].Partitions, more)
		}
		var got []int16
		for _, p := range ask[*kmsg.ProduceResponse](dial(t, cluster, 1), 9, req).Topics[0].Partitions {
			got = append(got, p.ErrorCode)
		}
		if want := []int16{0, kerr.KafkaStorageError.Code, 0}; !slices.Equal(got, want) {
			t.Errorf("error codes %v, want %v", got, want)
		}
	})
}

func TestFailedCommitIsNotCommitted(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		inject(t, cluster, broker.Fault{API: broker.APIOffsetCommit, Group: "billing", Topic: "orders", Partitions: []int32{1}, Fail: kerr.RequestTimedOut.Code})
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.Generation = "billing", -1
		rt := kmsg.NewOffsetCommitRequestTopic()
		rt.Topic = "orders"
		for p := range int32(3) {
			rp := kmsg.NewOffsetCommitRequestTopicPartition()
			rp.Partition, rp.Offset = p, 7
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
		resp := ask[*kmsg.OffsetCommitResponse](dial(t, cluster, int(cluster.Coordinator("billing"))), 8, req)
		if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 3 {
			t.Fatalf("response %+v", resp)
		}
		for _, p := range resp.Topics[0].Partitions {
			_, _, committed := cluster.Committed("billing", "orders", p.Partition)
			if want := p.Partition != 1; (p.ErrorCode == 0) != want || committed != want {
				t.Errorf("partition %d: error %d, committed %v", p.Partition, p.ErrorCode, committed)
			}
		}
	})
}

func TestFailWholeRequestOfAGroup(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		inject(t, cluster, broker.Fault{API: broker.APIFindCoordinator, Group: "billing", Fail: kerr.CoordinatorNotAvailable.Code})
		w := dial(t, cluster, 1)
		for group, want := range map[string]int16{"billing": kerr.CoordinatorNotAvailable.Code, "shipping": 0} {
			req := kmsg.NewPtrFindCoordinatorRequest()
			req.CoordinatorKeys = []string{group}
			if got := ask[*kmsg.FindCoordinatorResponse](w, 4, req).Coordinators[0].ErrorCode; got != want {
				t.Errorf("%s: error code %d, want %d", group, got, want)
			}
			req = kmsg.NewPtrFindCoordinatorRequest()
			req.CoordinatorKey = group
			if got := ask[*kmsg.FindCoordinatorResponse](w, 3, req).ErrorCode; got != want {
				t.Errorf("%s: error code %d, want %d", group, got, want)
			}
		}
	})
}

func TestDroppedResponseWasApplied(t *testing.T) {
	for name, fault := range map[string]broker.Fault{"drop": {DropResponse: true}, "cut": {CutResponse: true}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, cluster *broker.Cluster) {
				fault.API, fault.Count = broker.APIProduce, 1
				injected := inject(t, cluster, fault)
				w := dial(t, cluster, 1)
				req := produceRequest("orders", 0, seal(batchOf(text("a")...)))
				req.SetVersion(9)
				w.send(req)
				if err := injected.Wait(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				if n := cluster.EndOffset("orders", 0); n != 1 {
					t.Errorf("%d records were appended", n)
				}
				rest, err := io.ReadAll(w.conn)
				if err != nil {
					t.Fatal(err)
				}
				if whole := 4 + 4 + 1; fault.DropResponse && len(rest) != 0 || fault.CutResponse && len(rest) < whole {
					t.Errorf("%d bytes of the response came", len(rest))
				}
			})
		})
	}
}

func TestDelayHoldsARequest(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		inject(t, cluster, broker.Fault{ClientID: "slow", Delay: 3 * time.Hour})
		for name, want := range map[string]time.Duration{"slow": 3 * time.Hour, "fast": 0} {
			w := dial(t, cluster, 1)
			w.name = name
			begin := time.Now()
			w.produce("orders", 0, seal(batchOf(text("a")...)))
			if d := time.Since(begin); d != want {
				t.Errorf("%s client was answered after %v, want %v", name, d, want)
			}
		}
	})
}

func TestStallHoldsARequestUntilItIsRemoved(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		stall := inject(t, cluster, broker.Fault{Broker: 1, Stall: true})
		w := dial(t, cluster, 1)
		req := produceRequest("orders", 0, seal(batchOf(text("a")...)))
		req.SetVersion(9)
		w.send(req)
		time.Sleep(time.Hour)
		if n := cluster.EndOffset("orders", 0); n != 0 || stall.Hits() != 1 {
			t.Errorf("%d records, %d hits", n, stall.Hits())
		}
		stall.Remove()
		if _, err := w.receive(req); err != nil {
			t.Fatal(err)
		}
		if n := cluster.EndOffset("orders", 0); n != 1 {
			t.Errorf("%d records", n)
		}
	})
}

func TestWaitForAHitEndsWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := inject(t, cluster, broker.Fault{}).Wait(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

func TestMovedLeaderIsFollowed(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		if p := w.produce("orders", 0, seal(batchOf(text("a")...))); p.ErrorCode != 0 {
			t.Fatalf("error code %d", p.ErrorCode)
		}
		if err := cluster.MoveLeader("orders", 0, 3); err != nil {
			t.Fatal(err)
		}
		p := w.produce("orders", 0, seal(batchOf(text("b")...)))
		if p.ErrorCode != kerr.NotLeaderForPartition.Code || p.CurrentLeader.LeaderID != 3 || p.CurrentLeader.LeaderEpoch != 1 {
			t.Errorf("old leader answered %+v", p)
		}
		if p := dial(t, cluster, 3).produce("orders", 0, seal(batchOf(text("b")...))); p.ErrorCode != 0 || p.BaseOffset != 1 {
			t.Errorf("new leader answered %+v", p)
		}
	})
}

func TestKilledBrokerIsReplacedAndComesBack(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		w.produce("orders", 0, seal(batchOf(text("a")...)))
		if err := cluster.KillBroker(1); err != nil {
			t.Fatal(err)
		}
		w.ends("broker is killed")
		if _, err := cluster.Dial(t.Context(), "tcp", cluster.Addrs()[0]); err == nil {
			t.Error("a killed broker takes connections")
		}
		if id, epoch := cluster.Leader("orders", 0); id != 2 || epoch != 1 {
			t.Errorf("leader %d in epoch %d", id, epoch)
		}
		if id, _ := cluster.Leader("others", 0); id != -1 {
			t.Errorf("leader of an unreplicated partition is %d", id)
		}
		if id := cluster.Coordinator("billing"); id == 1 {
			t.Error("a killed broker coordinates")
		}
		if p := dial(t, cluster, 2).produce("orders", 0, seal(batchOf(text("b")...))); p.ErrorCode != 0 || p.BaseOffset != 1 {
			t.Errorf("new leader answered %+v", p)
		}
		if err := cluster.StartBroker(1); err != nil {
			t.Fatal(err)
		}
		if id, _ := cluster.Leader("others", 0); id != 1 {
			t.Errorf("leader of an unreplicated partition is %d after its broker came back", id)
		}
		if p := dial(t, cluster, 1).produce("others", 0, seal(batchOf(text("a")...))); p.ErrorCode != 0 {
			t.Errorf("broker that came back answered %+v", p)
		}
	})
}

func TestPausedBrokerLosesItsLeadershipAfterTheSessionTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		if err := cluster.PauseBroker(1); err != nil {
			t.Fatal(err)
		}
		req := produceRequest("orders", 0, seal(batchOf(text("a")...)))
		req.SetVersion(9)
		w.send(req)
		time.Sleep(8 * time.Second)
		if id, _ := cluster.Leader("orders", 0); id != 1 {
			t.Errorf("leader %d before the session timeout", id)
		}
		time.Sleep(2 * time.Second)
		if id, _ := cluster.Leader("orders", 0); id != 2 {
			t.Errorf("leader %d after the session timeout", id)
		}
		if err := cluster.ResumeBroker(1); err != nil {
			t.Fatal(err)
		}
		resp, err := w.receive(req)
		if err != nil {
			t.Fatal(err)
		}
		if code := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode; code != kerr.NotLeaderForPartition.Code {
			t.Errorf("the broker that was paused answered %d", code)
		}
	})
}

func TestMovedCoordinatorReleasesWhoWaits(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		if err := cluster.MoveCoordinator("billing", 1); err != nil {
			t.Fatal(err)
		}
		join := func() *kmsg.JoinGroupRequest {
			req := kmsg.NewPtrJoinGroupRequest()
			req.Version = 3
			req.Group, req.ProtocolType, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = "billing", "consumer", 10_000, 3_600_000
			p := kmsg.NewJoinGroupRequestProtocol()
			p.Name = "range"
			req.Protocols = append(req.Protocols, p)
			return req
		}
		first := dial(t, cluster, 1)
		if resp := ask[*kmsg.JoinGroupResponse](first, 3, join()); resp.ErrorCode != 0 {
			t.Fatalf("join: %d", resp.ErrorCode)
		}
		second := dial(t, cluster, 1)
		req := join()
		second.send(req) // waits for the first to join again
		synctest.Wait()
		if err := cluster.MoveCoordinator("billing", 2); err != nil {
			t.Fatal(err)
		}
		resp, err := second.receive(req)
		if err != nil {
			t.Fatal(err)
		}
		if code := resp.(*kmsg.JoinGroupResponse).ErrorCode; code != kerr.NotCoordinator.Code {
			t.Errorf("waiting join was answered %d", code)
		}
	})
}

func TestDropConnectionsOfOneClient(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		a, b := dial(t, cluster, 1), dial(t, cluster, 1)
		a.name, b.name = "a", "b"
		a.produce("orders", 0, seal(batchOf(text("1")...)))
		b.produce("orders", 0, seal(batchOf(text("2")...)))
		if n := cluster.DropConnections("a"); n != 1 {
			t.Errorf("%d connections dropped", n)
		}
		a.ends("connection is dropped")
		b.produce("orders", 0, seal(batchOf(text("3")...)))
	})
}

func TestPausedBrokerAnswersNothing(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		req := fetchRequest("orders", 0, 0)
		req.MaxWaitMillis = 1000
		req.SetVersion(11)
		w.send(req) // is being handled when the broker stops
		synctest.Wait()
		if err := cluster.PauseBroker(1); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		time.AfterFunc(5*time.Second, func() {
			if err := cluster.ResumeBroker(1); err != nil {
				t.Error(err)
			}
		})
		if _, err := w.receive(req); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begin); d != 5*time.Second {
			t.Errorf("answered after %v", d)
		}
		if id, epoch := cluster.Leader("orders", 0); id != 1 || epoch != 0 {
			t.Errorf("a short pause moved the lead to %d in epoch %d", id, epoch)
		}
	})
}

func TestVerbsRefuseWhatIsNotThere(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		if err := cluster.KillBroker(3); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{
			"move the leader of an unknown topic":     cluster.MoveLeader("nowhere", 0, 1),
			"move the leader of an unknown partition": cluster.MoveLeader("orders", 9, 1),
		} {
			if !errors.Is(err, broker.ErrUnknownPartition) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for what, err := range map[string]error{
			"move a leader to an unknown broker":     cluster.MoveLeader("orders", 0, 9),
			"move a leader to a broker that is down": cluster.MoveLeader("orders", 0, 3),
			"move a coordinator to nobody":           cluster.MoveCoordinator("billing", 0),
			"kill an unknown broker":                 cluster.KillBroker(9),
			"start an unknown broker":                cluster.StartBroker(9),
			"pause an unknown broker":                cluster.PauseBroker(9),
			"resume an unknown broker":               cluster.ResumeBroker(9),
		} {
			if !errors.Is(err, broker.ErrUnknownBroker) {
				t.Errorf("%s: %v", what, err)
			}
		}
		cluster.Close()
		if err := cluster.StartBroker(3); !errors.Is(err, broker.ErrClosed) {
			t.Errorf("start a broker of a closed cluster: %v", err)
		}
	})
}

func TestIdleConnectionIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := start(t, broker.Config{Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders"}}})
		w := dial(t, cluster, 1)
		for range 20 { // an hour and forty minutes, never ten minutes idle
			w.produce("orders", 0, seal(batchOf(text("a")...)))
			time.Sleep(5 * time.Minute)
		}
		time.Sleep(7 * time.Minute)
		w.ends("idle for twelve minutes")
	})
}

func TestFailEveryKindOfRequest(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		const code = 29 // TOPIC_AUTHORIZATION_FAILED, which no request here is answered otherwise
		orders := "orders"
		w := dial(t, cluster, 1)
		for _, req := range []kmsg.Request{
			produceRequest("orders", 0, seal(batchOf(text("a")...))),
			fetchRequest("orders", 0, 0),
			&kmsg.ListOffsetsRequest{Topics: []kmsg.ListOffsetsRequestTopic{{Topic: "orders", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{}}}}},
			&kmsg.OffsetForLeaderEpochRequest{Topics: []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "orders", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{}}}}},
			&kmsg.DeleteRecordsRequest{Topics: []kmsg.DeleteRecordsRequestTopic{{Topic: "orders", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{}}}}},
			&kmsg.MetadataRequest{Topics: []kmsg.MetadataRequestTopic{{Topic: &orders}}},
			&kmsg.CreateTopicsRequest{Topics: []kmsg.CreateTopicsRequestTopic{{Topic: "orders"}}},
			&kmsg.CreatePartitionsRequest{Topics: []kmsg.CreatePartitionsRequestTopic{{Topic: "orders", Count: 9}}},
			&kmsg.DeleteTopicsRequest{TopicNames: []string{"orders"}},
			&kmsg.DescribeConfigsRequest{Resources: []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "orders"}}},
			&kmsg.AlterConfigsRequest{Resources: []kmsg.AlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "orders"}}},
			&kmsg.IncrementalAlterConfigsRequest{Resources: []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "orders"}}},
			&kmsg.OffsetCommitRequest{Group: "g", Generation: -1, Topics: []kmsg.OffsetCommitRequestTopic{{Topic: "orders", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{}}}}},
			&kmsg.OffsetFetchRequest{Group: "g", Topics: []kmsg.OffsetFetchRequestTopic{{Topic: "orders", Partitions: []int32{0}}}},
			&kmsg.JoinGroupRequest{Group: "g"}, &kmsg.SyncGroupRequest{Group: "g"}, &kmsg.HeartbeatRequest{Group: "g"}, &kmsg.LeaveGroupRequest{Group: "g"},
			&kmsg.OffsetDeleteRequest{Group: "g"}, &kmsg.FindCoordinatorRequest{CoordinatorKey: "g"}, &kmsg.DescribeGroupsRequest{Groups: []string{"g"}},
			&kmsg.DeleteGroupsRequest{Groups: []string{"g"}}, &kmsg.ListGroupsRequest{}, &kmsg.InitProducerIDRequest{}, &kmsg.DescribeClusterRequest{},
			&kmsg.ConsumerGroupHeartbeatRequest{Group: "g"}, &kmsg.ConsumerGroupDescribeRequest{Groups: []string{"g"}}, &kmsg.ApiVersionsRequest{},
		} {
			if err := cluster.MoveCoordinator("g", 1); err != nil {
				t.Fatal(err)
			}
			switch kmsg.Key(req.Key()) {
			case kmsg.Produce, kmsg.Fetch:
				req.SetVersion(4)
			case kmsg.ApiVersions:
				req.SetVersion(0)
			default:
				req.SetVersion(min(req.MaxVersion(), 2))
			}
			for _, fault := range []broker.Fault{{}, {Topic: "orders"}, {Topic: "orders", Partitions: []int32{0}}} {
				if key := kmsg.Key(req.Key()); fault.Partitions != nil && (key == kmsg.CreatePartitions || key == kmsg.DeleteTopics) {
					continue // they name no partition, so they would be carried out
				}
				fault.Fail = code
				in := inject(t, cluster, fault)
				w.send(req)
				resp, err := w.receive(req)
				in.Remove()
				if err != nil {
					t.Fatalf("%s: %v", kmsg.NameForKey(req.Key()), err)
				}
				if failed := in.Hits() > 0; failed != hasCode(reflect.ValueOf(resp), code) || fault.Topic == "" && !failed {
					t.Errorf("%s with %+v: %d hits, answer %+v", kmsg.NameForKey(req.Key()), fault, in.Hits(), resp)
				}
			}
		}
		if cluster.Partitions("orders") != 3 || cluster.EndOffset("orders", 0) > 0 {
			t.Error("a failed request was carried out")
		}
	})
}

// hasCode says whether a response holds an error code anywhere.
func hasCode(v reflect.Value, code int64) bool {
	switch v.Kind() {
	case reflect.Pointer:
		return !v.IsNil() && hasCode(v.Elem(), code)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name == "ErrorCode" && v.Field(i).Int() == code || hasCode(v.Field(i), code) {
				return true
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if hasCode(v.Index(i), code) {
				return true
			}
		}
	}
	return false
}
