package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// write does something of everything: transactions that commit and abort in every codec, segments that become complete, offsets, and all that an
// administrator does.
func write(ctx context.Context, addrs []string, round int) error {
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	for i, codec := range codecs {
		if err := transact(ctx, addrs, fmt.Sprint("tx-", i), codec, round); err != nil {
			return err
		}
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer cl.Close()
	for i := range 300 { // three segments and more
		r := &kgo.Record{Topic: "prices", Key: fmt.Append(nil, i%7), Value: fmt.Appendf(nil, "%d %s", i, strings.Repeat("x", 5000))}
		if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
			return err
		}
	}
	for n := 0; n < 900; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		n += fetches.NumRecords()
		if err := cl.CommitRecords(ctx, fetches.Records()...); err != nil {
			return err
		}
	}
	return administer(ctx, cl)
}

// transact commits and aborts transactions in turn.
func transact(ctx context.Context, addrs []string, id string, codec kgo.CompressionCodec, round int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.TransactionalID(id), kgo.ProducerBatchCompression(codec))
	if err != nil {
		return err
	}
	defer cl.Close()
	for i := range 4 {
		if err := cl.BeginTransaction(); err != nil {
			return err
		}
		for j := range 100 {
			cl.Produce(ctx, &kgo.Record{Topic: "orders", Key: fmt.Append(nil, j), Value: fmt.Appendf(nil, "%s %d %d %d", id, round, i, j)}, nil)
			if j > 0 {
				continue
			}
			if err := cl.Flush(ctx); err != nil { // franz-go 1.22.2 forgets what ends before it has published a topic's partitions; the next record waits for that
				return err
			}
		}
		if err := cl.Flush(ctx); err != nil {
			return err
		}
		if err := cl.EndTransaction(ctx, kgo.TransactionEndTry(i%2 == 0)); err != nil {
			return err
		}
	}
	return nil
}

func administer(ctx context.Context, cl *kgo.Client) error {
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, "prices"
	for name, value := range map[string]string{"max.message.bytes": "54321"} {
		r.Configs = append(r.Configs, kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: name, Value: &value})
	}
	alter.Resources = append(alter.Resources, r)
	altered, err := alter.RequestWith(ctx, cl)
	if err == nil {
		err = kerr.ErrorForCode(altered.Resources[0].ErrorCode)
	}
	if err != nil {
		return err
	}
	quota := kmsg.NewPtrAlterClientQuotasRequest()
	quota.Entries = []kmsg.AlterClientQuotasRequestEntry{{Entity: []kmsg.AlterClientQuotasRequestEntryEntity{{Type: "user", Name: kmsg.StringPtr("eve")}},
		Ops: []kmsg.AlterClientQuotasRequestEntryOp{{Key: "producer_byte_rate", Value: 1 << 30}}}}
	if _, err := quota.RequestWith(ctx, cl); err != nil {
		return err
	}
	users := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	users.Upsertions = []kmsg.AlterUserSCRAMCredentialsRequestUpsertion{{Name: "bob", Mechanism: 2, Iterations: 4096, Salt: []byte("salt"), SaltedPassword: []byte("salted")}}
	if _, err := users.RequestWith(ctx, cl); err != nil {
		return err
	}
	acls := kmsg.NewPtrCreateACLsRequest()
	a := kmsg.NewCreateACLsRequestCreation()
	a.ResourceType, a.ResourceName, a.ResourcePatternType = kmsg.ACLResourceTypeTopic, "orders", kmsg.ACLResourcePatternTypeLiteral
	a.Principal, a.Host, a.Operation, a.PermissionType = "User:bob", "*", kmsg.ACLOperationRead, kmsg.ACLPermissionTypeAllow
	acls.Creations = append(acls.Creations, a)
	created, err := acls.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(created.Results[0].ErrorCode)
}
