package middleware

import (
	"testing"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
)

func TestNamesAreThoseOfTheSemanticConventions(t *testing.T) {
	for got, want := range map[attribute.Key]attribute.Key{
		attrSystem: semconv.MessagingSystemKey, attrOperationName: semconv.MessagingOperationNameKey, attrOperationType: semconv.MessagingOperationTypeKey,
		attrDestination: semconv.MessagingDestinationNameKey, attrPartition: semconv.MessagingDestinationPartitionIDKey,
		attrGroup: semconv.MessagingConsumerGroupNameKey, attrClientID: semconv.MessagingClientIDKey,
		attrConversationID: semconv.MessagingMessageConversationIDKey, attrOffset: semconv.MessagingKafkaOffsetKey,
		attrTombstone: semconv.MessagingKafkaMessageTombstoneKey, attrErrorType: semconv.ErrorTypeKey,
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for got, want := range map[string]string{
		metricProcess: messagingconv.ProcessDuration{}.Name(), metricOperation: messagingconv.ClientOperationDuration{}.Name(),
		metricConsumed: messagingconv.ClientConsumedMessages{}.Name(), metricSent: messagingconv.ClientSentMessages{}.Name(), schemaURL: semconv.SchemaURL,
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
