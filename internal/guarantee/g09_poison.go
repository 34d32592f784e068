package guarantee

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/serde"
)

var poison = []Scenario{
	{Guarantee: "G9", Name: "PoisonIsKeptByteForByte", Targets: Reference | Kafka, body: poisonIsKeptByteForByte},
	{Guarantee: "G9", Name: "RegistryThatIsAwayIsNotPoison", Targets: Reference | Kafka, body: registryAwayIsNotPoison},
}

// poisonIsKeptByteForByte: value, key and headers, duplicates among them, in the same partition.
func poisonIsKeptByteForByte(sc *scene) {
	tp, group := sc.topic(3), sc.group("billing")
	sc.member(group, []*topic{tp}, standard)
	values := map[place][]byte{}
	for i, value := range [][]byte{{}, {0}, {0xff, 0xfe, 0}, []byte(`{"id":`), []byte(`{"id":"x"} trailing`), bytes.Repeat([]byte{0xc3, 0x28}, 50_000)} {
		at := sc.poison(tp, fmt.Sprintf("k%d", i), value)
		values[place{at.Topic, at.Partition, at.Offset}] = value
	}
	null := sc.poison(tp, "", []byte("null key"))
	values[place{null.Topic, null.Partition, null.Offset}] = []byte("null key")
	src := sc.source()
	src.sendAll(tp, sc.items(20, 6, "")...)
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
	sc.look(func(t *tally) {
		if got := t.group(group).count(history.Dead); got != len(values) {
			sc.t.Errorf("%d dead letters, want %d", got, len(values))
		}
	})
	sc.inspect = func(f found) {
		want, ok := values[f.source]
		if f.group == "" || !ok {
			return
		}
		h := headers(f.Headers)
		switch {
		case !bytes.Equal(f.Value, want) || (f.Value == nil) != (want == nil):
			sc.t.Errorf("dead letter of %v: %d bytes, want %d", f.source, len(f.Value), len(want))
		case f.Partition != f.source.partition:
			sc.t.Errorf("dead letter of %v is in partition %d", f.source, f.Partition)
		case h["dlt-error-class"] != "decode":
			sc.t.Errorf("dead letter of %v has class %q", f.source, h["dlt-error-class"])
		case len(f.Headers) < 2 || f.Headers[0].Key != "id" || f.Headers[1].Key != "id" || f.Headers[1].Value != nil:
			sc.t.Errorf("dead letter of %v does not begin with the two headers of its record: %v", f.source, f.Headers)
		}
		delete(values, f.source)
	}
	sc.judge()
	if len(values) > 0 {
		sc.t.Errorf("no dead letter found of %d poison records", len(values))
	}
}

// away is a serde whose registry can not be reached until it is back.
type away struct {
	serde.Serde[Item]
	back  *atomic.Bool
	asked *atomic.Int64
}

type awayCodec struct {
	serde.Codec[Item]
	away
}

func (a away) Bind(b serde.Binding) (serde.Codec[Item], error) {
	codec, err := a.Serde.Bind(b)
	return awayCodec{codec, a}, err
}

func (c awayCodec) Decode(ctx context.Context, src []byte, h serde.Headers) (Item, error) {
	c.asked.Add(1)
	if !c.back.Load() {
		return Item{}, &serde.RetryableError{Err: errors.New("registry: connection refused")}
	}
	return c.Codec.Decode(ctx, src, h)
}

func registryAwayIsNotPoison(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	back, asked := new(atomic.Bool), new(atomic.Int64)
	src := sc.source()
	src.sendAll(tp, sc.items(10, 10, "")...)
	handled := &topic{partitions: 1, Topic: tp.Topic}
	handled.Value = away{tp.Value, back, asked}
	sc.member(group, []*topic{handled}, standard, quick(1)) // it uses its retries up many times over
	sc.poll("the registry to be asked for each record several times", func() bool { return asked.Load() >= 60 })
	sc.look(func(t *tally) {
		if n := t.group(group).ended; n != 0 {
			sc.t.Errorf("%d records ended while the registry was away", n)
		}
	})
	back.Store(true)
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
	sc.look(func(t *tally) {
		if n := t.group(group).count(history.Dead); n != 0 {
			sc.t.Errorf("%d dead letters because a registry was away", n)
		}
	})
}
