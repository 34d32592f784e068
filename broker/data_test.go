package broker_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/internal/files/crashfs"
	"github.com/sordini-go/sordini/internal/txn"
)

const dataDir = "/data"

// startOn starts a cluster that keeps its data on a file system of a test.
func startOn(t *testing.T, cfg broker.Config, disk *crashfs.FS) *broker.Cluster {
	t.Helper()
	cfg.DataDir = dataDir
	cluster, err := broker.StartOn(cfg, disk)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cluster.Close() })
	return cluster
}

// ask sends a request to a cluster and fails the test where it is not answered.
func request[T kmsg.Response](ctx context.Context, t *testing.T, client *kgo.Client, req kmsg.Request) T {
	t.Helper()
	resp, err := client.Request(ctx, req)
	if err != nil {
		t.Fatalf("%s: %v", kmsg.NameForKey(req.Key()), err)
	}
	return resp.(T)
}

// inhabit does something of everything that a cluster remembers.
func inhabit(ctx context.Context, t *testing.T, cluster *broker.Cluster) {
	t.Helper()
	client := txnClient(t, cluster, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.DisableAutoCommit())
	create := kmsg.NewPtrCreateTopicsRequest()
	create.TimeoutMillis = 1000
	for _, name := range []string{"payments", "gone"} {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 2, 1
		topic.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms", Value: kmsg.StringPtr("86400000")}}
		create.Topics = append(create.Topics, topic)
	}
	request[*kmsg.CreateTopicsResponse](ctx, t, client, create)
	for i := range 30 {
		for _, topic := range []string{"orders", "payments", "gone"} {
			r := &kgo.Record{Topic: topic, Partition: int32(i % 2), Key: fmt.Append(nil, i), Value: fmt.Append(nil, topic, i)}
			if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := kmsg.NewPtrDeleteTopicsRequest()
	remove.TimeoutMillis = 1000
	remove.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: kmsg.StringPtr("gone")}}
	request[*kmsg.DeleteTopicsResponse](ctx, t, client, remove)
	cut := kmsg.NewPtrDeleteRecordsRequest()
	cut.TimeoutMillis = 1000
	cut.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: "payments", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: 0, Offset: 3}}}}
	request[*kmsg.DeleteRecordsResponse](ctx, t, client, cut)
	var got []*kgo.Record
	for len(got) < 30 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		got = append(got, fetches.Records()...)
	}
	if err := client.CommitRecords(ctx, got[:20]...); err != nil {
		t.Fatal(err)
	}
	for i, commit := range []bool{true, false, true} {
		tx := txnClient(t, cluster, kgo.TransactionalID(fmt.Sprint("tx-", i)), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err := tx.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := tx.ProduceSync(ctx, &kgo.Record{Topic: "payments", Partition: 1, Value: fmt.Append(nil, "txn ", i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		txn.AwaitPartitions(tx, "payments")
		if i == 2 {
			break // this one stays open
		}
		if err := tx.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
			t.Fatal(err)
		}
	}
	for id, state := range map[string]broker.TransactionState{"tx-0": broker.TransactionCompleteCommit, "tx-1": broker.TransactionCompleteAbort} {
		if err := cluster.WaitTransaction(ctx, id, state); err != nil {
			t.Fatal(err)
		}
	}
	govern(ctx, t, client)
}

// govern changes settings, quotas, users and ACLs.
func govern(ctx context.Context, t *testing.T, client *kgo.Client) {
	t.Helper()
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	for _, r := range []struct {
		kind             kmsg.ConfigResourceType
		name, key, value string
	}{
		{kmsg.ConfigResourceTypeTopic, "orders", "max.message.bytes", "54321"},
		{kmsg.ConfigResourceTypeBroker, "", "log.retention.ms", "777777777"},
		{kmsg.ConfigResourceTypeGroupConfig, "billing", "consumer.session.timeout.ms", "47000"},
	} {
		res := kmsg.NewIncrementalAlterConfigsRequestResource()
		res.ResourceType, res.ResourceName = r.kind, r.name
		res.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: r.key, Value: &r.value}}
		alter.Resources = append(alter.Resources, res)
	}
	for _, r := range request[*kmsg.IncrementalAlterConfigsResponse](ctx, t, client, alter).Resources {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			t.Fatalf("alter %s: %v", r.ResourceName, err)
		}
	}
	quota := kmsg.NewPtrAlterClientQuotasRequest()
	quota.Entries = []kmsg.AlterClientQuotasRequestEntry{{Entity: []kmsg.AlterClientQuotasRequestEntryEntity{{Type: "user", Name: kmsg.StringPtr("eve")}},
		Ops: []kmsg.AlterClientQuotasRequestEntryOp{{Key: "producer_byte_rate", Value: 4096}}}}
	request[*kmsg.AlterClientQuotasResponse](ctx, t, client, quota)
	users := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	users.Upsertions = []kmsg.AlterUserSCRAMCredentialsRequestUpsertion{{Name: "bob", Mechanism: 1, Iterations: 4096, Salt: []byte("salt"), SaltedPassword: []byte("salted")}}
	request[*kmsg.AlterUserSCRAMCredentialsResponse](ctx, t, client, users)
	acls := kmsg.NewPtrCreateACLsRequest()
	for _, name := range []string{"orders", "payments"} {
		a := kmsg.NewCreateACLsRequestCreation()
		a.ResourceType, a.ResourceName, a.ResourcePatternType = kmsg.ACLResourceTypeTopic, name, kmsg.ACLResourcePatternTypeLiteral
		a.Principal, a.Host, a.Operation, a.PermissionType = "User:bob", "*", kmsg.ACLOperationRead, kmsg.ACLPermissionTypeAllow
		acls.Creations = append(acls.Creations, a)
	}
	request[*kmsg.CreateACLsResponse](ctx, t, client, acls)
	del := kmsg.NewPtrDeleteACLsRequest()
	f := kmsg.NewDeleteACLsRequestFilter()
	f.ResourceType, f.ResourceName, f.ResourcePatternType = kmsg.ACLResourceTypeTopic, kmsg.StringPtr("payments"), kmsg.ACLResourcePatternTypeLiteral
	f.Operation, f.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	del.Filters = append(del.Filters, f)
	request[*kmsg.DeleteACLsResponse](ctx, t, client, del)
}

