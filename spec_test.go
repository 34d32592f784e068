package sordini_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/serde"
)

type order struct{ ID string }

// orders is a contract that nothing is wrong with.
func orders(change func(*sordini.Topic[order])) sordini.Topic[order] {
	t := sordini.Topic[order]{Name: "orders", Key: sordini.KeyString(func(o order) string { return o.ID }), Value: serde.JSON[order]()}
	change(&t)
	return t
}

type broken[T any] struct{}

func (broken[T]) Bind(serde.Binding) (serde.Codec[T], error) { return nil, errors.New("no registry") }

func TestContractsThatCanNotWorkAreRefusedWithTheFieldAndTheFix(t *testing.T) {
	config := func(c sordini.TopicConfig) func(*sordini.Topic[order]) {
		return func(t *sordini.Topic[order]) { t.Config = c }
	}
	for name, c := range map[string]struct {
		change func(*sordini.Topic[order])
		want   []string
	}{
		"zero key":       {func(t *sordini.Topic[order]) { t.Key = sordini.Key[order]{} }, []string{`"orders"`, "Key is not set", "sordini.KeyString", "sordini.Unkeyed"}},
		"key of nothing": {func(t *sordini.Topic[order]) { t.Key = sordini.KeyOf[order, string](nil, nil) }, []string{"Key is not set"}},
		"no value":       {func(t *sordini.Topic[order]) { t.Value = nil }, []string{`"orders"`, "Value is not set", "serde.JSON"}},
		"no name":        {func(t *sordini.Topic[order]) { t.Name = "" }, []string{"Name is not set"}},
		"dot":            {func(t *sordini.Topic[order]) { t.Name = "." }, []string{`"."`}},
		"name too long":  {func(t *sordini.Topic[order]) { t.Name = strings.Repeat("x", 250) }, []string{"250 characters", "249"}},
		"illegal name":   {func(t *sordini.Topic[order]) { t.Name = "bestellungen für uns" }, []string{"' '", "letters, digits"}},
		"old name":       {func(t *sordini.Topic[order]) { t.RenamedFrom = "a b" }, []string{"RenamedFrom", "' '"}},
		"same name":      {func(t *sordini.Topic[order]) { t.RenamedFrom = "orders" }, []string{"RenamedFrom", "own name"}},
		"long type":      {func(t *sordini.Topic[order]) { t.Type = strings.Repeat("x", 256) }, []string{"Type", "256", "255"}},
		"type with a line end": {
			func(t *sordini.Topic[order]) { t.Type = "a\nb" }, []string{"Type", "plain text"},
		},
		"negative partitions":  {config(sordini.TopicConfig{Partitions: -1}), []string{"Config.Partitions is -1"}},
		"negative replication": {config(sordini.TopicConfig{ReplicationFactor: -1, MinInSyncReplicas: -1}), []string{"Config.ReplicationFactor is -1"}},
		"more in sync than there are": {
			config(sordini.TopicConfig{ReplicationFactor: 2, MinInSyncReplicas: 3}), []string{"Config.MinInSyncReplicas is 3", "ReplicationFactor of 2"},
		},
		"microseconds":          {config(sordini.TopicConfig{Retention: time.Microsecond}), []string{"Config.Retention", "milliseconds"}},
		"compact and retention": {config(sordini.TopicConfig{Compact: true, Retention: time.Hour}), []string{"Compact and Retention"}},
		"compact without keys": {func(t *sordini.Topic[order]) {
			t.Key, t.Config.Compact = sordini.Unkeyed[order](), true
		}, []string{"Config.Compact needs keys", "sordini.KeyString"}},
		"covered setting": {config(sordini.TopicConfig{Extra: map[string]string{"retention.ms": "1"}}), []string{"retention.ms", "Config.Retention"}},
		"no setting":      {config(sordini.TopicConfig{Extra: map[string]string{"Retention": "1"}}), []string{`"Retention"`, "no name of a Kafka topic setting"}},
		"serde":           {func(t *sordini.Topic[order]) { t.Value = broken[order]{} }, []string{"bind value", "no registry"}},
		"key serde": {func(t *sordini.Topic[order]) {
			t.Key = sordini.KeyOf[order](broken[order]{}, func(o order) order { return o })
		}, []string{"bind key", "no registry"}},
	} {
		topic := orders(c.change)
		_, err := topic.Bind(sordini.Cluster{})
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if !errors.Is(err, sordini.ErrContract) {
			t.Errorf("%s: %v is not ErrContract", name, err)
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not mention %q", name, err, part)
			}
		}
	}
}

