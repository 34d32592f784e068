package broker_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

// replicated runs a test on three brokers and a topic with one partition, which broker 1 leads and all hold.
func replicated(t *testing.T, configs map[string]string, fn func(t *testing.T, c *broker.Cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fn(t, start(t, broker.Config{Brokers: 3, Network: broker.NewNetwork(), Properties: map[string]string{"connections.max.idle.ms": "-1"},
			Topics: []broker.Topic{{Name: "t", Partitions: 1, ReplicationFactor: 3, Configs: configs}}}))
	})
}

// write produces one record and returns the answer's code.
func write(t *testing.T, c *broker.Cluster, leader int, acks int16) int16 {
	t.Helper()
	req := produceRequest("t", 0, seal(batchOf(text("v")...)))
	req.Acks = acks
	return ask[*kmsg.ProduceResponse](dial(t, c, leader), 12, req).Topics[0].Partitions[0].ErrorCode
}

// read fetches from a broker in a version and returns the partition's answer.
func read(t *testing.T, c *broker.Cluster, node int, version int16, rack string, offset int64) kmsg.FetchResponseTopicPartition {
	t.Helper()
	req := fetchRequest("t", 0, offset)
	req.Rack = rack
	return ask[*kmsg.FetchResponse](dial(t, c, node), version, req).Topics[0].Partitions[0]
}

func state(t *testing.T, c *broker.Cluster) broker.Partition {
	t.Helper()
	p, err := c.Partition("t", 0)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wants fails the test unless the partition's leader, in-sync replicas, high watermark and end are these.
func wants(t *testing.T, c *broker.Cluster, when string, leader int32, inSync []int32, hw, end int64) {
	t.Helper()
	p := state(t, c)
	got := slices.Sorted(slices.Values(p.InSync))
	if p.Leader != leader || !slices.Equal(got, inSync) || p.HighWatermark != hw || p.End != end {
		t.Errorf("%s: leader %d, in sync %v, high watermark %d, end %d; want leader %d, in sync %v, high watermark %d, end %d",
			when, p.Leader, got, p.HighWatermark, p.End, leader, inSync, hw, end)
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func gives(t *testing.T, what string, got int16, want *kerr.Error) {
	t.Helper()
	if (want == nil && got != 0) || (want != nil && got != want.Code) {
		t.Errorf("%s: %v, want %v", what, kerr.ErrorForCode(got), want)
	}
}

func TestRecordOfTheLeaderAloneDiesWithIt(t *testing.T) {
	replicated(t, nil, func(t *testing.T, c *broker.Cluster) {
		gives(t, "acks=all", write(t, c, 1, -1), nil)
		must(t, c.HoldReplication())
		gives(t, "acks=1", write(t, c, 1, 1), nil)
		wants(t, c, "written", 1, []int32{1, 2, 3}, 1, 2)
		must(t, c.KillBroker(1), c.ReleaseReplication())
		wants(t, c, "leader killed", 2, []int32{2, 3}, 1, 1)
		must(t, c.StartBroker(1))
		wants(t, c, "old leader back", 2, []int32{1, 2, 3}, 1, 1)
		states, _ := c.ReplicaStates("t", 0)
		for _, s := range states {
			if s.End != 1 {
				t.Errorf("replica %d ends at %d: it keeps what its leader does not have", s.ID, s.End)
			}
		}
	})
}

func TestFollowersFetchAfterTheReplicationDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, broker.Config{Brokers: 3, Network: broker.NewNetwork(), ReplicationDelay: 10 * time.Second,
			Topics: []broker.Topic{{Name: "t", Partitions: 1, ReplicationFactor: 3}}})
		gives(t, "acks=1", write(t, c, 1, 1), nil)
		time.Sleep(9 * time.Second)
		wants(t, c, "before", 1, []int32{1, 2, 3}, 0, 1)
		time.Sleep(2 * time.Second)
		wants(t, c, "after", 1, []int32{1, 2, 3}, 1, 1)
		gives(t, "acks=all", write(t, c, 1, -1), nil)
		wants(t, c, "acks=all", 1, []int32{1, 2, 3}, 2, 2)
	})
}

