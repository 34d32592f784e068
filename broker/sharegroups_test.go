package broker_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

// setGroup alters settings of a group.
func setGroup(t *testing.T, cluster *broker.Cluster, group string, settings ...string) {
	t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	q := kmsg.NewIncrementalAlterConfigsRequestResource()
	q.ResourceType, q.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
	for i := 0; i < len(settings); i += 2 {
		q.Configs = append(q.Configs, kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: settings[i], Value: &settings[i+1]})
	}
	req.Resources = append(req.Resources, q)
	if r := ask[*kmsg.IncrementalAlterConfigsResponse](dial(t, cluster, 1), 1, req).Resources[0]; r.ErrorCode != 0 {
		t.Fatalf("settings of %s: %s", group, *r.ErrorMessage)
	}
}

// sharer is an unmodified client that is a member of a share group.
func sharer(t *testing.T, cluster *broker.Cluster, group string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(cluster.Addrs()...), kgo.Dialer(cluster.Dial), kgo.ShareGroup(group), kgo.ConsumeTopics("orders")}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// polled reads until n records have come, or for two minutes, and says of each what becomes of it.
func polled(t *testing.T, cl *kgo.Client, n int, says func(i int, r *kgo.Record)) (all []*kgo.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for len(all) < n && ctx.Err() == nil {
		for _, r := range cl.PollFetches(ctx).Records() {
			says(len(all), r)
			all = append(all, r)
		}
	}
	return all
}

func accept(_ int, r *kgo.Record) { r.Ack(kgo.AckAccept) }

func nothing(int, *kgo.Record) {}

func fill(t *testing.T, cluster *broker.Cluster, partitions, n int) {
	t.Helper()
	for i := range n {
		if p := dial(t, cluster, leaderOf(t, cluster, "orders", int32(i%partitions))).produce("orders", int32(i%partitions), seal(batchOf(text(fmt.Sprint("r", i))...))); p.ErrorCode != 0 {
			t.Fatalf("produce: %d", p.ErrorCode)
		}
	}
}

func leaderOf(t *testing.T, cluster *broker.Cluster, topic string, partition int32) int {
	t.Helper()
	p, err := cluster.Partition(topic, partition)
	if err != nil {
		t.Fatal(err)
	}
	return int(p.Leader)
}

// lagOf is where a share group reads a partition, and how much it has before it.
func lagOf(t *testing.T, cluster *broker.Cluster, group string, partition int32) (start, lag int64) {
	t.Helper()
	req := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
	g := kmsg.NewDescribeShareGroupOffsetsRequestGroup()
	g.GroupID = group
	g.Topics = []kmsg.DescribeShareGroupOffsetsRequestGroupTopic{{Topic: "orders", Partitions: []int32{partition}}}
	req.Groups = append(req.Groups, g)
	p := ask[*kmsg.DescribeShareGroupOffsetsResponse](dial(t, cluster, leaderOf(t, cluster, "orders", partition)), 1, req).Groups[0].Topics[0].Partitions[0]
	return p.StartOffset, p.Lag
}

func TestMembersOfAShareGroupShareRecords(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		setGroup(t, cluster, "g", "share.auto.offset.reset", "earliest")
		fill(t, cluster, 3, 60)
		var mu sync.Mutex
		seen, who := make(map[string]int), make(map[int]int)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		for n := range 4 { // more than there are partitions
			cl := sharer(t, cluster, "g", kgo.ShareMaxRecords(2))
			wg.Go(func() {
				for ctx.Err() == nil {
					for _, r := range cl.PollFetches(ctx).Records() {
						r.Ack(kgo.AckAccept)
						mu.Lock()
						seen[string(r.Value)]++
						who[n]++
						if len(seen) == 60 {
							cancel()
						}
						mu.Unlock()
						time.Sleep(time.Second)
					}
					_ = cl.FlushAcks(t.Context())
				}
			})
		}
		wg.Wait()
		if len(seen) != 60 || len(who) != 4 {
			t.Errorf("%d records came to %d members", len(seen), len(who))
		}
		for v, n := range seen {
			if n > 1 {
				t.Errorf("%s came %d times", v, n)
			}
		}
	})
}

