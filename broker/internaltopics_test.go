package broker_test

import (
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

const (
	offsetsTopic      = "__consumer_offsets"
	transactionsTopic = "__transaction_state"
)

// findCoordinator asks the first broker that runs for a coordinator.
func findCoordinator(t *testing.T, w *wire, kind int8, key string) int32 {
	t.Helper()
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorType, req.CoordinatorKeys = kind, []string{key}
	resp := ask[*kmsg.FindCoordinatorResponse](w, 4, req)
	if code := resp.Coordinators[0].ErrorCode; code != 0 {
		t.Fatalf("find coordinator of %s: %d", key, code)
	}
	return resp.Coordinators[0].NodeID
}

// listed returns what Metadata says of all topics, by name.
func listed(w *wire) map[string]kmsg.MetadataResponseTopic {
	w.t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = nil
	topics := make(map[string]kmsg.MetadataResponseTopic)
	for _, topic := range ask[*kmsg.MetadataResponse](w, 12, req).Topics {
		topics[*topic.Topic] = topic
	}
	return topics
}

func TestInternalTopicsExistFromTheFirstCoordinatorOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := start(t, broker.Config{Brokers: 3, Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders"}}})
		w := dial(t, cluster, 1)
		if n := len(listed(w)); n != 1 {
			t.Fatalf("%d topics before anybody has asked for a coordinator", n)
		}
		findCoordinator(t, w, 0, "billing")
		all := listed(w)
		if topic, ok := all[offsetsTopic]; !ok || !topic.IsInternal || len(topic.Partitions) != 50 {
			t.Errorf("%s: listed %t, internal %t, %d partitions", offsetsTopic, ok, topic.IsInternal, len(topic.Partitions))
		}
		if _, ok := all[transactionsTopic]; ok || all["orders"].IsInternal {
			t.Error("a group brought transactions about, or orders is internal")
		}
		findCoordinator(t, w, 1, "payments")
		if topic, ok := listed(w)[transactionsTopic]; !ok || !topic.IsInternal || len(topic.Partitions) != 50 {
			t.Errorf("%s: listed %t, internal %t, %d partitions", transactionsTopic, ok, topic.IsInternal, len(topic.Partitions))
		}
		if got := cluster.Topics(); len(got) != 1 {
			t.Errorf("topics of the test: %v", got)
		}
		req := kmsg.NewPtrDescribeConfigsRequest()
		req.Resources = append(req.Resources, kmsg.DescribeConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: offsetsTopic,
			ConfigNames: []string{"cleanup.policy", "segment.bytes"}})
		got := make(map[string]string)
		for _, c := range ask[*kmsg.DescribeConfigsResponse](w, 4, req).Resources[0].Configs {
			got[c.Name] = *c.Value
		}
		if got["cleanup.policy"] != "compact" || got["segment.bytes"] != "104857600" {
			t.Errorf("settings of %s: %v", offsetsTopic, got)
		}
	})
}

// Which partitions belong to the group billing and to the transactional id payments: |String.hashCode()| modulo 50.
const (
	offsetsOfBilling       = 9
	transactionsOfPayments = 13
)