func TestAcksAllWaitsForInSyncReplicas(t *testing.T) {
	replicated(t, nil, func(t *testing.T, c *broker.Cluster) {
		must(t, c.HoldReplication(3))
		begin := time.Now()
		gives(t, "one holds back", write(t, c, 1, -1), kerr.RequestTimedOut)
		if d := time.Since(begin); d != time.Second {
			t.Errorf("answered after %v", d)
		}
		if p := read(t, c, 1, 11, "", 0); len(p.RecordBatches) > 0 || p.HighWatermark != 0 {
			t.Errorf("a consumer reads what is not replicated: %+v", p)
		}
		go func() {
			time.Sleep(500 * time.Millisecond)
			_ = c.ReleaseReplication(3)
		}()
		begin = time.Now()
		gives(t, "until it is let go", write(t, c, 1, -1), nil)
		if d := time.Since(begin); d != 500*time.Millisecond {
			t.Errorf("acknowledged after %v", d)
		}
		wants(t, c, "released", 1, []int32{1, 2, 3}, 2, 2)
	})
}

func TestFollowerThatLagsIsOutOfSyncUntilItHasCaughtUp(t *testing.T) {
	replicated(t, nil, func(t *testing.T, c *broker.Cluster) {
		must(t, c.HoldReplication(2, 3))
		gives(t, "acks=1", write(t, c, 1, 1), nil)
		time.Sleep(29 * time.Second)
		wants(t, c, "before replica.lag.time.max.ms", 1, []int32{1, 2, 3}, 0, 1)
		time.Sleep(2 * time.Second)
		wants(t, c, "after it", 1, []int32{1}, 1, 1)
		must(t, c.ReleaseReplication(3))
		wants(t, c, "one caught up", 1, []int32{1, 3}, 1, 1)
	})
}

func TestHighWatermarkRestsUnderTheMinimumOfInSyncReplicas(t *testing.T) {
	replicated(t, map[string]string{"min.insync.replicas": "2"}, func(t *testing.T, c *broker.Cluster) {
		must(t, c.ShrinkISR("t", 0, 2, 3))
		gives(t, "acks=all", write(t, c, 1, -1), kerr.NotEnoughReplicas)
		wants(t, c, "refused before it was appended", 1, []int32{1}, 0, 0)
		gives(t, "acks=1", write(t, c, 1, 1), nil)
		wants(t, c, "not shown to consumers", 1, []int32{1}, 0, 1)
		must(t, c.RestoreISR("t", 0))
		wants(t, c, "restored", 1, []int32{1, 2, 3}, 1, 1)
	})
}

func TestAppendThatFewerHoldThanMustIsAnsweredSo(t *testing.T) {
	replicated(t, map[string]string{"min.insync.replicas": "2"}, func(t *testing.T, c *broker.Cluster) {
		must(t, c.HoldReplication())
		go func() {
			time.Sleep(100 * time.Millisecond)
			c.ReleaseAndShrink("t", 0)
		}()
		gives(t, "replicated, and then out of sync", write(t, c, 1, -1), kerr.NotEnoughReplicasAfterAppend)
	})
}

func TestWaitingProducerLearnsThatTheLeaderHasMoved(t *testing.T) {
	replicated(t, nil, func(t *testing.T, c *broker.Cluster) {
		must(t, c.HoldReplication(3))
		go func() {
			time.Sleep(100 * time.Millisecond)
			if err := c.MoveLeader("t", 0, 2); err != nil {
				t.Error(err)
			}
		}()
		gives(t, "leader moved", write(t, c, 1, -1), kerr.NotLeaderForPartition)
	})
}

func TestKilledBrokerIsReplacedAfterItsSession(t *testing.T) {
	replicated(t, nil, func(t *testing.T, c *broker.Cluster) {
		must(t, c.KillBroker(1, broker.AfterSession()))
		time.Sleep(8 * time.Second)
		wants(t, c, "within the session", 1, []int32{1, 2, 3}, 0, 0)
		time.Sleep(2 * time.Second)
		wants(t, c, "after it", 2, []int32{2, 3}, 0, 0)
	})
}

