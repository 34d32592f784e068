package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// hang begins a transaction in partition 0 of the topic "hanging", whose first record it is, and leaves it open. The caller closes the client.
func (t *target) hang(ctx context.Context, ca string) (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(t.brokers, ",")...), kgo.TransactionalID("hanging"), kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("hanging"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
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
	if err = client.BeginTransaction(); err == nil {
		err = client.ProduceSync(ctx, &kgo.Record{Value: []byte("left open")}).FirstErr()
	}
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("leave a transaction open: %w", err)
	}
	return client, nil
}
