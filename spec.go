package sordini

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ErrContract is wrapped by every error about a contract that can not work.
var ErrContract = errors.New("invalid contract")

// Contract is any Topic[T], where its type does not matter: provisioning, the doctor.
type Contract interface{ Spec() Spec }

// Spec is a contract without its type.
type Spec struct {
	Name, Type, RenamedFrom string
	Keyed                   bool
	Config                  TopicConfig
}

// Spec returns the contract without its type.
func (t Topic[T]) Spec() Spec {
	return Spec{Name: t.Name, Type: t.Type, RenamedFrom: t.RenamedFrom, Keyed: !t.Key.none, Config: t.Config}
}

// TopicConfig is how the topic is created. Contracts of one topic must agree on it.
type TopicConfig struct {
	Partitions        int               // 12 when 0
	ReplicationFactor int               // 3 when 0; below 3 is reported, and refused by Strict
	MinInSyncReplicas int               // 2 when 0; below 2 is reported, and refused by Strict
	Retention         time.Duration     // 7 days when 0; negative keeps for ever
	Compact           bool              // cleanup.policy=compact: the last record of each key is kept, Retention does not apply
	MaxMessageBytes   int               // the broker's default (1 MiB) when 0
	Extra             map[string]string // further Kafka topic settings by their names; one that a field above covers is refused
}

// Defaults of a TopicConfig.
const (
	DefaultPartitions        = 12
	DefaultReplicationFactor = 3
	DefaultMinInSyncReplicas = 2
	DefaultRetention         = 7 * 24 * time.Hour
)

// Kafka's limits.
const (
	maxTopicName = 249
	maxType      = 255 // ours: a header that every record carries
)

// WithDefaults returns the configuration with the defaults filled in. MaxMessageBytes stays 0 where the broker's default is meant.
func (c TopicConfig) WithDefaults() TopicConfig {
	if c.Partitions == 0 {
		c.Partitions = DefaultPartitions
	}
	if c.ReplicationFactor == 0 {
		c.ReplicationFactor = DefaultReplicationFactor
	}
	if c.MinInSyncReplicas == 0 {
		c.MinInSyncReplicas = min(DefaultMinInSyncReplicas, c.ReplicationFactor)
	}
	switch {
	case c.Compact:
		c.Retention = 0
	case c.Retention == 0:
		c.Retention = DefaultRetention
	case c.Retention < 0:
		c.Retention = -1
	}
	return c
}

// Settings returns the topic's settings by Kafka's names, defaults included.
func (c TopicConfig) Settings() map[string]string {
	c = c.WithDefaults()
	s := map[string]string{"min.insync.replicas": strconv.Itoa(c.MinInSyncReplicas), "cleanup.policy": "delete"}
	switch {
	case c.Compact:
		s["cleanup.policy"] = "compact"
	case c.Retention < 0:
		s["retention.ms"] = "-1"
	default:
		s["retention.ms"] = strconv.FormatInt(c.Retention.Milliseconds(), 10)
	}
	if c.MaxMessageBytes > 0 {
		s["max.message.bytes"] = strconv.Itoa(c.MaxMessageBytes)
	}
	maps.Copy(s, c.Extra)
	return s
}

// covered are the settings that a field says, so that Extra may not.
var covered = map[string]string{
	"cleanup.policy": "Compact", "max.message.bytes": "MaxMessageBytes", "min.insync.replicas": "MinInSyncReplicas", "retention.ms": "Retention",
}

