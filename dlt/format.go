package dlt

import (
	"encoding/binary"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/recordsize"
)

// Limits of single headers, in bytes.
const (
	maxStack = 8 << 10
	maxError = 4 << 10

	// maxSmall is how large a header may be that is worth keeping when the others have to go.
	maxSmall = 256
)

// Format makes dead letters. Its zero value writes errors as they are, adds no other dialect and has no limit. It is safe for concurrent
// use when Redact is.
type Format struct {
	// Redact cleans the text of errors and stacks before it is written, of personal data for instance: dead letters live long and are read by
	// people. Nil writes them as they are. The record itself is never changed. The fingerprint is a hash of the text before cleaning.
	Redact func(string) string

	// Profile adds the header names of other tools.
	Profile Profile

	// Limit is how many bytes a dead letter may have, as an uncompressed batch of its own; 0 is no limit. It is the producing client's limit, and
	// that of the topic where the batch might not compress.
	Limit int
}

// Truncated is the last part that a dead letter had to leave out; each includes those before it.
type Truncated uint8

// What was left out.
const (
	Whole          Truncated = iota
	WithoutStack             // nothing of the record is missing
	WithoutHeaders           // the source's own headers, but for correlation-id, source and type where they are small
	WithoutValue             // the dead letter is a pointer: the source still has the record, for as long as it keeps it
	WithoutKey
)

var truncatedText = [...]string{Whole: "", WithoutStack: "stack", WithoutHeaders: "headers", WithoutValue: "value", WithoutKey: "key"}

// String returns the text of the dlt-truncated header.
func (t Truncated) String() string {
	if int(t) < len(truncatedText) {
		return truncatedText[t]
	}
	return "Truncated(" + strconv.Itoa(int(t)) + ")"
}

// Record returns the dead letter of x for the topic dst, and what had to be left out to stay within the limit. It does not change x.Record; the
// result shares its key, its value and the values of its headers, so they must not be changed until it is acknowledged. The result's partition is the
// source's and its timestamp is now.
//
// Key, value and headers are the source's, byte for byte and in order, followed by the headers of the package documentation; those of them that the source
// had already, having been a dead letter itself, are replaced. From WithoutHeaders on a part of the record is lost to the dead-letter topic: the
// caller must make the group unhealthy.
func (f Format) Record(dst string, x Failure) (*sordini.Record, Truncated) {
	src := x.Record
	r := &sordini.Record{Topic: dst, Partition: src.Partition, Offset: -1, LeaderEpoch: -1, Timestamp: time.Now(), Key: src.Key, Value: src.Value}
	kept := make(sordini.Headers, 0, len(src.Headers)+16)
	for _, h := range src.Headers {
		if !ours(h.Key, f.Profile) {
			kept = append(kept, h)
		}
	}
	e := f.explain(x)
	var cut Truncated
	for {
		r.Headers = f.appendHeaders(kept[:len(kept):len(kept)], x, e, cut)
		if f.Limit <= 0 || cut == WithoutKey || recordsize.Batch(r.Key, r.Value, r.Headers) <= f.Limit {
			return r, cut
		}
		switch cut++; cut {
		case WithoutStack:
			e.stack = ""
		case WithoutHeaders:
			kept = essential(kept)
		case WithoutValue:
			r.Value = nil
		case WithoutKey:
			r.Key = nil
		}
	}
}

// explanation is the text about an error that goes into headers.
type explanation struct {
	message, stack, fingerprint string
	types                       []string
}

func (f Format) explain(x Failure) explanation {
	e := explanation{fingerprint: Fingerprint(x.Class, x.Err)}
	if x.Err != nil {
		e.message = cutText(strings.ToValidUTF8(f.redact(message(x.Err)), "\uFFFD"), maxError)
		e.types = errorTypes(x.Err)
	}
	if x.Class == Panic {
		e.stack = cutText(strings.ToValidUTF8(f.redact(string(x.Stack)), "\uFFFD"), maxStack)
	}
	return e
}

// Redacted is s as Redact leaves it. A panic in Redact gives a text that says so, and not s.
func (f Format) Redacted(s string) string { return f.redact(s) }

// redact applies Redact. A panic in it must cost neither the record nor a secret.
func (f Format) redact(s string) (clean string) {
	if f.Redact == nil || s == "" {
		return s
	}
	defer func() {
		if recover() != nil {
			clean = "withheld: dlt.Format.Redact panicked"
		}
	}()
	return f.Redact(s)
}

