package dlt

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/sordini-go/sordini"
)

// Failure is a record that a group gave up on, and why.
type Failure struct {
	Record      *sordini.Record // as it was fetched; neither changed nor copied
	TopicID     [16]byte        // the source topic's id; zero where the broker has none (before Kafka 2.8)
	Group       string
	Class       Class
	Err         error // the last attempt's
	Stack       []byte
	Attempts    int
	FirstFailed time.Time
	Failed      time.Time
	Client      string // who wrote it; see ClientText
}

// Identity returns the identity of the dead letter that the failure becomes; see [Letter.Identity].
func (x Failure) Identity() string {
	return identity(x.Group, x.TopicID, x.Record.Topic, x.Record.Partition, x.Record.Offset)
}

// identity is "group/topic-id/topic/partition/offset". Read from the right it is unambiguous: only the group may hold a '/'.
func identity(group string, id [16]byte, topic string, partition int32, offset int64) string {
	b := make([]byte, 0, len(group)+len(topic)+22+24)
	b = append(b, group...)
	b = append(b, '/')
	b = append(b, topicIDText(id)...)
	b = append(b, '/')
	b = append(b, topic...)
	b = append(b, '/')
	b = strconv.AppendInt(b, int64(partition), 10)
	b = append(b, '/')
	b = strconv.AppendInt(b, offset, 10)
	return string(b)
}

// topicIDText writes a topic id as org.apache.kafka.common.Uuid does: base64 with the URL alphabet, no padding.
func topicIDText(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

func parseTopicID(s string) (id [16]byte, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("%q is not a topic id", s)
	}
	copy(id[:], b)
	return id, nil
}

// ClientText returns what Failure.Client should be for a member with this client id: the id (the program's name when it is empty), the host's name
// and the version of this module in the running program.
func ClientText(clientID string) string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown-host"
	}
	return cmp.Or(clientID, path.Base(os.Args[0])) + " " + host + " " + moduleVersion()
}

// moduleVersion is "sordini@v1.2.3", or "sordini@devel" when the module is built from its own tree.
func moduleVersion() string {
	const module = "github.com/sordini-go/sordini"
	version := "devel"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == module && dep.Version != "" && dep.Replace == nil {
				version = dep.Version
			}
		}
	}
	return "sordini@" + version
}
