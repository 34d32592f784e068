package dlt

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sordini-go/sordini"
)

// InboxVersion is the format of inbox records that this release writes.
const InboxVersion = 1

// The headers of a record in a group's inbox, all of them text. A persisted format: names are added, never changed.
const (
	HeaderInboxVersion     = "inbox-version"
	HeaderInboxTopic       = "inbox-topic" // where the record came from, as in a dead letter
	HeaderInboxTopicID     = "inbox-topic-id"
	HeaderInboxPartition   = "inbox-partition"
	HeaderInboxOffset      = "inbox-offset"
	HeaderInboxTimestamp   = "inbox-timestamp"
	HeaderInboxGroup       = "inbox-group"
	HeaderInboxDue         = "inbox-due"          // RFC 3339 with milliseconds; it is not handled before
	HeaderInboxAttempts    = "inbox-attempts"     // decimal: how often it failed so far
	HeaderInboxRound       = "inbox-round"        // decimal: how often it was put here to be tried again
	HeaderInboxFirstFailed = "inbox-first-failed" // absent where it has not failed yet
	HeaderInboxOperation   = "inbox-operation"    // the redrive that put it here; absent otherwise
	HeaderInboxError       = "inbox-error"        // the last failure; absent where there is none
)

// InboxRecord is a record on its way through a group's inbox: one that is tried again later, one of the same key that waits behind it, or a dead letter that was
// redriven. Every copy of it has the same identity.
type InboxRecord struct {
	Record  *sordini.Record // as the group fetched it: its source's place and time, its own key, value and headers
	TopicID [16]byte        // of the source topic
	Group   string

	Due         time.Time // it is not handled before; milliseconds are kept, rounded up
	Attempts    int       // that failed; 0 for one that waits behind another
	Round       int       // how often it was put into the inbox to be tried again
	FirstFailed time.Time // zero where it has not failed yet
	Operation   string    // the id of the redrive that put it here; "" for a retry. What was redriven has left the order of its key and holds nothing back
	Error       string    // the last failure
}

// Identity returns "group/topic-id/topic/partition/offset" of the source record, as [Letter.Identity] does.
func (x InboxRecord) Identity() string {
	return identity(x.Group, x.TopicID, x.Record.Topic, x.Record.Partition, x.Record.Offset)
}

// ErrNotInboxRecord is wrapped by ParseInbox's error about a record without the headers of one.
var ErrNotInboxRecord = errors.New("not an inbox record")

// Encode returns the record to produce to the inbox (see [InboxName]): key, value and headers are the source's, byte for byte and in order, followed by those of
// this file. Its partition is the source's and its timestamp now, or retention might eat it. It shares the source's memory.
func (x InboxRecord) Encode(inbox string) *sordini.Record {
	src := x.Record
	h := append(make(sordini.Headers, 0, len(src.Headers)+13), src.Headers...)
	text := func(name, value string) { h.Add(name, []byte(value)) }
	number := func(name string, n int64) { h.Add(name, strconv.AppendInt(nil, n, 10)) }
	number(HeaderInboxVersion, InboxVersion)
	text(HeaderInboxTopic, src.Topic)
	text(HeaderInboxTopicID, topicIDText(x.TopicID))
	number(HeaderInboxPartition, int64(src.Partition))
	number(HeaderInboxOffset, src.Offset)
	text(HeaderInboxTimestamp, timeText(src.Timestamp))
	text(HeaderInboxGroup, x.Group)
	text(HeaderInboxDue, timeText(roundUp(x.Due)))
	number(HeaderInboxAttempts, int64(x.Attempts))
	number(HeaderInboxRound, int64(x.Round))
	if !x.FirstFailed.IsZero() {
		text(HeaderInboxFirstFailed, timeText(x.FirstFailed))
	}
	if x.Operation != "" {
		text(HeaderInboxOperation, x.Operation)
	}
	if x.Error != "" {
		text(HeaderInboxError, cutText(strings.ToValidUTF8(x.Error, "\uFFFD"), maxError))
	}
	return &sordini.Record{Topic: inbox, Partition: src.Partition, Offset: -1, LeaderEpoch: -1, Timestamp: time.Now(), Key: src.Key, Value: src.Value, Headers: h}
}

// roundUp rounds to milliseconds, so that nothing is handled before its time.
func roundUp(t time.Time) time.Time {
	if down := t.Truncate(time.Millisecond); down.Before(t) {
		return down.Add(time.Millisecond)
	}
	return t
}

// ParseInbox reads a record of an inbox. Its error wraps ErrNotInboxRecord, or ErrMalformed where the headers can not be read. The result shares r's memory.
func ParseInbox(r *sordini.Record) (InboxRecord, error) {
	// The inbox's headers are the last ones: what is before them is the source's own, whatever it is called.
	own := -1
	for i := len(r.Headers) - 1; i >= 0 && own < 0; i-- {
		if r.Headers[i].Key == HeaderInboxVersion {
			own = i
		}
	}
	if own < 0 {
		return InboxRecord{}, fmt.Errorf("record %s[%d]@%d has no header %s: %w", r.Topic, r.Partition, r.Offset, HeaderInboxVersion, ErrNotInboxRecord)
	}
	p := parser{l: Letter{Record: &sordini.Record{Headers: r.Headers[own:]}}}
	if v := p.number(HeaderInboxVersion, 0, 1<<30); p.err == nil && v != InboxVersion {
		p.err = fmt.Errorf("header %s is %d and this release reads %d; let a later one read it", HeaderInboxVersion, v, InboxVersion)
	}
	x := InboxRecord{
		Record: &sordini.Record{
			Topic: p.text(HeaderInboxTopic), Partition: int32(p.number(HeaderInboxPartition, 0, 1<<31-1)), Offset: p.number(HeaderInboxOffset, 0, 1<<63-1),
			LeaderEpoch: -1, Timestamp: p.time(HeaderInboxTimestamp), Key: r.Key, Value: r.Value, Headers: r.Headers[:own:own],
		},
		Group:     p.text(HeaderInboxGroup),
		Due:       p.time(HeaderInboxDue),
		Attempts:  int(p.number(HeaderInboxAttempts, 0, 1<<31-1)),
		Round:     int(p.number(HeaderInboxRound, 0, 1<<31-1)),
		Operation: p.text(HeaderInboxOperation),
		Error:     p.text(HeaderInboxError),
	}
	if len(x.Record.Headers) == 0 {
		x.Record.Headers = nil
	}
	id, err := parseTopicID(p.text(HeaderInboxTopicID))
	p.fail(HeaderInboxTopicID, err)
	x.TopicID = id
	if has(r.Headers[own:], HeaderInboxFirstFailed) {
		x.FirstFailed = p.time(HeaderInboxFirstFailed)
	}
	if p.err != nil {
		return InboxRecord{}, fmt.Errorf("record %s[%d]@%d: %w: %w", r.Topic, r.Partition, r.Offset, p.err, ErrMalformed)
	}
	return x, nil
}
