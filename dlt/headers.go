package dlt

import "strings"

// Version is the header format that this release writes.
const Version = 1

// The headers of a dead letter; see the table in the package documentation. A persisted format: names are added, never changed.
const (
	HeaderVersion     = "dlt-version"
	HeaderTopic       = "dlt-topic"
	HeaderTopicID     = "dlt-topic-id"
	HeaderPartition   = "dlt-partition"
	HeaderOffset      = "dlt-offset"
	HeaderTimestamp   = "dlt-timestamp"
	HeaderGroup       = "dlt-group"
	HeaderError       = "dlt-error"
	HeaderErrorClass  = "dlt-error-class"
	HeaderStack       = "dlt-stack"
	HeaderFingerprint = "dlt-fingerprint"
	HeaderAttempts    = "dlt-attempts"
	HeaderFirstFailed = "dlt-first-failed"
	HeaderFailed      = "dlt-failed"
	HeaderClient      = "dlt-client"
	HeaderTruncated   = "dlt-truncated"
)

// ours reports whether a header is one that Record writes in the given profile: such a one is replaced. Further names with our prefix are the user's.
func ours(name string, p Profile) bool {
	switch name {
	case HeaderVersion, HeaderTopic, HeaderTopicID, HeaderPartition, HeaderOffset, HeaderTimestamp, HeaderGroup, HeaderError, HeaderErrorClass, HeaderStack,
		HeaderFingerprint, HeaderAttempts, HeaderFirstFailed, HeaderFailed, HeaderClient, HeaderTruncated:
		return true
	}
	return p&Spring != 0 && strings.HasPrefix(name, springPrefix) ||
		p&Kafka != 0 && strings.HasPrefix(name, kafkaPrefix) ||
		p&Connect != 0 && strings.HasPrefix(name, connectPrefix)
}

// Profile chooses header dialects that are written beside ours, for the tools that look for them.
type Profile uint8

// The dialects; combine them with |.
const (
	Spring  Profile = 1 << iota // Spring Kafka's DeadLetterPublishingRecoverer: kafka_dlt-original-topic …; numbers are big-endian, as it writes them
	Kafka                       // Kafka's share groups (KIP-1191): __dlq.errors.topic …, text
	Connect                     // Kafka Connect's sink connectors (KIP-298): __connect.errors.topic …, text
)

// The prefixes of the other dialects.
const (
	springPrefix  = "kafka_dlt-"
	kafkaPrefix   = "__dlq.errors."
	connectPrefix = "__connect.errors."
)