// memory says what a cluster knows.
func memory(ctx context.Context, t *testing.T, cluster *broker.Cluster) []string {
	t.Helper()
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	client := newClient(t, cluster)
	meta := request[*kmsg.MetadataResponse](ctx, t, client, kmsg.NewPtrMetadataRequest())
	say("cluster %s", *meta.ClusterID)
	slices.SortFunc(meta.Topics, func(a, b kmsg.MetadataResponseTopic) int { return strings.Compare(*a.Topic, *b.Topic) })
	for _, topic := range meta.Topics {
		say("topic %s %x", *topic.Topic, topic.TopicID)
		slices.SortFunc(topic.Partitions, func(a, b kmsg.MetadataResponseTopicPartition) int { return int(a.Partition - b.Partition) })
		for _, p := range topic.Partitions {
			slices.Sort(p.ISR)
			say("partition %s-%d replicas %v isr %v", *topic.Topic, p.Partition, p.Replicas, p.ISR)
			if strings.HasPrefix(*topic.Topic, "__") {
				continue
			}
			say("from %d to %d, stable %d", cluster.StartOffset(*topic.Topic, p.Partition), cluster.EndOffset(*topic.Topic, p.Partition), cluster.LastStableOffset(*topic.Topic, p.Partition))
			all, err := cluster.CommittedRecords(*topic.Topic, p.Partition)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range all {
				say("%d: %s=%s", r.Offset, r.Key, r.Value)
			}
		}
	}
	for _, name := range cluster.Groups() {
		for _, c := range cluster.Commits(name) {
			say("%s has committed %+v", name, c)
		}
	}
	for _, x := range cluster.Transactions() {
		x.Started = time.UnixMilli(x.Started.UnixMilli()).UTC()
		say("transaction %+v", x)
	}
	describe := kmsg.NewPtrDescribeConfigsRequest()
	for kind, name := range map[kmsg.ConfigResourceType]string{kmsg.ConfigResourceTypeTopic: "orders", kmsg.ConfigResourceTypeBroker: "1", kmsg.ConfigResourceTypeGroupConfig: "billing"} {
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName = kind, name
		describe.Resources = append(describe.Resources, r)
	}
	for _, r := range request[*kmsg.DescribeConfigsResponse](ctx, t, client, describe).Resources {
		for _, c := range r.Configs {
			if c.Value != nil && !strings.Contains(c.Name, "listeners") {
				say("%v %s has %s=%s from %v", r.ResourceType, r.ResourceName, c.Name, *c.Value, c.Source)
			}
		}
	}
	quotas := request[*kmsg.DescribeClientQuotasResponse](ctx, t, client, kmsg.NewPtrDescribeClientQuotasRequest())
	for _, e := range quotas.Entries {
		say("quota of %s: %+v", *e.Entity[0].Name, e.Values)
	}
	for _, u := range request[*kmsg.DescribeUserSCRAMCredentialsResponse](ctx, t, client, kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()).Results {
		say("user %s: %+v", u.User, u.CredentialInfos)
	}
	list := kmsg.NewPtrDescribeACLsRequest()
	list.ResourceType, list.ResourcePatternType, list.Operation, list.PermissionType = kmsg.ACLResourceTypeAny, kmsg.ACLResourcePatternTypeAny, kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	for _, r := range request[*kmsg.DescribeACLsResponse](ctx, t, client, list).Resources {
		say("acl %+v", r)
	}
	slices.Sort(out)
	return out
}

