package broker_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

// What these claim Apache Kafka 4.3.1 was seen to do, when the same requests were sent to both (integration/differential).

func TestProducersAreToldTheLeaderFromVersionTenOn(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		leader, epoch := cluster.Leader("orders", 0)
		w := dial(t, cluster, int(leader%3+1))
		for version, want := range map[int16]kmsg.ProduceResponseTopicPartitionCurrentLeader{9: {LeaderID: -1, LeaderEpoch: -1}, 10: {LeaderID: leader, LeaderEpoch: epoch}} {
			p := ask[*kmsg.ProduceResponse](w, version, produceRequest("orders", 0, seal(batchOf(text("a")...)))).Topics[0].Partitions[0]
			if p.ErrorCode != kerr.NotLeaderForPartition.Code || p.CurrentLeader.LeaderID != want.LeaderID || p.CurrentLeader.LeaderEpoch != want.LeaderEpoch {
				t.Errorf("version %d: %+v, want the leader %+v", version, p, want)
			}
		}
	})
}

func TestCursorsThatAreNowhereAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		for what, test := range map[string]struct {
			topics    []string
			cursor    string
			partition int32
			want      int16
		}{
			"in the list":     {[]string{"orders", "others"}, "orders", 1, 0},
			"negative":        {[]string{"orders", "others"}, "orders", -1, kerr.InvalidRequest.Code},
			"not in the list": {[]string{"orders"}, "others", 0, kerr.InvalidRequest.Code},
			"beyond the end":  {[]string{"orders", "others"}, "orders", 9, 0},
		} {
			req := kmsg.NewPtrDescribeTopicPartitionsRequest()
			for _, name := range test.topics {
				req.Topics = append(req.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: name})
			}
			c := kmsg.NewDescribeTopicPartitionsRequestCursor()
			c.Topic, c.Partition = test.cursor, test.partition
			req.ResponsePartitionLimit, req.Cursor = 10, &c
			code := int16(0)
			for _, topic := range ask[*kmsg.DescribeTopicPartitionsResponse](dial(t, cluster, 1), 0, req).Topics {
				code = max(code, topic.ErrorCode)
			}
			if code != test.want {
				t.Errorf("a cursor %s: error code %d, want %d", what, code, test.want)
			}
		}
	})
}

func TestQuorumOfNothingIsNobodys(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		resp := ask[*kmsg.DescribeQuorumResponse](dial(t, cluster, 1), 2, kmsg.NewPtrDescribeQuorumRequest())
		if resp.ErrorCode != 0 || len(resp.Topics) != 0 || len(resp.Nodes) != 0 {
			t.Errorf("%+v", resp)
		}
	})
}

func TestProducersAreDescribedByTheirClientsTime(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		leader, _ := cluster.Leader("others", 0)
		w := dial(t, cluster, int(leader))
		b := batchOf(text("a")...)
		b.ProducerID, b.ProducerEpoch, b.FirstSequence = 7, 0, 0
		stamp := b.MaxTimestamp
		time.Sleep(time.Minute)
		if p := w.produce("others", 0, seal(b)); p.ErrorCode != 0 {
			t.Fatal(kerr.ErrorForCode(p.ErrorCode))
		}
		req := &kmsg.DescribeProducersRequest{Topics: []kmsg.DescribeProducersRequestTopic{{Topic: "others", Partitions: []int32{0}}}}
		got := ask[*kmsg.DescribeProducersResponse](w, 0, req).Topics[0].Partitions[0].ActiveProducers
		if len(got) != 1 || got[0].LastTimestamp != stamp {
			t.Errorf("producers %+v, the batch was stamped %d", got, stamp)
		}
	})
}
