package consumer

import (
	"fmt"
	"strconv"
)

// Scope is the part of a group that Pause and Resume are about: Everything, InTopic, InPartition or WithKey.
type Scope struct {
	kind      scopeKind
	topic     string
	partition int32
	key       string
}

type scopeKind uint8

const (
	scopeGroup scopeKind = iota
	scopeTopic
	scopePartition
	scopeKey
)

// Everything is all that the member handles, in whichever partitions it is assigned.
func Everything() Scope { return Scope{} }

// InTopic is every partition of a topic.
func InTopic(topic string) Scope { return Scope{kind: scopeTopic, topic: topic} }

// InPartition is one partition of a topic, whether or not the member owns it now.
func InPartition(topic string, partition int32) Scope {
	return Scope{kind: scopePartition, topic: topic, partition: partition}
}

// WithKey is the records of one key of a topic, by the bytes that the topic's key serde writes.
func WithKey(topic string, key []byte) Scope {
	return Scope{kind: scopeKey, topic: topic, key: string(key)}
}

// String names the scope. It shows a key, which may be personal data.
func (s Scope) String() string {
	return s.describe(func(key []byte) string { return strconv.Quote(string(key)) })
}

func (s Scope) describe(key func([]byte) string) string {
	switch s.kind {
	case scopeTopic:
		return "topic " + s.topic
	case scopePartition:
		return "partition " + tp{s.topic, s.partition}.String()
	case scopeKey:
		return fmt.Sprintf("key %s of topic %s", key([]byte(s.key)), s.topic)
	}
	return "the group"
}