func TestBrokerThatStopsInOrderMayLeadAgain(t *testing.T) {
	for name, end := range map[string]func(*broker.Cluster, int32) error{
		"stopped": (*broker.Cluster).StopBroker,
		"killed":  func(c *broker.Cluster, id int32) error { return c.KillBroker(id) },
	} {
		t.Run(name, func(t *testing.T) {
			replicated(t, map[string]string{"min.insync.replicas": "2"}, func(t *testing.T, c *broker.Cluster) {
				gives(t, "acks=all", write(t, c, 1, -1), nil)
				must(t, end(c, 3), end(c, 2), end(c, 1))
				wants(t, c, "all down", -1, nil, 1, 1)
				must(t, c.StartBroker(2))
				leader := int32(2) // it was in sync when too few were left
				if name == "killed" {
					leader = -1 // nobody knows what it has lost
				}
				if id, _ := c.Leader("t", 0); id != leader {
					t.Errorf("leader %d, want %d", id, leader)
				}
				must(t, c.StartBroker(1), c.StartBroker(3))
				if id, _ := c.Leader("t", 0); id == -1 || c.EndOffset("t", 0) != 1 {
					t.Errorf("leader %d, end %d", id, c.EndOffset("t", 0))
				}
			})
		})
	}
}

func TestBrokerComesBackWithWhatItsDiskHas(t *testing.T) {
	for name, test := range map[string]struct {
		opts []broker.StartOption
		end  int64
	}{
		"all of it":               {nil, 2},
		"what was replicated":     {[]broker.StartOption{broker.LoseUnreplicated()}, 1},
		"nothing":                 {[]broker.StartOption{broker.LoseDisk()}, 0},
		"nothing, that is to say": {[]broker.StartOption{broker.LoseUnreplicated(), broker.LoseDisk()}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			replicated(t, nil, func(t *testing.T, c *broker.Cluster) {
				gives(t, "acks=all", write(t, c, 1, -1), nil)
				must(t, c.HoldReplication())
				gives(t, "acks=1", write(t, c, 1, 1), nil)
				must(t, c.KillBroker(1), c.StartBroker(1, test.opts...)) // it may not fetch yet, and so is not cut back to what its leader has
				if states, _ := c.ReplicaStates("t", 0); states[0].End != test.end {
					t.Errorf("log ends at %d, want %d", states[0].End, test.end)
				}
				must(t, c.ReleaseReplication())
				wants(t, c, "released", 2, []int32{1, 2, 3}, 1, 1)
			})
		})
	}
}

func TestUncleanElectionLosesWhatTheNewLeaderNeverHad(t *testing.T) {
	for _, enabled := range []bool{false, true} {
		t.Run(fmt.Sprintf("unclean.leader.election.enable=%t", enabled), func(t *testing.T) {
			replicated(t, map[string]string{"unclean.leader.election.enable": fmt.Sprint(enabled)}, func(t *testing.T, c *broker.Cluster) {
				must(t, c.KillBroker(2), c.KillBroker(3))
				gives(t, "acks=all", write(t, c, 1, -1), nil)
				must(t, c.KillBroker(1), c.StartBroker(2))
				if !enabled {
					wants(t, c, "nobody in sync", -1, nil, 1, 1)
					req := kmsg.NewPtrMetadataRequest()
					req.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("t")}}
					p := ask[*kmsg.MetadataResponse](dial(t, c, 2), 12, req).Topics[0].Partitions[0]
					gives(t, "metadata", p.ErrorCode, kerr.LeaderNotAvailable)
					if !slices.Equal(p.OfflineReplicas, []int32{1, 3}) || p.Leader != -1 {
						t.Errorf("metadata %+v", p)
					}
					gives(t, "preferred", electLeaders(t, c, 2, 0), kerr.PreferredLeaderNotAvailable)
					gives(t, "unclean", electLeaders(t, c, 2, 1), nil)
					gives(t, "again", electLeaders(t, c, 2, 1), kerr.ElectionNotNeeded)
				}
				wants(t, c, "unclean", 2, []int32{2}, 0, 0)
				gives(t, "acks=1", write(t, c, 2, 1), nil)
				must(t, c.StartBroker(1))
				wants(t, c, "old leader back", 2, []int32{1, 2}, 1, 1)
				states, _ := c.ReplicaStates("t", 0)
				if states[0].Epochs[0] != states[1].Epochs[0] {
					t.Errorf("replicas hold records of epochs %d and %d at 0", states[0].Epochs[0], states[1].Epochs[0])
				}
			})
		})
	}
}

