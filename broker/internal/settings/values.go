package settings

import (
	"errors"
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
	FromLogger        Source = 6 // DYNAMIC_BROKER_LOGGER_CONFIG
	FromClientMetrics Source = 7 // CLIENT_METRICS_CONFIG
	FromGroup         Source = 8 // GROUP_CONFIG
)

// Value is a setting's value and where it was found.
type Value struct {
	Name   string // of the setting that holds it
	Value  string
	Unset  bool // the value is null
	Source Source
}

// Broker holds the values of the brokers' settings. It is immutable: what alters it returns a copy.
type Broker struct {
	static  map[string]string // given at the start
	dynamic map[string]string // altered since, for all brokers
	node    map[string]string // altered since, for this broker; see Of

	resolved map[string]string // of those that were given and have an effect, canonical
}

// NewBroker checks the values that the brokers are started with.
func NewBroker(static map[string]string) (Broker, error) {
	for _, name := range slices.Sorted(maps.Keys(static)) {
		d, ok := Lookup(Brokers, name)
		if !ok {
			return Broker{}, fmt.Errorf("broker property: %w", &UnknownError{Of: "broker", Name: name})
		}
		if err := d.Check(static[name]); err != nil {
			return Broker{}, fmt.Errorf("broker property: %w", err)
		}
	}
	b := Broker{static: maps.Clone(deviations)}
	maps.Copy(b.static, static)
	return b.resolve(), nil
}

// deviations are what brokers are started with where nothing else is said, since a test would only wait: Kafka gathers the members of a group that
// starts, and computes assignments no more often than each second.
var deviations = map[string]string{"group.initial.rebalance.delay.ms": "0", "group.consumer.assignment.interval.ms": "0",
	"group.share.assignment.interval.ms": "0"}

