package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// hang begins a transaction in partition 0 of the topic "hanging", whose first record it is, and leaves it open. The caller closes the client.
func (t *target) hang(ctx context.Context, ca string) (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(t.brokers, ",")...), kgo.TransactionalID("hanging"), kgo.TransactionTimeout(10 * time.Minute), kgo.DefaultProduceTopic("hanging"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.UnknownTopicRetries(-1), kgo.MetadataMinAge(100 * time.Millisecond),
	}
	if t.secure {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		opts = append(opts, kgo.DialTLSConfig(&tls.Config{RootCAs: pool}), kgo.SASL(scram.Auth{User: "admin", Pass: "admin-secret"}.AsSha512Mechanism()))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	create := kmsg.NewPtrCreateTopicsRequest()
	create.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: "hanging", NumPartitions: 1, ReplicationFactor: 3}}
	created, err := create.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(created.Topics[0].ErrorCode)
	}
	if err == nil {
		err = client.BeginTransaction()
	}
	if err == nil {
		err = client.ProduceSync(ctx, &kgo.Record{Value: []byte("left open")}).FirstErr()
	}
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("leave a transaction open: %w", err)
	}
	return client, nil
}