func TestAShareMemberThatDiesGivesItsRecordsBack(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		setGroup(t, cluster, "g", "share.auto.offset.reset", "earliest")
		fill(t, cluster, 3, 3)
		first := sharer(t, cluster, "g")
		if n := len(polled(t, first, 3, nothing)); n != 3 {
			t.Fatalf("%d records", n)
		}
		first.CloseAllowingRebalance()
		second := sharer(t, cluster, "g")
		for _, r := range polled(t, second, 3, accept) {
			if r.DeliveryCount() != 2 {
				t.Errorf("%s is delivered for the %dth time", r.Value, r.DeliveryCount())
			}
		}
		if err := second.FlushAcks(t.Context()); err != nil {
			t.Fatal(err)
		}
		for p := range int32(3) {
			if _, lag := lagOf(t, cluster, "g", p); lag != 0 {
				t.Errorf("partition %d: lag %d", p, lag)
			}
		}
	})
}

// The broker that led the partition dies with what it knew; what was written down is enough for the next one to go on.
func TestAShareGroupOutlivesALeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := start(t, broker.Config{Brokers: 3, Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders", Partitions: 1, ReplicationFactor: 3}}})
		setGroup(t, cluster, "g", "share.auto.offset.reset", "earliest")
		fill(t, cluster, 1, 10)
		cl := sharer(t, cluster, "g", kgo.ShareMaxRecords(1))
		ended := make(map[int64]bool)
		polled(t, cl, 6, func(i int, r *kgo.Record) {
			if i%2 == 0 {
				r.Ack(kgo.AckAccept)
				ended[r.Offset] = true
			} else {
				r.Ack(kgo.AckRelease)
			}
		})
		if err := cl.FlushAcks(t.Context()); err != nil {
			t.Fatal(err)
		}
		leader := int32(leaderOf(t, cluster, "orders", 0))
		if err := cluster.KillBroker(leader); err != nil {
			t.Fatal(err)
		}
		seen := make(map[int64]bool)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		for len(seen)+len(ended) < 10 && ctx.Err() == nil {
			for _, r := range cl.PollFetches(ctx).Records() {
				if ended[r.Offset] {
					t.Errorf("record %d had ended, and is delivered", r.Offset)
				}
				seen[r.Offset] = true
				r.Ack(kgo.AckAccept)
			}
			_ = cl.FlushAcks(ctx)
		}
		if len(seen) != 10-len(ended) {
			t.Errorf("%d records came after the leader died, want %d", len(seen), 10-len(ended))
		}
		if other := leaderOf(t, cluster, "orders", 0); other == int(leader) {
			t.Errorf("broker %d still leads", leader)
		}
	})
}

func TestAShareGroupBeginsWhereItsSettingSays(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		fill(t, cluster, 1, 2)
		time.Sleep(time.Hour)
		fill(t, cluster, 1, 2)
		for group, reset := range map[string]string{"latest": "latest", "earliest": "earliest", "back": "by_duration:PT30M"} {
			setGroup(t, cluster, group, "share.auto.offset.reset", reset)
		}
		begin := map[string]int{"latest": 0, "earliest": 4, "back": 2}
		var clients []*kgo.Client
		for _, group := range []string{"latest", "earliest", "back"} {
			clients = append(clients, sharer(t, cluster, group))
		}
		time.Sleep(time.Minute) // by now every group has begun
		synctest.Wait()
		fill(t, cluster, 1, 1)
		for i, group := range []string{"latest", "earliest", "back"} {
			first := int64(5)
			for _, r := range polled(t, clients[i], begin[group]+1, accept) {
				first = min(first, r.Offset)
			}
			if want := int64(4 - begin[group]); first != want {
				t.Errorf("%s: begins at %d, want %d", group, first, want)
			}
		}
	})
}