func compareMemory(t *testing.T, before, after []string) {
	t.Helper()
	all := make(map[string]int)
	for _, line := range before {
		all[line]++
	}
	for _, line := range after {
		all[line]--
	}
	for _, line := range slices.Sorted(maps.Keys(all)) {
		if n := all[line]; n > 0 {
			t.Errorf("forgotten: %s", line)
		} else if n < 0 {
			t.Errorf("new: %s", line)
		}
	}
}

func TestEverythingSurvivesTheEndOfTheProcess(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *broker.Cluster, *crashfs.FS) *crashfs.FS{
		"in order": func(t *testing.T, cluster *broker.Cluster, disk *crashfs.FS) *crashfs.FS {
			if err := cluster.Close(); err != nil {
				t.Fatal(err)
			}
			return disk
		},
		"killed": func(_ *testing.T, _ *broker.Cluster, disk *crashfs.FS) *crashfs.FS {
			return disk.Crash(disk.Ops(), crashfs.All, 0)
		},
		"without power": func(_ *testing.T, _ *broker.Cluster, disk *crashfs.FS) *crashfs.FS {
			return disk.Crash(disk.Ops(), crashfs.Nothing, 0)
		},
	} {
		for _, brokers := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s/%d", name, brokers), func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				cfg := broker.Config{Brokers: brokers, Authorizer: &broker.Authorizer{AllowUnlisted: true, SuperUsers: []string{"User:ANONYMOUS"}},
					Properties: map[string]string{"offsets.topic.num.partitions": "5", "transaction.state.log.num.partitions": "5"},
					Topics:     []broker.Topic{{Name: "orders", Partitions: 2, ReplicationFactor: brokers, Configs: map[string]string{"segment.bytes": "1048576"}}}}
				disk := crashfs.New()
				cluster := startOn(t, cfg, disk)
				inhabit(ctx, t, cluster)
				before := memory(ctx, t, cluster)
				_, epoch := cluster.Leader("orders", 0)
				disk = end(t, cluster, disk)
				cluster = startOn(t, cfg, disk)
				compareMemory(t, before, memory(ctx, t, cluster))
				if _, now := cluster.Leader("orders", 0); now <= epoch {
					t.Errorf("the leader's epoch is %d after %d", now, epoch)
				}
				inhabitedAgain(ctx, t, cluster)
			})
		}
	}
}

// inhabitedAgain goes on with a cluster that has come back.
func inhabitedAgain(ctx context.Context, t *testing.T, cluster *broker.Cluster) {
	t.Helper()
	tx := txnClient(t, cluster, kgo.TransactionalID("tx-2"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := tx.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := tx.ProduceSync(ctx, &kgo.Record{Topic: "payments", Partition: 1, Value: []byte("again")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	txn.AwaitPartitions(tx, "payments")
	if err := tx.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if err := cluster.WaitTransaction(ctx, "tx-2", broker.TransactionCompleteCommit); err != nil {
		t.Fatal(err)
	}
	all, err := cluster.CommittedRecords("payments", 1)
	if err != nil {
		t.Fatal(err)
	}
	if last := all[len(all)-1]; string(last.Value) != "again" {
		t.Errorf("the last record is %q", last.Value)
	}
	for _, r := range all {
		if string(r.Value) == "txn 2" {
			t.Error("a transaction that its producer began anew has been committed")
		}
	}
	if err := cluster.WaitTransactionsEnded(ctx); err != nil {
		t.Error(err)
	}
	if err := errors.Join(cluster.Close()); err != nil {
		t.Error(err)
	}
}