// Inert returns the names among the given settings that have no effect.
func Inert(static map[string]string) (names []string) {
	for name := range static {
		if d, ok := Lookup(Brokers, name); ok && d.Inert {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// With returns a copy in which the settings that were altered for all brokers are replaced by some that have been checked, see [CheckDynamic].
func (b Broker) With(dynamic map[string]string) Broker {
	b.dynamic = maps.Clone(dynamic)
	return b.resolve()
}

// Of returns a copy for one broker: with what it was started with of its own, and what was altered for it.
func (b Broker) Of(static, altered map[string]string) Broker {
	if len(static) > 0 {
		b.static = maps.Clone(b.static)
		if b.static == nil {
			b.static = make(map[string]string)
		}
		maps.Copy(b.static, static)
	}
	b.node = maps.Clone(altered)
	return b.resolve()
}

// Dynamic returns what was altered for all brokers. It must not be written to.
func (b Broker) Dynamic() map[string]string { return b.dynamic }

// Own returns what was altered for one broker. It must not be written to.
func (b Broker) Own() map[string]string { return b.node }

// Names returns the names under which values were given, at the start and since, that Kafka has no setting for.
func (b Broker) Names() []string {
	extra := make(map[string]bool)
	for _, from := range []map[string]string{b.static, b.dynamic, b.node} {
		for name := range from {
			if _, ok := Lookup(Brokers, name); !ok {
				extra[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(extra))
}

func (b Broker) resolve() Broker {
	b.resolved = make(map[string]string, len(b.static)+len(b.dynamic)+len(b.node))
	for _, from := range []map[string]string{b.static, b.dynamic, b.node} { // the last one wins
		for name, v := range from {
			if d, ok := Lookup(Brokers, name); ok && !d.Inert {
				b.resolved[name] = d.Canonical(v)
			}
		}
	}
	return b
}

// get returns the value of a setting that has an effect. Defaults are canonical as they are.
func (b Broker) get(name string) (string, bool) {
	if v, ok := b.resolved[name]; ok {
		return v, true
	}
	d, ok := Lookup(Brokers, name)
	if !ok || d.Unset {
		return "", false
	}
	return d.Default, true
}

// find returns the value of one setting.
func (b Broker) find(d *Def) (string, bool) {
	for _, from := range []map[string]string{b.node, b.dynamic, b.static} {
		if v, ok := from[d.Name]; ok {
			return v, true
		}
	}
	return d.Default, !d.Unset
}

// Value returns the value of a setting as Kafka writes it, and whether there is one.
func (b Broker) Value(d *Def) (string, bool) {
	v, ok := b.find(d)
	if ok {
		v = d.Canonical(v)
	}
	return v, ok
}

// Shown returns values for a log, without those that are secrets or may be.
func Shown(values map[string]string) map[string]string {
	shown := maps.Clone(values)
	for name := range shown {
		base, _ := WithoutListener(name)
		if d, ok := Lookup(Brokers, base); !ok || d.Sensitive() {
			shown[name] = "[hidden]"
		}
	}
	return shown
}

// Values returns what is known of a broker's setting, most important first: its own values, and those of the settings that it stands for
// (log.retention.hours for log.retention.ms, a setting for the same under a listener's prefix). Kafka has no entry for the latter where the former
// has none.
func (b Broker) Values(name string) (vs []Value) {
	for _, alias := range aliases(name) {
		for _, from := range []struct {
			values map[string]string
			source Source
		}{{b.node, FromBroker}, {b.dynamic, FromBrokerDefault}, {b.static, FromFile}} {
			if v, ok := from.values[alias]; ok {
				vs = append(vs, Value{Name: alias, Value: v, Source: from.source})
			}
		}
		if d, ok := Lookup(Brokers, alias); ok && !d.Unset {
			vs = append(vs, Value{Name: alias, Value: d.Default, Source: FromDefault})
		}
	}
	for len(vs) > 0 && vs[0].Name != name {
		vs = vs[1:]
	}
	return vs
}

// finer lists the settings that are one in several units, the most exact one first.
var finer = [][]string{
	{"log.retention.ms", "log.retention.minutes", "log.retention.hours"},
	{"log.roll.ms", "log.roll.hours"},
	{"log.roll.jitter.ms", "log.roll.jitter.hours"},
	{"log.flush.interval.ms", "log.flush.scheduler.interval.ms"},
}

// aliases lists the settings of which a value may be found for another, the most important one first.
func aliases(name string) []string {
	for _, group := range finer {
		if i := slices.Index(group, name); i >= 0 && (i == 0 || group[0] != "log.flush.interval.ms") {
			return group
		}
	}
	if base, ok := WithoutListener(name); ok {
		return []string{name, base}
	}
	return []string{name}
}

// WithoutListener strips the prefix of a setting for one listener, such as listener.name.external.ssl.keystore.type.
func WithoutListener(name string) (base string, ok bool) {
	rest, ok := strings.CutPrefix(name, "listener.name.")
	if !ok {
		return name, false
	}
	_, base, ok = strings.Cut(rest, ".")
	if !ok {
		return name, false
	}
	return base, true
}

// Int returns the value of a broker's setting that is a number. The name must be one of [Brokers] that has an effect.
func (b Broker) Int(name string) int {
	v, ok := b.get(name)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("broker setting %s was not checked: %v", name, err))
	}
	return int(n)
}

// Bool returns the value of a broker's setting that is true or false.
func (b Broker) Bool(name string) bool { return b.String(name) == "true" }

// String returns the value of a broker's setting.
func (b Broker) String(name string) string { v, _ := b.get(name); return v }

// Millis returns the value of a broker's setting that is a time in milliseconds.
func (b Broker) Millis(name string) time.Duration {
	return time.Duration(b.Int(name)) * time.Millisecond
}

// unit is how many milliseconds one of a setting's units has.
func unit(name string) int64 {
	switch {
	case strings.HasSuffix(name, ".minutes"):
		return 60_000
	case strings.HasSuffix(name, ".hours"):
		return 3_600_000
	}
	return 1
}

// TopicValue returns the value that holds for a topic, and where it comes from.
func TopicValue(d *Def, overrides map[string]string, b Broker) Value {
	v := Value{Name: d.Name, Value: topicValue(d, overrides, b), Source: FromTopic}
	if _, own := overrides[d.Name]; !own {
		v.Source = FromDefault
		if vs := TopicValues(d, nil, b); len(vs) > 0 {
			v.Source = vs[0].Source
		}
	}
	return v
}

// topicValue is the value alone.
func topicValue(d *Def, overrides map[string]string, b Broker) string {
	if v, ok := overrides[d.Name]; ok {
		return d.Canonical(v)
	}
	for _, s := range d.Synonyms {
		for _, alias := range aliases(s) {
			def, ok := Lookup(Brokers, alias)
			if !ok {
				continue
			}
			v, ok := b.find(def)
			if !ok {
				continue
			}
			if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil && n > 0 && unit(alias) > 1 {
				v = strconv.FormatInt(n*unit(alias), 10)
			}
			return d.Canonical(v)
		}
	}
	return d.Canonical(d.Default)
}

// TopicValues returns what is known of a topic's setting, most important first: the topic's own value, then the broker's with their defaults. A setting
// that has no counterpart among the broker's, or one without a default, has no entry for its own default; Kafka lists synonyms in the same way.
func TopicValues(d *Def, overrides map[string]string, b Broker) (vs []Value) {
	if v, ok := overrides[d.Name]; ok {
		vs = append(vs, Value{Name: d.Name, Value: d.Canonical(v), Source: FromTopic})
	}
	for _, s := range d.Synonyms {
		vs = append(vs, b.Values(s)...)
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
	SegmentJitter   int64         // how much sooner than SegmentMs a segment may be rolled, milliseconds
	Dirty           float64       // min.cleanable.dirty.ratio
	MinLag, MaxLag  time.Duration // how long a record stays as it was written at least, and at most
	DeleteRetention time.Duration // how long a tombstone stays after it has been compacted
	Compression     string        // compression.type
	Level           int           // of Compression, where it names a codec that has levels
}

// ParseTopic checks a topic's own settings and resolves all of them.
func ParseTopic(overrides map[string]string, b Broker) (Topic, error) {
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		d, ok := Lookup(Topics, name)
		if !ok {
			return Topic{}, &UnknownError{Of: "topic", Name: name}
		}
		if err := d.Check(overrides[name]); err != nil {
			return Topic{}, err
		}
	}
	if overrides["remote.storage.enable"] == "true" {
		return Topic{}, errors.New("Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.")
	}
	get := func(name string) string {
		d, _ := Lookup(Topics, name)
		return topicValue(d, overrides, b)
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
	if from, to := number("min.compaction.lag.ms"), number("max.compaction.lag.ms"); from > to {
		return Topic{}, fmt.Errorf("conflict topic config setting min.compaction.lag.ms (%d) > max.compaction.lag.ms (%d)", from, to)
	}
	policy := SplitList(get("cleanup.policy"))
	dirty, err := strconv.ParseFloat(get("min.cleanable.dirty.ratio"), 64)
	if err != nil {
		panic(fmt.Sprintf("setting min.cleanable.dirty.ratio was not checked: %v", err))
	}
	compression, level := get("compression.type"), 0
	switch compression {
	case "gzip", "lz4", "zstd":
		level = int(number("compression." + compression + ".level"))
	}
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
		SegmentJitter:   number("segment.jitter.ms"),
		Dirty:           dirty,
		MinLag:          millis("min.compaction.lag.ms"),
		MaxLag:          millis("max.compaction.lag.ms"),
		DeleteRetention: millis("delete.retention.ms"),
		Compression:     compression,
		Level:           level,
	}, nil
}