// Validate reports what can not work with the contract, joined; each error wraps [ErrContract] and names the topic, the field and the fix. Topic.Bind,
// producer.To, consumer.Handle and EnsureTopics call it.
func (s Spec) Validate() error {
	if why := topicNameProblem(s.Name); why != "" {
		return fmt.Errorf("topic %q: %s: %w", s.Name, why, ErrContract)
	}
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("topic %q: %s: %w", s.Name, fmt.Sprintf(format, args...), ErrContract))
	}
	if s.RenamedFrom != "" {
		if why := topicNameProblem(s.RenamedFrom); why != "" {
			bad("RenamedFrom %q: %s", s.RenamedFrom, why)
		} else if s.RenamedFrom == s.Name {
			bad("RenamedFrom is the topic's own name; leave it out")
		}
	}
	switch {
	case len(s.Type) > maxType:
		bad("Type has %d bytes; every record carries it, so at most %d are allowed", len(s.Type), maxType)
	case !utf8.ValidString(s.Type) || strings.ContainsFunc(s.Type, unicode.IsControl):
		bad("Type %q is not plain text", s.Type)
	}
	c := s.Config
	for field, n := range map[string]int{
		"Partitions": c.Partitions, "ReplicationFactor": c.ReplicationFactor, "MinInSyncReplicas": c.MinInSyncReplicas, "MaxMessageBytes": c.MaxMessageBytes,
	} {
		if n < 0 {
			bad("Config.%s is %d; leave it out for the default", field, n)
		}
	}
	if c.ReplicationFactor > 32767 {
		bad("Config.ReplicationFactor is %d; Kafka's limit is 32767", c.ReplicationFactor)
	}
	if d := c.WithDefaults(); d.MinInSyncReplicas > d.ReplicationFactor {
		bad("Config.MinInSyncReplicas is %d with a ReplicationFactor of %d: nothing could ever be written; make it smaller", d.MinInSyncReplicas, d.ReplicationFactor)
	}
	if c.Retention > 0 && c.Retention < time.Millisecond {
		bad("Config.Retention is %s; Kafka counts milliseconds", c.Retention)
	}
	if c.Compact && c.Retention > 0 {
		bad("Config has both Compact and Retention; a compacted topic keeps the last record of each key for ever, so leave Retention out")
	}
	if c.Compact && !s.Keyed {
		bad("Config.Compact needs keys; use sordini.KeyString or sordini.KeyOf, or leave Compact out")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Extra)) {
		if field, ok := covered[name]; ok {
			bad("Config.Extra has %s; use Config.%s", name, field)
		} else if name == "" || strings.ContainsFunc(name, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
		}) {
			bad("Config.Extra has %q, which is no name of a Kafka topic setting", name)
		}
	}
	slices.SortStableFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// topicNameProblem applies Kafka's rule (org.apache.kafka.common.internals.Topic): 1 to 249 of [a-zA-Z0-9._-], and neither "." nor "..".
func topicNameProblem(name string) string {
	switch {
	case name == "":
		return "Name is not set"
	case name == "." || name == "..":
		return `the name may not be "." or ".."`
	case len(name) > maxTopicName:
		return fmt.Sprintf("the name has %d characters; Kafka allows %d", len(name), maxTopicName)
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-' {
			return fmt.Sprintf("the name has %q; Kafka allows letters, digits, '.', '_' and '-'", r)
		}
	}
	return ""
}

// CheckContracts reports contracts that contradict each other: several on one topic must agree on its Config and RenamedFrom. Errors wrap [ErrContract] and
// name both. It does not validate each by itself.
func CheckContracts(specs ...Spec) error {
	var errs []error
	first := map[string]Spec{}
	for _, s := range specs {
		f, ok := first[s.Name]
		if !ok {
			first[s.Name] = s
			continue
		}
		for _, d := range differences(f, s) {
			errs = append(errs, fmt.Errorf("topic %q: the contracts%s and%s say %s; make them agree (share one sordini.TopicConfig): %w", s.Name, typed(f), typed(s), d, ErrContract))
		}
	}
	return errors.Join(errs...)
}

func typed(s Spec) string {
	if s.Type == "" {
		return " without a type"
	}
	return fmt.Sprintf(" of type %q", s.Type)
}

// differences lists what two contracts of one topic say differently, as "Partitions 12 and 6".
func differences(a, b Spec) []string {
	var out []string
	x, y := a.Config.WithDefaults(), b.Config.WithDefaults()
	differ := func(name string, a, b any) {
		if a != b {
			out = append(out, fmt.Sprintf("%s %v and %v", name, a, b))
		}
	}
	differ("RenamedFrom", a.RenamedFrom, b.RenamedFrom)
	differ("Partitions", x.Partitions, y.Partitions)
	differ("ReplicationFactor", x.ReplicationFactor, y.ReplicationFactor)
	differ("MinInSyncReplicas", x.MinInSyncReplicas, y.MinInSyncReplicas)
	differ("Retention", x.Retention, y.Retention)
	differ("Compact", x.Compact, y.Compact)
	differ("MaxMessageBytes", x.MaxMessageBytes, y.MaxMessageBytes)
	if !maps.Equal(x.Extra, y.Extra) {
		differ("Extra", fmt.Sprint(x.Extra), fmt.Sprint(y.Extra))
	}
	return out
}
