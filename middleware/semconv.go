package middleware

import "go.opentelemetry.io/otel/attribute"

// Names of OpenTelemetry's semantic conventions v1.43 (messaging, Kafka). They stand here, because the package that declares them for Go declares some
// thousands; a test compares them.
const (
	schemaURL = "https://opentelemetry.io/schemas/1.43.0"

	attrSystem         = attribute.Key("messaging.system")
	attrOperationName  = attribute.Key("messaging.operation.name")
	attrOperationType  = attribute.Key("messaging.operation.type")
	attrDestination    = attribute.Key("messaging.destination.name")
	attrPartition      = attribute.Key("messaging.destination.partition.id")
	attrGroup          = attribute.Key("messaging.consumer.group.name")
	attrClientID       = attribute.Key("messaging.client.id")
	attrConversationID = attribute.Key("messaging.message.conversation_id")
	attrBatchCount     = attribute.Key("messaging.batch.message_count")
	attrOffset         = attribute.Key("messaging.kafka.offset")
	attrTombstone      = attribute.Key("messaging.kafka.message.tombstone")
	attrErrorType      = attribute.Key("error.type")

	metricProcess   = "messaging.process.duration"
	metricOperation = "messaging.client.operation.duration"
	metricConsumed  = "messaging.client.consumed.messages"
	metricSent      = "messaging.client.sent.messages"
)

// Names of our own, for what the conventions do not name.
const (
	attrAttempt = attribute.Key("sordini.attempt") // of a process span: 1 for the first
	attrOutcome = attribute.Key("sordini.outcome") // of a process span and its duration: skipped or cut, where it was neither done nor failed
	attrLink    = attribute.Key("sordini.link")    // of a span's link: why it is there

	metricDelay = "sordini.process.delay"
)

// buckets are those that the conventions advise for durations, in seconds.
var buckets = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