func TestLeaderIsElectedCleanlyOrNotWhereATestSaysSo(t *testing.T) {
	replicated(t, nil, func(t *testing.T, c *broker.Cluster) {
		must(t, c.KillBroker(2), c.KillBroker(3))
		gives(t, "acks=all", write(t, c, 1, -1), nil)
		must(t, c.KillBroker(1), c.StartBroker(2))
		if err := c.ElectLeader("t", 0, false); !errors.Is(err, broker.ErrNotInSync) {
			t.Errorf("the preferred leader is down: %v", err)
		}
		must(t, c.ElectLeader("t", 0, true))
		wants(t, c, "whatever it holds", 2, []int32{2}, 0, 0)
		must(t, c.StartBroker(1), c.ElectLeader("t", 0, false))
		wants(t, c, "preferred", 1, []int32{1, 2}, 0, 0)
	})
}

func electLeaders(t *testing.T, c *broker.Cluster, node int, how int8) int16 {
	t.Helper()
	req := kmsg.NewPtrElectLeadersRequest()
	req.ElectionType = how
	req.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: "t", Partitions: []int32{0}}}
	return ask[*kmsg.ElectLeadersResponse](dial(t, c, node), 2, req).Topics[0].Partitions[0].ErrorCode
}

func TestPreferredLeaderLeadsAgain(t *testing.T) {
	replicated(t, nil, func(t *testing.T, c *broker.Cluster) {
		must(t, c.KillBroker(1), c.StartBroker(1))
		wants(t, c, "back in sync", 2, []int32{1, 2, 3}, 0, 0)
		time.Sleep(301 * time.Second)
		wants(t, c, "after leader.imbalance.check.interval.seconds", 1, []int32{1, 2, 3}, 0, 0)
		must(t, c.KillBroker(1), c.StartBroker(1))
		gives(t, "asked for", electLeaders(t, c, 2, 0), nil)
		gives(t, "twice", electLeaders(t, c, 2, 0), kerr.ElectionNotNeeded)
		must(t, c.KillBroker(1), c.StartBroker(1), c.ElectLeader("t", 0, false))
		wants(t, c, "as a verb", 1, []int32{1, 2, 3}, 0, 0)
	})
}

func TestNewLeaderDoesNotTellAnEndThatMayNotBeCommitted(t *testing.T) {
	replicated(t, nil, func(t *testing.T, c *broker.Cluster) {
		must(t, c.HoldReplication(3))
		gives(t, "acks=1", write(t, c, 1, 1), nil)
		time.Sleep(time.Second)
		must(t, c.KillBroker(1))
		wants(t, c, "new leader", 2, []int32{2, 3}, 0, 1)
		list := func(version int16) int16 {
			req := kmsg.NewPtrListOffsetsRequest()
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Timestamp = -1
			req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
			return ask[*kmsg.ListOffsetsResponse](dial(t, c, 2), version, req).Topics[0].Partitions[0].ErrorCode
		}
		gives(t, "end", list(7), kerr.OffsetNotAvailable)
		gives(t, "end, as an old client", list(4), kerr.LeaderNotAvailable)
		must(t, c.ReleaseReplication())
		gives(t, "once it is known", list(7), nil)
	})
}