func TestContractsThatCanWorkAreAccepted(t *testing.T) {
	for name, change := range map[string]func(*sordini.Topic[order]){
		"plain":            func(*sordini.Topic[order]) {},
		"unkeyed":          func(t *sordini.Topic[order]) { t.Key = sordini.Unkeyed[order]() },
		"longest name":     func(t *sordini.Topic[order]) { t.Name = strings.Repeat("x", 249) },
		"typed":            func(t *sordini.Topic[order]) { t.Type = "order.placed" },
		"compact":          func(t *sordini.Topic[order]) { t.Config.Compact = true },
		"kept for ever":    func(t *sordini.Topic[order]) { t.Config.Retention = -1 },
		"one replica":      func(t *sordini.Topic[order]) { t.Config.ReplicationFactor = 1 }, // in-sync replicas follow
		"further settings": func(t *sordini.Topic[order]) { t.Config.Extra = map[string]string{"segment.bytes": "1048576"} },
	} {
		topic := orders(change)
		if _, err := topic.Bind(sordini.Cluster{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestContractsOfOneTopicMustAgree(t *testing.T) {
	base := orders(func(t *sordini.Topic[order]) { t.Type = "a" }).Spec()
	agreeing := base
	agreeing.Type, agreeing.Config = "b", sordini.TopicConfig{Partitions: 12, ReplicationFactor: 3, MinInSyncReplicas: 2, Retention: 7 * 24 * time.Hour}
	elsewhere := base
	elsewhere.Name, elsewhere.Config.Partitions = "payments", 3
	if err := sordini.CheckContracts(base, agreeing, elsewhere, base); err != nil {
		t.Errorf("defaults that are written down differ from those that are not: %v", err)
	}
	for want, change := range map[string]func(*sordini.Spec){
		"Partitions 12 and 6":               func(s *sordini.Spec) { s.Config.Partitions = 6 },
		"ReplicationFactor 3 and 2":         func(s *sordini.Spec) { s.Config.ReplicationFactor = 2 },
		"MinInSyncReplicas 2 and 1":         func(s *sordini.Spec) { s.Config.MinInSyncReplicas = 1 },
		"Retention 168h0m0s and 1h0m0s":     func(s *sordini.Spec) { s.Config.Retention = time.Hour },
		"Compact false and true":            func(s *sordini.Spec) { s.Config.Compact = true },
		"MaxMessageBytes 0 and 10":          func(s *sordini.Spec) { s.Config.MaxMessageBytes = 10 },
		"Extra map[] and map[segment.ms:1]": func(s *sordini.Spec) { s.Config.Extra = map[string]string{"segment.ms": "1"} },
		"RenamedFrom  and bestellungen":     func(s *sordini.Spec) { s.RenamedFrom = "bestellungen" },
	} {
		other := agreeing
		change(&other)
		err := sordini.CheckContracts(base, elsewhere, other)
		if !errors.Is(err, sordini.ErrContract) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"orders"`) || !strings.Contains(err.Error(), `"b"`) {
			t.Errorf("error %v does not say %s", err, want)
		}
	}
}

func TestSettingsOfAContract(t *testing.T) {
	for name, c := range map[string]struct {
		config sordini.TopicConfig
		want   map[string]string
	}{
		"defaults": {sordini.TopicConfig{}, map[string]string{"min.insync.replicas": "2", "cleanup.policy": "delete", "retention.ms": "604800000"}},
		"compact":  {sordini.TopicConfig{Compact: true}, map[string]string{"min.insync.replicas": "2", "cleanup.policy": "compact"}},
		"all": {
			sordini.TopicConfig{ReplicationFactor: 5, MinInSyncReplicas: 4, Retention: -1, MaxMessageBytes: 7, Extra: map[string]string{"segment.ms": "9"}},
			map[string]string{"min.insync.replicas": "4", "cleanup.policy": "delete", "retention.ms": "-1", "max.message.bytes": "7", "segment.ms": "9"},
		},
		"one replica": {sordini.TopicConfig{ReplicationFactor: 1}, map[string]string{"min.insync.replicas": "1", "cleanup.policy": "delete", "retention.ms": "604800000"}},
	} {
		if got := c.config.Settings(); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestBoundContractEncodesAndDecodes(t *testing.T) {
	b, err := orders(func(*sordini.Topic[order]) {}).Bind(sordini.Cluster{})
	if err != nil {
		t.Fatal(err)
	}
	var h sordini.Headers
	key, err := b.AppendKey(t.Context(), nil, order{ID: "17"}, &h)
	if err != nil || string(key) != "17" || !b.Keyed() {
		t.Errorf("key %q, %v", key, err)
	}
	value, err := b.AppendValue(t.Context(), []byte("x"), order{ID: "17"}, &h)
	if err != nil || string(value) != `x{"ID":"17"}` {
		t.Errorf("value %q, %v", value, err)
	}
	if got, err := b.Decode(t.Context(), &sordini.Record{Value: value[1:]}); err != nil || got.ID != "17" {
		t.Errorf("decoded %v, %v", got, err)
	}
	if got, err := b.Decode(t.Context(), &sordini.Record{}); err != nil || got != (order{}) {
		t.Errorf("a tombstone decodes to %v, %v", got, err)
	}
}

// An empty string must not become a null key, which has no order, or a null value, which is a tombstone.
func TestEmptyIsNotNull(t *testing.T) {
	topic := sordini.Topic[string]{Name: "t", Key: sordini.KeyString(func(s string) string { return s }), Value: serde.String()}
	b, err := topic.Bind(sordini.Cluster{})
	if err != nil {
		t.Fatal(err)
	}
	key, _ := b.AppendKey(context.Background(), nil, "", nil)
	value, _ := b.AppendValue(context.Background(), nil, "", nil)
	if key == nil || value == nil {
		t.Errorf("key %v, value %v; neither may be nil", key, value)
	}
	topic.Key = sordini.Unkeyed[string]()
	if b, err = topic.Bind(sordini.Cluster{}); err != nil {
		t.Fatal(err)
	}
	if key, err := b.AppendKey(context.Background(), []byte("x"), "", nil); key != nil || err != nil || b.Keyed() {
		t.Errorf("the key of an unkeyed contract is %v, %v", key, err)
	}
}
