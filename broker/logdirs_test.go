package broker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

// three brokers and a topic of one partition on all of them.
func threeBrokers(t *testing.T, cfg broker.Config, run func(t *testing.T, cluster *broker.Cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.Brokers, cfg.Network = 3, broker.NewNetwork()
		cfg.Topics = []broker.Topic{{Name: "orders", ReplicationFactor: 3, Configs: map[string]string{"min.insync.replicas": "1"}}}
		cluster, err := broker.Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer cluster.Close()
		run(t, cluster)
	})
}

// directory returns the one directory of the broker that w speaks to.
func (w *wire) directory(topics ...kmsg.DescribeLogDirsRequestTopic) kmsg.DescribeLogDirsResponseDir {
	w.t.Helper()
	req := kmsg.NewPtrDescribeLogDirsRequest()
	req.Topics = topics
	resp := ask[*kmsg.DescribeLogDirsResponse](w, 4, req)
	if resp.ErrorCode != 0 || len(resp.Dirs) != 1 {
		w.t.Fatalf("%v, %d directories", kerr.ErrorForCode(resp.ErrorCode), len(resp.Dirs))
	}
	return resp.Dirs[0]
}

func TestDirectoryHoldsWhatTheBrokerHolds(t *testing.T) {
	threeBrokers(t, broker.Config{DiskBytes: 1 << 20}, func(t *testing.T, cluster *broker.Cluster) {
		leader, _ := cluster.Leader("orders", 0)
		raw := seal(batchOf(text("a", "b")...))
		if p := dial(t, cluster, int(leader)).produce("orders", 0, raw); p.ErrorCode != 0 {
			t.Fatal(kerr.ErrorForCode(p.ErrorCode))
		}
		for node := range 3 {
			w := dial(t, cluster, node+1)
			d := w.directory()
			if len(d.Topics) != 1 || len(d.Topics[0].Partitions) != 1 || d.Topics[0].Partitions[0].Size != int64(len(raw)) {
				t.Errorf("broker %d: %+v", node+1, d)
			}
			if d.TotalBytes != 1<<20 || d.UsableBytes != 1<<20-int64(len(raw)) {
				t.Errorf("broker %d: %d of %d bytes are left", node+1, d.UsableBytes, d.TotalBytes)
			}
			if d := w.directory(kmsg.DescribeLogDirsRequestTopic{Topic: "orders", Partitions: []int32{1}}); len(d.Topics) != 0 {
				t.Errorf("a partition that does not exist: %+v", d.Topics)
			}
			move := func(dir, topic string, partition int32) int16 {
				req := kmsg.NewPtrAlterReplicaLogDirsRequest()
				req.Dirs = []kmsg.AlterReplicaLogDirsRequestDir{{Dir: dir,
					Topics: []kmsg.AlterReplicaLogDirsRequestDirTopic{{Topic: topic, Partitions: []int32{partition}}}}}
				return ask[*kmsg.AlterReplicaLogDirsResponse](w, 2, req).Topics[0].Partitions[0].ErrorCode
			}
			for _, test := range []struct {
				dir, topic string
				partition  int32
				want       int16
			}{
				{d.Dir, "orders", 0, 0},
				{d.Dir, "orders", 7, kerr.UnknownTopicOrPartition.Code},
				{d.Dir, "nothing", 0, kerr.UnknownTopicOrPartition.Code},
				{"/nowhere", "orders", 0, kerr.LogDirNotFound.Code},
				{"/nowhere", "nothing", 0, kerr.LogDirNotFound.Code},
			} {
				if got := move(test.dir, test.topic, test.partition); got != test.want {
					t.Errorf("move %s[%d] to %s: %v, want %v", test.topic, test.partition, test.dir, kerr.ErrorForCode(got), kerr.ErrorForCode(test.want))
				}
			}
		}
	})
}