func TestConsumerReadsFromTheReplicaInItsRack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, broker.Config{Brokers: 3, Network: broker.NewNetwork(), Racks: []string{"a", "b", "c"},
			Properties: map[string]string{"replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector"},
			Topics:     []broker.Topic{{Name: "t", Partitions: 1, ReplicationFactor: 2}}})
		gives(t, "acks=all", write(t, c, 1, -1), nil)
		if p := read(t, c, 1, 11, "b", 0); p.PreferredReadReplica != 2 || len(p.RecordBatches) > 0 || p.HighWatermark != 1 {
			t.Errorf("rack of the follower: %+v", p)
		}
		for _, rack := range []string{"a", "c", ""} {
			if p := read(t, c, 1, 11, rack, 0); p.PreferredReadReplica != -1 || len(p.RecordBatches) == 0 {
				t.Errorf("rack %q: %+v", rack, p)
			}
		}
		if p := read(t, c, 1, 11, "b", 1); p.PreferredReadReplica != 2 {
			t.Errorf("at the end: %+v", p)
		}
		if p := read(t, c, 2, 11, "b", 0); p.ErrorCode != 0 || len(p.RecordBatches) == 0 {
			t.Errorf("from the follower: %+v", p)
		}
		gives(t, "an old client", read(t, c, 2, 10, "", 0).ErrorCode, kerr.NotLeaderForPartition)
		gives(t, "from a broker that holds none", read(t, c, 3, 11, "c", 0).ErrorCode, kerr.NotLeaderForPartition)
		must(t, c.HoldReplication(2))
		gives(t, "acks=1", write(t, c, 1, 1), nil)
		if p := read(t, c, 2, 11, "b", 1); p.ErrorCode != 0 || len(p.RecordBatches) > 0 || p.HighWatermark != 1 {
			t.Errorf("from a follower that lags: %+v", p)
		}
		gives(t, "beyond what it has", read(t, c, 2, 11, "b", 2).ErrorCode, kerr.OffsetOutOfRange)
		if p := read(t, c, 1, 11, "b", 2); p.PreferredReadReplica != -1 || p.ErrorCode != 0 {
			t.Errorf("from what only the leader has: %+v", p)
		}
	})
}

func TestConsumerReadsFromALeaderInItsRack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, broker.Config{Brokers: 2, Network: broker.NewNetwork(), Racks: []string{"a", "a"},
			Properties: map[string]string{"replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector"},
			Topics:     []broker.Topic{{Name: "t", Partitions: 1, ReplicationFactor: 2}}})
		gives(t, "acks=all", write(t, c, 1, -1), nil)
		if p := read(t, c, 1, 11, "a", 0); p.PreferredReadReplica != -1 || len(p.RecordBatches) == 0 {
			t.Errorf("sent to another replica: %+v", p)
		}
	})
}

func TestReplicasAreSpreadOverRacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		racks := []string{"a", "a", "b", "b", "c", "c"}
		c := start(t, broker.Config{Brokers: 6, Network: broker.NewNetwork(), Racks: racks,
			Topics: []broker.Topic{{Name: "t", Partitions: 12, ReplicationFactor: 3}}})
		leads := map[int32]int{}
		for i := range int32(12) {
			p, err := c.Partition("t", i)
			must(t, err)
			seen := map[string]bool{}
			for _, id := range p.Replicas {
				seen[racks[id-1]] = true
			}
			if leads[p.Leader]++; len(seen) != 3 {
				t.Errorf("partition %d lies on %v", i, p.Replicas)
			}
		}
		for id := range int32(6) {
			if leads[id+1] != 2 {
				t.Errorf("broker %d leads %d of 12 partitions", id+1, leads[id+1])
			}
		}
		resp := ask[*kmsg.MetadataResponse](dial(t, c, 1), 12, kmsg.NewPtrMetadataRequest())
		if b := resp.Brokers[3]; b.Rack == nil || *b.Rack != "b" {
			t.Errorf("metadata of broker 4: %+v", b)
		}
	})
}

// reassign asks for replicas, nil to cancel, and returns the answer.
func reassign(t *testing.T, c *broker.Cluster, partition int32, replicas ...int32) kmsg.AlterPartitionAssignmentsResponseTopicPartition {
	t.Helper()
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
	p.Partition, p.Replicas = partition, replicas
	req.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: "t", Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{p}}}
	return ask[*kmsg.AlterPartitionAssignmentsResponse](dial(t, c, 3), 0, req).Topics[0].Partitions[0]
}

