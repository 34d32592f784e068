package settings

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDefaultsKeepTheirOwnRules(t *testing.T) {
	for _, defs := range [][]Def{Topics, Brokers, Groups, ClientMetrics} {
		for i := range defs {
			d := &defs[i]
			if i > 0 && defs[i-1].Name >= d.Name {
				t.Errorf("%s comes after %s", d.Name, defs[i-1].Name)
			}
			if !d.Unset {
				if err := d.Check(d.Default); err != nil {
					t.Error(err)
				}
			}
			for _, s := range d.Synonyms {
				if b, ok := Lookup(Brokers, s); !ok || b.Kind != d.Kind {
					t.Errorf("%s falls back to %s, which brokers do not have", d.Name, s)
				}
			}
		}
	}
}

func TestValuesAreChecked(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"retention.ms", "-1", ""},
		{"retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"},
		{"retention.ms", "x", "Invalid value x for configuration retention.ms: Not a number of type LONG"},
		{"max.message.bytes", "2147483648", "Invalid value 2147483648 for configuration max.message.bytes: Not a number of type INT"},
		{"compression.gzip.level", "10", "Invalid value 10 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1"},
		{"compression.gzip.level", "0", "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1"},
		{"compression.gzip.level", "-1", ""},
		{"min.cleanable.dirty.ratio", "0.3", ""},
		{"min.cleanable.dirty.ratio", "1.3", "Invalid value 1.3 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"},
		{"min.cleanable.dirty.ratio", "2", "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"},
		{"min.cleanable.dirty.ratio", "NaN", "Invalid value NaN for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE"},
		{"cleanup.policy", "compact, delete", ""},
		{"cleanup.policy", "shrink", "Invalid value shrink for configuration cleanup.policy: String must be one of: compact, delete"},
		{"message.timestamp.type", "Never", "Invalid value Never for configuration message.timestamp.type: String must be one of: CreateTime, LogAppendTime"},
		{"preallocate", "yes", "Invalid value yes for configuration preallocate: Expected value to be either true or false"},
	} {
		d, ok := Lookup(Topics, test.name)
		if !ok {
			t.Fatalf("no setting %s", test.name)
		}
		got := ""
		if err := d.Check(test.value); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s=%s: %q, want %q", test.name, test.value, got, test.want)
		}
	}
}

func TestRetentionFallsBackToCoarserSettings(t *testing.T) {
	for _, test := range []struct {
		static map[string]string
		topic  map[string]string
		want   time.Duration
	}{
		{nil, nil, 7 * 24 * time.Hour},
		{map[string]string{"log.retention.hours": "2"}, nil, 2 * time.Hour},
		{map[string]string{"log.retention.hours": "2", "log.retention.minutes": "3"}, nil, 3 * time.Minute},
		{map[string]string{"log.retention.hours": "-1"}, nil, -time.Millisecond},
		{map[string]string{"log.retention.hours": "2", "log.retention.ms": "5"}, nil, 5 * time.Millisecond},
		{map[string]string{"log.retention.ms": "5"}, map[string]string{"retention.ms": "9223372036854775807"}, 1<<63 - 1},
	} {
		b, err := NewBroker(test.static)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseTopic(test.topic, b)
		if err != nil || got.Retention != test.want {
			t.Errorf("%v %v: retention %v, %v; want %v", test.static, test.topic, got.Retention, err, test.want)
		}
	}
}

func TestUnknownSettingsAreRefused(t *testing.T) {
	if _, err := NewBroker(map[string]string{"message.max.byts": "1"}); !isUnknown(err) {
		t.Errorf("broker: %v", err)
	}
	if err := CheckGroup(map[string]string{"nope": "1"}, Broker{}); !isUnknown(err) {
		t.Errorf("group: %v", err)
	}
	if _, err := ParseTopic(map[string]string{"retention": "1"}, Broker{}); !isUnknown(err) {
		t.Errorf("topic: %v", err)
	}
}

func isUnknown(err error) bool {
	_, ok := errors.AsType[*UnknownError](err)
	return ok
}

func TestAlteredSettingComesBeforeTheStatic(t *testing.T) {
	b, err := NewBroker(map[string]string{"message.max.bytes": "2000"})
	if err != nil {
		t.Fatal(err)
	}
	b = b.With(map[string]string{"message.max.bytes": "3000"})
	if n := b.Int("message.max.bytes"); n != 3000 {
		t.Errorf("value %d", n)
	}
	vs := b.Values("message.max.bytes")
	if len(vs) != 3 || vs[0].Source != FromBrokerDefault || vs[1].Source != FromFile || vs[2].Source != FromDefault {
		t.Errorf("values %+v", vs)
	}
}

// What stands in this package must not say otherwise than Kafka's list, except where it says why.
func TestWhatIsActedUponIsAsKafkaHasIt(t *testing.T) {
	for line := range strings.Lines(brokers) {
		listed := parseDef(strings.Fields(line))
		d, ok := Lookup(Brokers, listed.Name)
		if !ok {
			t.Errorf("%s is not known", listed.Name)
			continue
		}
		if d.Kind != listed.Kind || d.Default != listed.Default || d.Unset != listed.Unset || d.ReadOnly != listed.ReadOnly || d.Scope != listed.Scope {
			t.Errorf("%s: %+v, listed is %+v", d.Name, *d, listed)
		}
	}
	if _, ok := Lookup(Brokers, "message.max.bytes"); !ok || len(Brokers) != 340 {
		t.Errorf("%d settings", len(Brokers))
	}
}

func TestDefaultsAreCanonical(t *testing.T) {
	for _, d := range Brokers {
		if have := d.Canonical(d.Default); !d.Inert && !d.Unset && have != d.Default {
			t.Errorf("%s: the default %q is written as %q", d.Name, d.Default, have)
		}
	}
}