func TestFullDiskTakesTheBrokersReplicasOffline(t *testing.T) {
	for name, fill := range map[string]func(cluster *broker.Cluster, id int32) error{
		"filled by somebody else": (*broker.Cluster).FillDisk,
		"filled by its records":   func(*broker.Cluster, int32) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := broker.Config{}
			if name == "filled by its records" {
				cfg.DiskBytes = 1000
			}
			threeBrokers(t, cfg, func(t *testing.T, cluster *broker.Cluster) {
				first, _ := cluster.Leader("orders", 0)
				w := dial(t, cluster, int(first))
				w.produce("orders", 0, seal(batchOf(text("kept")...)))
				if err := fill(cluster, first); err != nil {
					t.Fatal(err)
				}
				large := seal(batchOf(kv{nil, make([]byte, 900)}))
				if p := w.produce("orders", 0, large); p.ErrorCode != kerr.KafkaStorageError.Code {
					t.Fatalf("a record for which there is no room: %v", kerr.ErrorForCode(p.ErrorCode))
				}
				synctest.Wait()
				second, _ := cluster.Leader("orders", 0)
				if second == first || second < 0 {
					t.Fatalf("broker %d leads after the directory of %d has failed", second, first)
				}
				if d := w.directory(); d.ErrorCode != kerr.KafkaStorageError.Code {
					t.Errorf("the failed directory: %v", kerr.ErrorForCode(d.ErrorCode))
				}
				if p := w.produce("orders", 0, seal(batchOf(text("b")...))); p.ErrorCode != kerr.KafkaStorageError.Code {
					t.Errorf("the failed broker: %v", kerr.ErrorForCode(p.ErrorCode))
				}
				if p := dial(t, cluster, int(second)).produce("orders", 0, seal(batchOf(text("b")...))); p.ErrorCode != 0 || p.BaseOffset != 1 {
					t.Errorf("the new leader: %v, offset %d", kerr.ErrorForCode(p.ErrorCode), p.BaseOffset)
				}
				for id := range int32(3) { // nobody else is left, and the failed broker leads for no price
					if id+1 != first {
						if err := cluster.KillBroker(id + 1); err != nil {
							t.Fatal(err)
						}
					}
				}
				_ = cluster.ElectLeader("orders", 0, true)
				if leader, _ := cluster.Leader("orders", 0); leader == first {
					t.Errorf("broker %d leads what it has given up", first)
				}
				for id := range int32(3) {
					if id+1 != first {
						if err := cluster.StartBroker(id + 1); err != nil {
							t.Fatal(err)
						}
					}
				}
				// Room alone brings nothing back: the broker has to start again.
				if err := cluster.FreeDisk(first); err != nil {
					t.Fatal(err)
				}
				if d := w.directory(); d.ErrorCode != kerr.KafkaStorageError.Code {
					t.Errorf("the failed directory after there is room: %v", kerr.ErrorForCode(d.ErrorCode))
				}
				if err := cluster.KillBroker(first); err != nil {
					t.Fatal(err)
				}
				if err := cluster.StartBroker(first); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				w = dial(t, cluster, int(first))
				if d := w.directory(); d.ErrorCode != 0 || len(d.Topics) != 1 {
					t.Errorf("the directory after a start: %+v", d)
				}
				if records, err := cluster.Records("orders", 0); err != nil || len(records) != 2 {
					t.Errorf("%d records, %v", len(records), err)
				}
			})
		})
	}
}

func TestDeletingRecordsWaitsForEveryReplica(t *testing.T) {
	threeBrokers(t, broker.Config{}, func(t *testing.T, cluster *broker.Cluster) {
		leader, _ := cluster.Leader("orders", 0)
		w := dial(t, cluster, int(leader))
		w.produce("orders", 0, seal(batchOf(text("a", "b", "c", "d")...)))
		follower := leader%3 + 1
		if err := cluster.HoldReplication(follower); err != nil {
			t.Fatal(err)
		}
		del := func(to int64) (kmsg.DeleteRecordsResponseTopicPartition, time.Duration) {
			req := kmsg.NewPtrDeleteRecordsRequest()
			req.TimeoutMillis = 5000
			req.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: "orders", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Offset: to}}}}
			begin := time.Now()
			return ask[*kmsg.DeleteRecordsResponse](w, 2, req).Topics[0].Partitions[0], time.Since(begin)
		}
		if p, took := del(2); p.ErrorCode != kerr.RequestTimedOut.Code || p.LowWatermark != -1 || took != 5*time.Second {
			t.Errorf("with a replica that does not fetch: %v, low watermark %d after %v", kerr.ErrorForCode(p.ErrorCode), p.LowWatermark, took)
		}
		go func() {
			time.Sleep(2 * time.Second)
			if err := cluster.ReleaseReplication(follower); err != nil {
				t.Error(err)
			}
		}()
		if p, took := del(3); p.ErrorCode != 0 || p.LowWatermark != 3 || took != 2*time.Second {
			t.Errorf("with a replica that fetches later: %v, low watermark %d after %v", kerr.ErrorForCode(p.ErrorCode), p.LowWatermark, took)
		}
	})
}
