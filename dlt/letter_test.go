package dlt_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/dlt"
)

func TestParseReadsOtherDialects(t *testing.T) {
	h := func(pairs ...string) (all sordini.Headers) {
		for i := 0; i < len(pairs); i += 2 {
			all.Add(pairs[i], []byte(pairs[i+1]))
		}
		return all
	}
	written := time.UnixMilli(1_700_000_000_123).UTC()
	for _, c := range []struct {
		headers sordini.Headers
		want    dlt.Letter
	}{
		{
			h("mine", "1", "kafka_dlt-original-topic", "orders", "kafka_dlt-original-partition", "\x00\x00\x00\x07", "kafka_dlt-original-offset", "\x00\x00\x00\x00\x00\x00\x12\x67",
				"kafka_dlt-original-timestamp", "\x00\x00\x01\x8b\xcf\xe5\x68\x7b", "kafka_dlt-original-consumer-group", "billing", "kafka_dlt-exception-fqcn", "java.lang.IllegalStateException",
				"kafka_dlt-exception-message", "order 17", "kafka_dlt-exception-stacktrace", "at x"),
			dlt.Letter{Dialect: dlt.DialectSpring, Topic: "orders", Partition: 7, Offset: 4711, Timestamp: written, Group: "billing", Error: "order 17", Stack: "at x"},
		},
		{
			h("__dlq.errors.topic", "orders", "__dlq.errors.partition", "7", "__dlq.errors.offset", "4711", "__dlq.errors.group", "billing", "__dlq.errors.delivery.count", "5", "__dlq.errors.message", "rejected", "mine", "1"),
			dlt.Letter{Dialect: dlt.DialectKafka, Topic: "orders", Partition: 7, Offset: 4711, Group: "billing", Attempts: 5, Error: "rejected"},
		},
		{
			h("__connect.errors.topic", "orders", "__connect.errors.partition", "7", "__connect.errors.offset", "4711", "__connect.errors.connector.name", "sink", "__connect.errors.stage", "TASK_PUT", "mine", "1",
				"__connect.errors.exception.class.name", "org.x.DataException", "__connect.errors.exception.message", "bad", "__connect.errors.exception.stacktrace", "at y"),
			dlt.Letter{Dialect: dlt.DialectConnect, Topic: "orders", Partition: 7, Offset: 4711, Group: "sink", Error: "bad", Stack: "at y"},
		},
	} {
		r := &sordini.Record{Topic: "x.DLT", Key: []byte("k"), Value: []byte("v"), Headers: c.headers, Timestamp: written.Add(time.Second)}
		got, err := dlt.Parse(r)
		if err != nil {
			t.Errorf("%s: %v", c.want.Dialect, err)
			continue
		}
		if len(got.Fingerprint) != 16 {
			t.Errorf("%s: fingerprint %q", c.want.Dialect, got.Fingerprint)
		}
		c.want.Record, c.want.Fingerprint, c.want.Failed = r, got.Fingerprint, r.Timestamp
		if got != c.want {
			t.Errorf("got  %+v\nwant %+v", got, c.want)
		}
		if src := got.Source(); len(src.Headers) != 1 || src.Headers[0].Key != "mine" || src.Topic != "orders" || src.Offset != 4711 {
			t.Errorf("%s: source %+v", c.want.Dialect, src)
		}
	}
}

func TestOtherToolsReadWhatTheProfileWrites(t *testing.T) {
	for profile, dialect := range map[dlt.Profile]dlt.Dialect{dlt.Spring: dlt.DialectSpring, dlt.Kafka: dlt.DialectKafka, dlt.Connect: dlt.DialectConnect} {
		x := failure()
		r, _ := dlt.Format{Profile: profile}.Record("d", x)
		r.Headers.Del(dlt.HeaderVersion) // what ours says is then not looked at
		l, err := dlt.Parse(r)
		if err != nil || l.Dialect != dialect || l.Topic != "orders" || l.Partition != 7 || l.Offset != 4711 || l.Group != "billing" || l.Error != x.Err.Error() {
			t.Errorf("%s: %+v, %v", dialect, l, err)
		}
	}
}

// An identity is persisted in whatever follows a dead letter: it must not change.
func TestIdentityIsGroupTopicIDTopicPartitionOffset(t *testing.T) {
	x := failure()
	const want = "billing/AQIDBAUGBwgJCgsMDQ4P_w/orders/7/4711"
	r, _ := dlt.Format{}.Record("d", x)
	l, err := dlt.Parse(r)
	if err != nil || x.Identity() != want || l.Identity() != want {
		t.Errorf("%q and %q, %v; want %q", x.Identity(), l.Identity(), err, want)
	}
	x.TopicID[0]++ // the topic was deleted and made again
	if x.Identity() == want {
		t.Error("a recreated topic has the identities of the old one")
	}
}

func TestParseRefuses(t *testing.T) {
	if _, err := dlt.Parse(&sordini.Record{Topic: "orders", Headers: sordini.Headers{{Key: "dlt-topic", Value: []byte("x")}}}); !errors.Is(err, dlt.ErrNotDeadLetter) {
		t.Errorf("a record without a dialect: %v", err)
	}
	for header, value := range map[string]string{
		"dlt-version": "2", "dlt-topic-id": "zz", "dlt-partition": "-1", "dlt-offset": "x", "dlt-timestamp": "yesterday", "dlt-attempts": "99999999999", "dlt-truncated": "legs",
	} {
		r, _ := dlt.Format{}.Record("d", failure())
		r.Headers.Set(header, []byte(value))
		if _, err := dlt.Parse(r); !errors.Is(err, dlt.ErrMalformed) || !strings.Contains(err.Error(), header) {
			t.Errorf("%s = %q: %v", header, value, err)
		}
	}
}

func TestClientTextNamesIDHostAndVersion(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if got := dlt.ClientText("billing"); !strings.HasPrefix(got, "billing "+host+" sordini@") {
		t.Errorf("ClientText is %q", got)
	}
	if got := dlt.ClientText(""); strings.HasPrefix(got, " ") {
		t.Errorf("ClientText without an id is %q", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("dlt-version", []byte("1"), "dlt-topic", []byte("orders"))
	f.Add("kafka_dlt-original-topic", []byte("x"), "kafka_dlt-original-offset", []byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Fuzz(func(t *testing.T, k1 string, v1 []byte, k2 string, v2 []byte) {
		r, _ := dlt.Format{}.Record("d", failure())
		r.Headers.Set(k1, v1)
		r.Headers.Set(k2, v2)
		l, err := dlt.Parse(r)
		if err == nil {
			_ = l.Identity()
			_ = l.Source()
		}
	})
}
