package settings

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Source is where a value comes from, numbered as DescribeConfigs has it.
type Source int8

// Kafka's sources of a setting's value.
const (
	FromTopic         Source = 1 // DYNAMIC_TOPIC_CONFIG
	FromBroker        Source = 2 // DYNAMIC_BROKER_CONFIG
	FromBrokerDefault Source = 3 // DYNAMIC_DEFAULT_BROKER_CONFIG
	FromFile          Source = 4 // STATIC_BROKER_CONFIG
	FromDefault       Source = 5 // DEFAULT_CONFIG
)

// Value is a setting's value and where it was found.
type Value struct {
	Name   string // of the setting that holds it
	Value  string
	Unset  bool // the value is null
	Source Source
}

// Broker holds the values of a broker's settings. It is not safe for concurrent use.
type Broker struct {
	Static  map[string]string // given at the start
	Dynamic map[string]string // altered since, for the whole cluster
}

// NewBroker checks the values that a broker is started with.
func NewBroker(static map[string]string) (Broker, error) {
	for _, name := range slices.Sorted(maps.Keys(static)) {
		d, ok := Lookup(Brokers, name)
		if !ok {
			return Broker{}, fmt.Errorf("broker property: %w", &UnknownError{Name: name})
		}
		if err := d.Check(static[name]); err != nil {
			return Broker{}, fmt.Errorf("broker property: %w", err)
		}
	}
	return Broker{Static: static, Dynamic: map[string]string{}}, nil
}

// With returns a copy in which dynamic settings are replaced, after it has checked them.
func (b Broker) With(dynamic map[string]string) (Broker, error) {
	for _, name := range slices.Sorted(maps.Keys(dynamic)) {
		d, ok := Lookup(Brokers, name)
		if !ok {
			return Broker{}, &UnknownError{Name: name}
		}
		if err := d.Check(dynamic[name]); err != nil {
			return Broker{}, err
		}
	}
	return Broker{Static: b.Static, Dynamic: dynamic}, nil
}

// Values returns what is known of a broker's setting, most important first.
func (b Broker) Values(name string) (vs []Value) {
	if v, ok := b.Dynamic[name]; ok {
		vs = append(vs, Value{Name: name, Value: v, Source: FromBrokerDefault})
	}
	if v, ok := b.Static[name]; ok {
		vs = append(vs, Value{Name: name, Value: v, Source: FromFile})
	}
	if d, ok := Lookup(Brokers, name); ok && !d.Unset {
		vs = append(vs, Value{Name: name, Value: d.Default, Source: FromDefault})
	}
	return vs
}

// Int returns the value of a broker's setting that is a number. The name must be one of [Brokers].
func (b Broker) Int(name string) int {
	vs := b.Values(name)
	if len(vs) == 0 {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(vs[0].Value), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("broker setting %s was not checked: %v", name, err))
	}
	return int(n)
}

// Bool returns the value of a broker's setting that is true or false.
func (b Broker) Bool(name string) bool {
	vs := b.Values(name)
	return len(vs) > 0 && vs[0].Value == "true"
}

// String returns the value of a broker's setting.
func (b Broker) String(name string) string {
	if vs := b.Values(name); len(vs) > 0 {
		return vs[0].Value
	}
	return ""
}

// Millis returns the value of a broker's setting that is a time in milliseconds.
func (b Broker) Millis(name string) time.Duration {
	return time.Duration(b.Int(name)) * time.Millisecond
}

// coarser lists what Kafka falls back to where a setting in milliseconds is not given.
var coarser = map[string][]struct {
	name string
	ms   int64
}{
	"log.retention.ms": {{"log.retention.minutes", 60_000}, {"log.retention.hours", 3_600_000}},
	"log.roll.ms":      {{"log.roll.hours", 3_600_000}},
}

// TopicValue returns the value that holds for a topic.
func TopicValue(d *Def, overrides map[string]string, b Broker) Value {
	if vs := TopicValues(d, overrides, b); len(vs) > 0 {
		return vs[0]
	}
	return Value{Name: d.Name, Value: d.Default, Source: FromDefault}
}

// TopicValues returns what is known of a topic's setting, most important first: the topic's own, then the broker's with their defaults. A setting
// that has no counterpart among the broker's, or one without a default, has no entry for its own default; Kafka lists synonyms in the same way.
func TopicValues(d *Def, overrides map[string]string, b Broker) (vs []Value) {
	if v, ok := overrides[d.Name]; ok {
		vs = append(vs, Value{Name: d.Name, Value: v, Source: FromTopic})
	}
	for _, s := range d.Synonyms {
		vs = append(vs, b.Values(s)...)
		for _, c := range coarser[s] {
			if v, ok := b.Static[c.name]; ok {
				n, _ := strconv.ParseInt(v, 10, 64)
				if n > 0 {
					n *= c.ms
				}
				vs = append(vs, Value{Name: c.name, Value: strconv.FormatInt(n, 10), Source: FromFile})
			}
		}
	}
	return vs
}

// Topic is what the broker acts upon, parsed.
type Topic struct {
	MaxMessageBytes int
	MinISR          int
	Compact, Delete bool
	AppendTime      bool
	Unclean         bool          // unclean.leader.election.enable
	Before, After   time.Duration // how far a record's timestamp may lie behind or ahead
	Retention       time.Duration // negative: none
	RetentionBytes  int64         // negative: none
	SegmentBytes    int64
	SegmentMs       int64
}

// ParseTopic checks a topic's own settings and resolves all of them.
func ParseTopic(overrides map[string]string, b Broker) (Topic, error) {
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		d, ok := Lookup(Topics, name)
		if !ok {
			return Topic{}, &UnknownError{Name: name, Topic: true}
		}
		if err := d.Check(overrides[name]); err != nil {
			return Topic{}, err
		}
	}
	get := func(name string) string {
		d, _ := Lookup(Topics, name)
		return strings.TrimSpace(TopicValue(d, overrides, b).Value)
	}
	number := func(name string) int64 {
		n, err := strconv.ParseInt(get(name), 10, 64)
		if err != nil {
			panic(fmt.Sprintf("setting %s was not checked: %v", name, err))
		}
		return n
	}
	millis := func(name string) time.Duration {
		n := number(name)
		if n > int64(1<<63-1)/int64(time.Millisecond) {
			return 1<<63 - 1
		}
		return time.Duration(n) * time.Millisecond
	}
	policy := SplitList(get("cleanup.policy"))
	return Topic{
		MaxMessageBytes: int(number("max.message.bytes")),
		MinISR:          int(number("min.insync.replicas")),
		Compact:         slices.Contains(policy, "compact"),
		Delete:          slices.Contains(policy, "delete"),
		AppendTime:      get("message.timestamp.type") == "LogAppendTime",
		Unclean:         get("unclean.leader.election.enable") == "true",
		Before:          millis("message.timestamp.before.max.ms"),
		After:           millis("message.timestamp.after.max.ms"),
		Retention:       millis("retention.ms"),
		RetentionBytes:  number("retention.bytes"),
		SegmentBytes:    number("segment.bytes"),
		SegmentMs:       number("segment.ms"),
	}, nil
}