func TestReassignmentEndsWhenTheNewReplicaHasCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, broker.Config{Brokers: 3, Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "t", Partitions: 1, ReplicationFactor: 2}}})
		gives(t, "acks=all", write(t, c, 1, -1), nil)
		gives(t, "cancel nothing", reassign(t, c, 0).ErrorCode, kerr.NoReassignmentInProgress)
		gives(t, "unknown broker", reassign(t, c, 0, 9).ErrorCode, kerr.InvalidReplicaAssignment)
		gives(t, "a broker twice", reassign(t, c, 0, 2, 2).ErrorCode, kerr.InvalidReplicaAssignment)
		gives(t, "unknown partition", reassign(t, c, 7, 2).ErrorCode, kerr.UnknownTopicOrPartition)
		going := func() []kmsg.ListPartitionReassignmentsResponseTopic {
			return ask[*kmsg.ListPartitionReassignmentsResponse](dial(t, c, 2), 0, kmsg.NewPtrListPartitionReassignmentsRequest()).Topics
		}
		must(t, c.HoldReplication(3))
		gives(t, "move", reassign(t, c, 0, 3, 2).ErrorCode, nil)
		wants(t, c, "going on", 1, []int32{1, 2}, 1, 1)
		if l := going(); len(l) != 1 || !slices.Equal(l[0].Partitions[0].AddingReplicas, []int32{3}) || !slices.Equal(l[0].Partitions[0].RemovingReplicas, []int32{1}) ||
			!slices.Equal(l[0].Partitions[0].Replicas, []int32{3, 2, 1}) {
			t.Errorf("listed %+v", l)
		}
		gives(t, "cancel", reassign(t, c, 0).ErrorCode, nil)
		if p := state(t, c); !slices.Equal(p.Replicas, []int32{2, 1}) || len(going()) != 0 {
			t.Errorf("cancelled: %+v, going on %+v", p, going())
		}
		gives(t, "move again", reassign(t, c, 0, 3, 2).ErrorCode, nil)
		must(t, c.ReleaseReplication(3))
		wants(t, c, "done", 3, []int32{2, 3}, 1, 1)
		if p := state(t, c); !slices.Equal(p.Replicas, []int32{3, 2}) || len(going()) != 0 {
			t.Errorf("done: %+v, going on %+v", p, going())
		}
		gives(t, "from what was the leader", read(t, c, 1, 11, "", 0).ErrorCode, kerr.NotLeaderForPartition)
	})
}

func TestControllerMovesWithItsBroker(t *testing.T) {
	replicated(t, nil, func(t *testing.T, c *broker.Cluster) {
		quorum := func() kmsg.DescribeQuorumResponseTopicPartition {
			req := kmsg.NewPtrDescribeQuorumRequest()
			req.Topics = []kmsg.DescribeQuorumRequestTopic{{Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}}}}
			return ask[*kmsg.DescribeQuorumResponse](dial(t, c, 2), 2, req).Topics[0].Partitions[0]
		}
		before := quorum()
		must(t, c.KillBroker(1))
		after := quorum()
		if before.LeaderID != 1 || after.LeaderID == 1 || after.LeaderEpoch <= before.LeaderEpoch || len(after.CurrentVoters) != 3 ||
			after.HighWatermark <= before.HighWatermark {
			t.Errorf("before %+v, after %+v", before, after)
		}
		req := kmsg.NewPtrDescribeQuorumRequest()
		req.Topics = []kmsg.DescribeQuorumRequestTopic{{Topic: "t", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}}}}
		gives(t, "another topic", ask[*kmsg.DescribeQuorumResponse](dial(t, c, 2), 2, req).Topics[0].Partitions[0].ErrorCode, kerr.UnknownTopicOrPartition)
	})
}

func TestUnregisteredBrokerHoldsNothingNew(t *testing.T) {
	replicated(t, nil, func(t *testing.T, c *broker.Cluster) {
		w := dial(t, c, 1)
		forget := func(id int32) int16 {
			req := kmsg.NewPtrUnregisterBrokerRequest()
			req.BrokerID = id
			return ask[*kmsg.UnregisterBrokerResponse](w, 0, req).ErrorCode
		}
		must(t, c.KillBroker(3))
		create(t, w, "before", 1, 3)
		gives(t, "unregister", forget(3), nil)
		gives(t, "again", forget(3), kerr.BrokerIDNotRegistered)
		gives(t, "unknown", forget(9), kerr.BrokerIDNotRegistered)
		req := kmsg.NewPtrCreateTopicsRequest()
		rt := kmsg.NewCreateTopicsRequestTopic()
		rt.Topic, rt.NumPartitions, rt.ReplicationFactor = "after", 1, 3
		req.Topics = append(req.Topics, rt)
		gives(t, "three replicas", ask[*kmsg.CreateTopicsResponse](w, 7, req).Topics[0].ErrorCode, kerr.InvalidReplicationFactor)
		must(t, c.StartBroker(3))
		gives(t, "once it is back", ask[*kmsg.CreateTopicsResponse](w, 7, req).Topics[0].ErrorCode, nil)
	})
}
