package producer_test

import (
	"bytes"
	"context"
	"sync"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

// The cost of a record beside raw franz-go's, both against the reference broker in this process: what differs is the producer.

type keyed struct{ key, value []byte }

func keyedBytes() sordini.Topic[keyed] {
	return sordini.Topic[keyed]{Name: "orders", Key: sordini.KeyOf(serde.Bytes(), func(k keyed) []byte { return k.key }), Value: bytesOf{}}
}

// bytesOf encodes a value's bytes as they are.
type bytesOf struct{}

func (b bytesOf) Bind(serde.Binding) (serde.Codec[keyed], error) { return b, nil }

func (bytesOf) Append(_ context.Context, dst []byte, v keyed, _ *serde.Headers) ([]byte, error) {
	return append(dst, v.value...), nil
}

func (bytesOf) Decode(context.Context, []byte, serde.Headers) (keyed, error) { return keyed{}, nil }

func benchKeys() (all []keyed) {
	value := bytes.Repeat([]byte("x"), 100)
	for i := range 10_000 {
		all = append(all, keyed{[]byte{byte(i), byte(i >> 8), 'k', 'e', 'y'}, value})
	}
	return all
}

func benchCluster(b *testing.B) *brokertest.Cluster {
	return brokertest.New(b, brokertest.Topics(broker.Topic{Name: "orders", Partitions: 12, Configs: map[string]string{"retention.bytes": "10000000"}}))
}

// cpu reports the CPU time a record took, in this process, both sides together: on a machine that is shared it says more than the rate.
func cpu(b *testing.B) (report func()) {
	spent := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := spent()
	return func() { b.ReportMetric(float64(spent()-before)/float64(b.N), "cpu-ns/op") }
}

func BenchmarkAsync(b *testing.B) {
	vs := benchKeys()
	b.Run("sordini", func(b *testing.B) {
		c := benchCluster(b)
		p, err := producer.New(c.SDK(), producer.Source("bench"))
		if err != nil {
			b.Fatal(err)
		}
		defer p.Close()
		pub, err := producer.To(p, keyedBytes())
		if err != nil {
			b.Fatal(err)
		}
		ctx := context.Background()
		if err := pub.Send(ctx, vs[0]); err != nil {
			b.Fatal(err)
		}
		var wg sync.WaitGroup
		done := func(_ producer.Receipt, err error) {
			if err != nil {
				b.Error(err)
			}
			wg.Done()
		}
		b.ReportAllocs()
		defer cpu(b)()
		for i := 0; b.Loop(); i++ {
			wg.Add(1)
			pub.SendAsync(ctx, vs[i%len(vs)], done)
		}
		wg.Wait()
	})
	for name, headers := range map[string]bool{"franz-go": false, "franz-go-headers": true} {
		b.Run(name, func(b *testing.B) {
			c := benchCluster(b)
			cl, err := c.SDK().NewClient(kgo.ProducerBatchCompression(kgo.NoCompression()))
			if err != nil {
				b.Fatal(err)
			}
			defer cl.Close()
			ctx := context.Background()
			var wg sync.WaitGroup
			done := func(_ *kgo.Record, err error) {
				if err != nil {
					b.Error(err)
				}
				wg.Done()
			}
			b.ReportAllocs()
			defer cpu(b)()
			for i := 0; b.Loop(); i++ {
				wg.Add(1)
				v := vs[i%len(vs)]
				r := &kgo.Record{Topic: "orders", Key: v.key, Value: v.value}
				if headers {
					r.Headers = []kgo.RecordHeader{{Key: "correlation-id", Value: []byte("018f3e4c-0000-7000-8000-000000000000")}, {Key: "source", Value: []byte("bench")}}
				}
				cl.Produce(ctx, r, done)
			}
			wg.Wait()
		})
	}
}

func BenchmarkSync(b *testing.B) {
	vs := benchKeys()
	b.Run("sordini", func(b *testing.B) {
		c := benchCluster(b)
		p, err := producer.New(c.SDK(), producer.Source("bench"))
		if err != nil {
			b.Fatal(err)
		}
		defer p.Close()
		pub, err := producer.To(p, keyedBytes())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		defer cpu(b)()
		for i := 0; b.Loop(); i++ {
			if err := pub.Send(context.Background(), vs[i%len(vs)]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("franz-go", func(b *testing.B) {
		c := benchCluster(b)
		cl, err := c.SDK().NewClient(kgo.ProducerBatchCompression(kgo.NoCompression()))
		if err != nil {
			b.Fatal(err)
		}
		defer cl.Close()
		b.ReportAllocs()
		defer cpu(b)()
		for i := 0; b.Loop(); i++ {
			v := vs[i%len(vs)]
			if err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: "orders", Key: v.key, Value: v.value}).FirstErr(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