func TestCoordinatorLeadsItsPartitionOfTheInternalTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := start(t, broker.Config{Brokers: 3, Network: broker.NewNetwork()})
		if err := cluster.MoveCoordinator("billing", 2); err != nil { // before there is a partition
			t.Fatal(err)
		}
		check := func(when string) int32 {
			t.Helper()
			id := cluster.Coordinator("billing")
			if leader, _ := cluster.Leader(offsetsTopic, offsetsOfBilling); leader != id {
				t.Errorf("%s: broker %d leads the partition, broker %d coordinates", when, leader, id)
			}
			return id
		}
		for id := int32(1); id <= 3; id++ {
			findCoordinator(t, dial(t, cluster, int(id)), 0, "billing")
		}
		if id := check("moved before"); id != 2 {
			t.Errorf("broker %d coordinates, it was moved to 2", id)
		}
		if err := cluster.MoveCoordinator("billing", 3); err != nil {
			t.Fatal(err)
		}
		if id := check("moved"); id != 3 {
			t.Errorf("broker %d coordinates, it was moved to 3", id)
		}
		if err := cluster.KillBroker(3); err != nil {
			t.Fatal(err)
		}
		heir := check("killed")
		if heir == 3 {
			t.Error("a broker coordinates that was killed")
		}
		if err := cluster.StartBroker(3); err != nil {
			t.Fatal(err)
		}
		if id := check("started"); id != heir {
			t.Errorf("broker %d coordinates, %d had taken over", id, heir)
		}
		if err := cluster.MoveCoordinator("billing", 2); err != nil {
			t.Fatal(err)
		}
		req := kmsg.NewPtrElectLeadersRequest()
		if code := ask[*kmsg.ElectLeadersResponse](dial(t, cluster, 1), 2, req).ErrorCode; code != 0 {
			t.Fatalf("elect: %d", code)
		}
		if id := check("preferred leaders elected"); id != 1 {
			t.Errorf("broker %d coordinates, the preferred leader is 1", id)
		}
	})
}

func TestTransactionCoordinatorLeadsItsPartitionOfTheInternalTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := start(t, broker.Config{Brokers: 3, Network: broker.NewNetwork()})
		w := dial(t, cluster, 1)
		find := func() int32 { return findCoordinator(t, w, 1, "payments") }
		find()
		move := func(to int32) {
			if err := cluster.MoveTxnCoordinator("payments", to); err != nil {
				t.Fatal(err)
			}
		}
		for _, to := range []int32{2, 3, 1} {
			move(to)
			if leader, _ := cluster.Leader(transactionsTopic, transactionsOfPayments); leader != to || find() != to {
				t.Errorf("moved to %d: broker %d leads the partition, %d coordinates", to, leader, find())
			}
		}
		move(1)
		if code := ask[*kmsg.ElectLeadersResponse](w, 2, kmsg.NewPtrElectLeadersRequest()).ErrorCode; code != 0 {
			t.Fatalf("elect: %d", code)
		}
		if leader, _ := cluster.Leader(transactionsTopic, transactionsOfPayments); leader != find() || leader != 2 {
			t.Errorf("preferred leaders elected: broker %d leads, %d coordinates", leader, find())
		}
		move(3)
		if err := cluster.KillBroker(3); err != nil {
			t.Fatal(err)
		}
		if leader, _ := cluster.Leader(transactionsTopic, transactionsOfPayments); leader != find() || leader == 3 {
			t.Errorf("killed: broker %d leads, %d coordinates", leader, find())
		}
	})
}

func TestInternalTopicsTakeNoRecordsFromClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := start(t, broker.Config{Network: broker.NewNetwork()})
		w := dial(t, cluster, 1)
		findCoordinator(t, w, 0, "billing")
		raw := seal(batchOf(kv{[]byte("k"), []byte("v")}))
		if code := w.produce(offsetsTopic, 0, raw).ErrorCode; code != kerr.InvalidTopicException.Code {
			t.Errorf("produce: %d", code)
		}
		w.name = "__admin_client"
		if code := w.produce(offsetsTopic, 0, raw).ErrorCode; code != 0 {
			t.Errorf("produce as the admin client: %d", code)
		}
		req := kmsg.NewPtrDeleteRecordsRequest()
		req.Topics = append(req.Topics, kmsg.DeleteRecordsRequestTopic{Topic: offsetsTopic,
			Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: 0, Offset: 1}}})
		if code := ask[*kmsg.DeleteRecordsResponse](w, 2, req).Topics[0].Partitions[0].ErrorCode; code != kerr.InvalidTopicException.Code {
			t.Errorf("delete records: %d", code)
		}
	})
}