// errorTypes is the outermost and the innermost type of a chain, for the dialects that have both.
func errorTypes(err error) []string {
	if all := errorChain(err); len(all) > 0 {
		return []string{all[0], all[len(all)-1]}
	}
	return []string{reflect.TypeOf(err).String()}
}

// essential keeps what a redrive and a search need, where it is small.
func essential(all sordini.Headers) (few sordini.Headers) {
	for _, h := range all {
		switch h.Key {
		case sordini.HeaderCorrelationID, sordini.HeaderSource, sordini.HeaderType:
			if len(h.Value) <= maxSmall {
				few = append(few, h)
			}
		}
	}
	return few
}

// appendHeaders appends what x says to h, in the order of the package documentation.
func (f Format) appendHeaders(h sordini.Headers, x Failure, e explanation, cut Truncated) sordini.Headers {
	src := x.Record
	text := func(name, value string) { h.Add(name, []byte(value)) }
	number := func(name string, n int64) { h.Add(name, strconv.AppendInt(nil, n, 10)) }
	number(HeaderVersion, Version)
	text(HeaderTopic, src.Topic)
	text(HeaderTopicID, topicIDText(x.TopicID))
	number(HeaderPartition, int64(src.Partition))
	number(HeaderOffset, src.Offset)
	text(HeaderTimestamp, timeText(src.Timestamp))
	text(HeaderGroup, x.Group)
	text(HeaderError, e.message)
	text(HeaderErrorClass, string(x.Class))
	if e.stack != "" {
		text(HeaderStack, e.stack)
	}
	text(HeaderFingerprint, e.fingerprint)
	number(HeaderAttempts, int64(x.Attempts))
	text(HeaderFirstFailed, timeText(x.FirstFailed))
	text(HeaderFailed, timeText(x.Failed))
	text(HeaderClient, x.Client)
	if cut != Whole {
		text(HeaderTruncated, cut.String())
	}

	if f.Profile&Spring != 0 {
		text(springPrefix+"original-topic", src.Topic)
		h.Add(springPrefix+"original-partition", binary.BigEndian.AppendUint32(nil, uint32(src.Partition)))
		h.Add(springPrefix+"original-offset", binary.BigEndian.AppendUint64(nil, uint64(src.Offset)))
		h.Add(springPrefix+"original-timestamp", binary.BigEndian.AppendUint64(nil, uint64(src.Timestamp.UnixMilli())))
		text(springPrefix+"original-timestamp-type", "CreateTime")
		text(springPrefix+"original-consumer-group", x.Group)
		if x.Err != nil {
			text(springPrefix+"exception-fqcn", e.types[0])
			if len(e.types) > 1 && e.types[1] != e.types[0] {
				text(springPrefix+"exception-cause-fqcn", e.types[1])
			}
			text(springPrefix+"exception-message", e.message)
		}
		if e.stack != "" {
			text(springPrefix+"exception-stacktrace", e.stack)
		}
	}
	if f.Profile&Kafka != 0 {
		text(kafkaPrefix+"topic", src.Topic)
		number(kafkaPrefix+"partition", int64(src.Partition))
		number(kafkaPrefix+"offset", src.Offset)
		text(kafkaPrefix+"group", x.Group)
		number(kafkaPrefix+"delivery.count", int64(x.Attempts))
		text(kafkaPrefix+"message", e.message)
	}
	if f.Profile&Connect != 0 {
		text(connectPrefix+"topic", src.Topic)
		number(connectPrefix+"partition", int64(src.Partition))
		number(connectPrefix+"offset", src.Offset)
		text(connectPrefix+"connector.name", x.Group)
		text(connectPrefix+"stage", connectStage(x.Class))
		if x.Err != nil {
			text(connectPrefix+"exception.class.name", e.types[0])
			text(connectPrefix+"exception.message", e.message)
		}
		if e.stack != "" {
			text(connectPrefix+"exception.stacktrace", e.stack)
		}
	}
	return h
}

// connectStage names a class as org.apache.kafka.connect.runtime.errors.Stage does.
func connectStage(c Class) string {
	if c == Decode {
		return "VALUE_CONVERTER"
	}
	return "TASK_PUT"
}

// timeText is RFC 3339 in UTC with milliseconds, Kafka's own precision. A record's timestamp may be any number: one that RFC 3339 has no year for
// (nanoseconds where milliseconds were meant) is written as decimal milliseconds.
func timeText(t time.Time) string {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return strconv.FormatInt(t.UnixMilli(), 10)
	}
	return t.Format("2006-01-02T15:04:05.000Z07:00")
}