// What Apache Kafka 4.3.1 answers to requests about sessions and members that are not as they should be.
func TestShareRequestsAreRefusedAsKafkaDoes(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		node := leaderOf(t, cluster, "orders", 0)
		w := dial(t, cluster, node)
		group, member := "g", "7b0cbf04-8c53-4f1e-a3ae-5a3bd8dcb3a1"
		fetch := func(epoch int32, change func(*kmsg.ShareFetchRequest)) *kmsg.ShareFetchResponse {
			req := kmsg.NewPtrShareFetchRequest()
			req.GroupID, req.MemberID, req.ShareSessionEpoch = &group, &member, epoch
			req.MaxBytes, req.MaxRecords, req.BatchSize = 1<<20, 100, 100
			if change != nil {
				change(req)
			}
			return ask[*kmsg.ShareFetchResponse](w, 2, req)
		}
		acknowledge := func(epoch int32) int16 {
			req := kmsg.NewPtrShareAcknowledgeRequest()
			req.GroupID, req.MemberID, req.ShareSessionEpoch = &group, &member, epoch
			return ask[*kmsg.ShareAcknowledgeResponse](w, 2, req).ErrorCode
		}
		topic := func(id [16]byte, acks ...kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch) func(*kmsg.ShareFetchRequest) {
			return func(req *kmsg.ShareFetchRequest) {
				p := kmsg.NewShareFetchRequestTopicPartition()
				p.AcknowledgementBatches = acks
				req.Topics = append(req.Topics, kmsg.ShareFetchRequestTopic{TopicID: id, Partitions: []kmsg.ShareFetchRequestTopicPartition{p}})
			}
		}
		orders := idOf(t, cluster, "orders")
		ack := kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch{FirstOffset: 0, LastOffset: 0, AcknowledgeTypes: []int8{1}}
		codes := func(what string, got int16, want *kerr.Error) {
			t.Helper()
			if kerr.TypedErrorForCode(got) != want {
				t.Errorf("%s: %v, want %v", what, kerr.ErrorForCode(got), want)
			}
		}
		codes("an epoch of no session", fetch(1, nil).ErrorCode, kerr.ShareSessionNotFound)
		codes("the end of no session", fetch(-1, nil).ErrorCode, kerr.ShareSessionNotFound)
		codes("acknowledgements with a first epoch", acknowledge(0), kerr.InvalidShareSessionEpoch)
		codes("acknowledgements of no session", acknowledge(1), kerr.ShareSessionNotFound)
		codes("acknowledgements in a first fetch", fetch(0, topic(orders, ack)).ErrorCode, kerr.InvalidRequest)
		codes("no group", fetch(0, func(r *kmsg.ShareFetchRequest) { r.GroupID = nil }).ErrorCode, kerr.InvalidRequest)
		codes("no member", fetch(0, func(r *kmsg.ShareFetchRequest) { r.MemberID = nil }).ErrorCode, kerr.InvalidRequest)
		codes("a renewal that fetches", fetch(0, func(r *kmsg.ShareFetchRequest) { r.IsRenewAck = true }).ErrorCode, kerr.InvalidRequest)

		first := fetch(0, topic(orders))
		codes("a first fetch", first.ErrorCode, nil)
		codes("a partition whose group nobody has joined", first.Topics[0].Partitions[0].ErrorCode, kerr.UnknownServerError)
		codes("a wrong epoch", fetch(3, nil).ErrorCode, kerr.InvalidShareSessionEpoch)
		next := fetch(1, topic([16]byte{9}))
		codes("a topic that is not there", next.Topics[slices.IndexFunc(next.Topics, func(t kmsg.ShareFetchResponseTopic) bool { return t.TopicID == [16]byte{9} })].Partitions[0].ErrorCode, kerr.UnknownTopicID)
		said := fetch(2, topic(orders, ack))
		codes("an acknowledgement of what was not fetched", said.Topics[0].Partitions[0].AcknowledgeErrorCode, kerr.UnknownTopicOrPartition)
		if said.AcquisitionLockTimeoutMillis != 30_000 {
			t.Errorf("the lock lasts %d ms", said.AcquisitionLockTimeoutMillis)
		}
		codes("the end", fetch(-1, nil).ErrorCode, nil)
		codes("after the end", fetch(4, nil).ErrorCode, kerr.ShareSessionNotFound)
	})
}

// idOf is the id of a topic.
func idOf(t *testing.T, cluster *broker.Cluster, topic string) [16]byte {
	t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{{Topic: &topic}}
	return ask[*kmsg.MetadataResponse](dial(t, cluster, 1), 12, req).Topics[0].TopicID
}

func TestARecordOfAShareGroupIsPersistedInKafkasTopic(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		setGroup(t, cluster, "g", "share.auto.offset.reset", "earliest")
		fill(t, cluster, 1, 3)
		cl := sharer(t, cluster, "g")
		polled(t, cl, 3, accept)
		if err := cl.FlushAcks(t.Context()); err != nil {
			t.Fatal(err)
		}
		kinds := make(map[byte]int)
		for p := range int32(50) {
			recs, err := cluster.Records("__share_group_state", p)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range recs {
				kinds[r.Key[1]]++
			}
		}
		if kinds[0] != 3 || kinds[1] == 0 { // a snapshot of each partition, and updates of the one that was read
			t.Errorf("snapshots and updates: %v", kinds)
		}
		if start, lag := lagOf(t, cluster, "g", 0); start != 0 || lag != 0 {
			t.Errorf("start %d, lag %d", start, lag) // the start is written down with what ends next
		}
	})
}
