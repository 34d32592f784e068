package registry

import (
	"errors"
	"fmt"

	"github.com/sordini-go/sordini/serde"
)

// SubjectName says under which subject the schema of a topic's keys or values is registered. record is the full name of the record or message, "" in a
// format that has none.
type SubjectName func(topic string, role serde.Role, record string) (string, error)

// The strategies of Confluent's serializers. TopicName is the default, as theirs: one schema for a topic, evolving. RecordName and TopicRecordName are
// for topics with several types of records.
var (
	TopicName SubjectName = func(topic string, role serde.Role, _ string) (string, error) {
		return topic + "-" + role.String(), nil
	}
	RecordName SubjectName = func(_ string, _ serde.Role, record string) (string, error) {
		if record == "" {
			return "", errNoName
		}
		return record, nil
	}
	TopicRecordName SubjectName = func(topic string, _ serde.Role, record string) (string, error) {
		if record == "" {
			return "", errNoName
		}
		return topic + "-" + record, nil
	}
)

var errNoName = errors.New("the subject is named after the record, and the schema has no name; use registry.TopicName, or give the schema a name")

// Fixed names one subject for whatever the topic is.
func Fixed(subject string) SubjectName {
	return func(string, serde.Role, string) (string, error) {
		if subject == "" {
			return "", fmt.Errorf("registry.Fixed: the subject is empty")
		}
		return subject, nil
	}
}
