package broker_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/internal/txn"
)

// What is expected is what Apache Kafka 4.3.1 wrote for the same clients.

// offsetsOfShipping and transactionsOfTx are the partitions of the group shipping and the transactional id tx.
const (
	offsetsOfShipping = 8
	transactionsOfTx  = 16
)

// logOf returns the records of a partition of an internal topic.
func logOf(t *testing.T, cluster *broker.Cluster, topic string, partition int32) []broker.Record {
	t.Helper()
	all, err := cluster.LogRecords(topic, partition)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestOffsetsAndMembersAreWrittenDownAsKafkaDoes(t *testing.T) {
	cluster := start(t, broker.Config{Brokers: 3, Topics: []broker.Topic{{Name: "orders"}}})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.Addrs()...), kgo.ClientID("me"), kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"),
		kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: []byte("a")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := client.CommitRecords(ctx, client.PollFetches(ctx).Records()...); err != nil {
		t.Fatal(err)
	}
	client.Close()
	log := logOf(t, cluster, offsetsTopic, offsetsOfBilling)
	if len(log) != 4 {
		t.Fatalf("%d records, want the empty group, its member, the offset, the empty group", len(log))
	}
	members := make([]kmsg.GroupMetadataValue, 0, 3)
	for _, i := range []int{0, 1, 3} {
		var k kmsg.GroupMetadataKey
		v := kmsg.NewGroupMetadataValue()
		if err := k.ReadFrom(log[i].Key); err != nil || k.Version != 2 || k.Group != "billing" {
			t.Errorf("record %d: key %+v, %v", i, k, err)
		}
		if err := v.ReadFrom(log[i].Value); err != nil || v.Version != 3 {
			t.Errorf("record %d: value %+v, %v", i, v, err)
		}
		members = append(members, v)
	}
	if v := members[0]; v.Generation != 0 || v.ProtocolType != "" || len(v.Members) != 0 {
		t.Errorf("to begin with: %+v", v)
	}
	if v := members[1]; v.Generation != 1 || v.ProtocolType != "consumer" || v.Protocol == nil || *v.Protocol != "cooperative-sticky" || v.Leader == nil ||
		len(v.Members) != 1 || v.Members[0].MemberID != *v.Leader || v.Members[0].ClientID != "me" || v.Members[0].ClientHost != "/127.0.0.1" ||
		v.Members[0].SessionTimeoutMillis != 45_000 || len(v.Members[0].Subscription) == 0 || len(v.Members[0].Assignment) == 0 {
		t.Errorf("with a member: %+v", v)
	}
	if v := members[2]; v.Generation != 2 || v.Protocol != nil || v.Leader != nil || len(v.Members) != 0 {
		t.Errorf("in the end: %+v", v)
	}
	var k kmsg.OffsetCommitKey
	v := kmsg.NewOffsetCommitValue()
	if err := k.ReadFrom(log[2].Key); err != nil || k.Version != 1 || k.Group != "billing" || k.Topic != "orders" || k.Partition != 0 {
		t.Errorf("offset: key %+v, %v", k, err)
	}
	if err := v.ReadFrom(log[2].Value); err != nil || v.Version != 4 || v.Offset != 1 || v.LeaderEpoch != 0 || v.TopicID == [16]byte{} {
		t.Errorf("offset: value %+v, %v", v, err)
	}
	if err := cluster.KillBroker(cluster.Coordinator("billing")); err != nil { // who takes over has it
		t.Fatal(err)
	}
	if got := logOf(t, cluster, offsetsTopic, offsetsOfBilling); len(got) != 4 {
		t.Fatalf("the next coordinator has %d records", len(got))
	}
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = []string{"billing"}
	if code := ask[*kmsg.DeleteGroupsResponse](dial(t, cluster, int(cluster.Coordinator("billing"))), 2, req).Groups[0].ErrorCode; code != 0 {
		t.Fatalf("delete: %d", code)
	}
	log = logOf(t, cluster, offsetsTopic, offsetsOfBilling)[4:]
	if len(log) != 2 || log[0].Value != nil || log[1].Value != nil || string(log[0].Key) == string(log[1].Key) {
		t.Errorf("deleted: %v, want a tombstone for the offset and one for the members", log)
	}
}

func TestTransactionsAreWrittenDownAsKafkaDoes(t *testing.T) {
	cluster := start(t, broker.Config{Topics: []broker.Topic{{Name: "orders"}}})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(cluster.Addrs()...), kgo.ConsumerGroup("shipping"), kgo.ConsumeTopics("orders"),
		kgo.TransactionalID("tx"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p, err := kgo.NewClient(kgo.SeedBrokers(cluster.Addrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: []byte("a")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if s.PollFetches(ctx).NumRecords() != 1 {
		t.Fatal("no record")
	}
	if err := s.Begin(); err != nil {
		t.Fatal(err)
	}
	if err := s.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: []byte("b")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	txn.AwaitPartitions(s.Client(), "orders")
	if committed, err := s.End(ctx, kgo.TryCommit); !committed || err != nil {
		t.Fatalf("committed %t, %v", committed, err)
	}
	if err := cluster.WaitTransaction(ctx, "tx", broker.TransactionCompleteCommit); err != nil {
		t.Fatal(err)
	}
	var states []kmsg.TransactionState
	for _, r := range logOf(t, cluster, transactionsTopic, transactionsOfTx) {
		var k kmsg.TxnMetadataKey
		v := kmsg.NewTxnMetadataValue()
		if err := k.ReadFrom(r.Key); err != nil || k.Version != 0 || k.TransactionalID != "tx" {
			t.Errorf("key %+v, %v", k, err)
		}
		if err := v.ReadFrom(r.Value); err != nil || v.Version != 1 || v.TimeoutMillis != 40_000 || v.PreviousProducerID != v.ProducerID {
			t.Errorf("value %+v, %v", v, err)
		}
		if partitions := 0; v.State == kmsg.TransactionStatePrepareCommit {
			for _, topic := range v.Topics {
				partitions += len(topic.Partitions)
			}
			if partitions != 2 || v.ProducerEpoch != 1 || v.ClientTransactionVersion != 2 {
				t.Errorf("when it commits: %+v", v)
			}
		}
		states = append(states, v.State)
	}
	want := []kmsg.TransactionState{kmsg.TransactionStateEmpty, kmsg.TransactionStateOngoing, kmsg.TransactionStateOngoing,
		kmsg.TransactionStatePrepareCommit, kmsg.TransactionStateCompleteCommit}
	if !slices.Equal(states, want) {
		t.Errorf("states %v, want %v", states, want)
	}
	var offset, marker bool
	for _, r := range logOf(t, cluster, offsetsTopic, offsetsOfShipping) {
		marker = marker || r.Marker && r.Txn == broker.TxnCommitted
		offset = offset || !r.Marker && r.Txn == broker.TxnCommitted && r.ProducerEpoch == 0 && r.Key[1] == 1
	}
	if !offset || !marker {
		t.Errorf("offset in the transaction: %t, its marker: %t", offset, marker)
	}
}
