package dlt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sordini-go/sordini"
)

// Dialect is whose header names a dead letter has.
type Dialect string

// The dialects that Parse understands.
const (
	DialectSordini Dialect = "sordini"
	DialectSpring  Dialect = "spring"
	DialectKafka   Dialect = "kafka"
	DialectConnect Dialect = "connect"
)

// Letter is a dead letter that was read. What a dialect does not say is zero. Header values are data from whoever wrote the record: show them, never
// interpret them further.
type Letter struct {
	Record  *sordini.Record // as it is in the dead-letter topic
	Dialect Dialect

	Topic     string // where it came from
	TopicID   [16]byte
	Partition int32
	Offset    int64
	Timestamp time.Time
	Group     string

	Class       Class
	Error       string
	Stack       string
	Fingerprint string // computed from class, type and message where the dialect has none
	Attempts    int
	FirstFailed time.Time
	Failed      time.Time
	Client      string
	Truncated   Truncated
}

// ErrNotDeadLetter is returned by Parse for a record without the headers of any dialect.
var ErrNotDeadLetter = errors.New("not a dead letter")

// ErrMalformed is wrapped by Parse's errors about a dead letter whose headers can not be read.
var ErrMalformed = errors.New("malformed dead letter")

// Identity returns "group/topic-id/topic/partition/offset", the same for every copy of one dead letter: a duplicate that a crash left folds away, and a
// record of a recreated topic is another one.
func (l *Letter) Identity() string {
	return identity(l.Group, l.TopicID, l.Topic, l.Partition, l.Offset)
}

// Source returns the record as the group fetched it: its place, its time and its own headers, without those that the dead letter added. What was
// truncated is missing. It shares memory with l.Record.
func (l *Letter) Source() *sordini.Record {
	r := &sordini.Record{Topic: l.Topic, Partition: l.Partition, Offset: l.Offset, LeaderEpoch: -1, Timestamp: l.Timestamp, Key: l.Record.Key, Value: l.Record.Value}
	// Our own letters may carry other dialects, which our headers, always last, precede; a dialect before them is the source's own.
	all := l.Record.Headers
	if l.Dialect == DialectSordini {
		for i, h := range all {
			if h.Key == HeaderVersion {
				all = all[:i]
				break
			}
		}
		r.Headers = all[:len(all):len(all)]
		return r
	}
	for _, h := range all {
		if !ours(h.Key, Spring|Kafka|Connect) {
			r.Headers = append(r.Headers, h)
		}
	}
	return r
}

// Parse reads a dead letter that Sordini, Spring Kafka, a share group of Kafka or Kafka Connect wrote; where several dialects are present ours counts
// first, then in that order. It returns an error that wraps ErrNotDeadLetter or ErrMalformed. The letter keeps r.
func Parse(r *sordini.Record) (Letter, error) {
	p := parser{l: Letter{Record: r}}
	switch h := r.Headers; {
	case has(h, HeaderVersion):
		p.sordini()
	case has(h, springPrefix+"original-topic"):
		p.spring()
	case has(h, kafkaPrefix+"topic"):
		p.kafka()
	case has(h, connectPrefix+"topic"):
		p.connect()
	default:
		return Letter{Record: r}, fmt.Errorf("record %s[%d]@%d has none of the headers %s, %s, %s, %s: %w", r.Topic, r.Partition, r.Offset,
			HeaderVersion, springPrefix+"original-topic", kafkaPrefix+"topic", connectPrefix+"topic", ErrNotDeadLetter)
	}
	if p.err != nil {
		return p.l, fmt.Errorf("record %s[%d]@%d: %w: %w", r.Topic, r.Partition, r.Offset, p.err, ErrMalformed)
	}
	return p.l, nil
}

func has(h sordini.Headers, name string) bool {
	_, ok := h.Get(name)
	return ok
}

// parser fills a letter and keeps the first error.
type parser struct {
	l   Letter
	err error
}

func (p *parser) sordini() {
	l := &p.l
	l.Dialect = DialectSordini
	if v := p.number(HeaderVersion, 0, 1<<30); p.err == nil && v != Version {
		p.err = fmt.Errorf("header %s is %d and this release reads %d; read it with a later one", HeaderVersion, v, Version)
		return
	}
	l.Topic = p.text(HeaderTopic)
	if s, ok := l.Record.Headers.Get(HeaderTopicID); ok {
		id, err := parseTopicID(string(s))
		p.fail(HeaderTopicID, err)
		l.TopicID = id
	}
	l.Partition = int32(p.number(HeaderPartition, 0, 1<<31-1))
	l.Offset = p.number(HeaderOffset, 0, 1<<63-1)
	l.Timestamp = p.time(HeaderTimestamp)
	l.Group = p.text(HeaderGroup)
	l.Class = Class(p.text(HeaderErrorClass))
	l.Error = p.text(HeaderError)
	l.Stack = p.text(HeaderStack)
	l.Fingerprint = p.text(HeaderFingerprint)
	l.Attempts = int(p.number(HeaderAttempts, 0, 1<<31-1))
	l.FirstFailed = p.time(HeaderFirstFailed)
	l.Failed = p.time(HeaderFailed)
	l.Client = p.text(HeaderClient)
	if s := p.text(HeaderTruncated); s != "" {
		for t, text := range truncatedText {
			if s == text {
				l.Truncated = Truncated(t)
			}
		}
		if l.Truncated == Whole {
			p.fail(HeaderTruncated, fmt.Errorf("%q is not a part of a record", s))
		}
	}
}

func (p *parser) spring() {
	l := &p.l
	l.Dialect = DialectSpring
	l.Topic = p.text(springPrefix + "original-topic")
	l.Partition = int32(p.number(springPrefix+"original-partition", 4, 1<<31-1))
	l.Offset = p.number(springPrefix+"original-offset", 8, 1<<63-1)
	if has(l.Record.Headers, springPrefix+"original-timestamp") {
		l.Timestamp = time.UnixMilli(p.signed(springPrefix+"original-timestamp", 8)).UTC()
	}
	l.Group = p.text(springPrefix + "original-consumer-group")
	l.Error = p.text(springPrefix + "exception-message")
	l.Stack = p.text(springPrefix + "exception-stacktrace")
	p.foreign(p.text(springPrefix+"exception-fqcn"), p.text(springPrefix+"exception-cause-fqcn"))
}

func (p *parser) kafka() {
	l := &p.l
	l.Dialect = DialectKafka
	l.Topic = p.text(kafkaPrefix + "topic")
	l.Partition = int32(p.number(kafkaPrefix+"partition", 4, 1<<31-1))
	l.Offset = p.number(kafkaPrefix+"offset", 8, 1<<63-1)
	l.Group = p.text(kafkaPrefix + "group")
	if has(l.Record.Headers, kafkaPrefix+"delivery.count") {
		l.Attempts = int(p.number(kafkaPrefix+"delivery.count", 2, 1<<31-1))
	}
	l.Error = p.text(kafkaPrefix + "message")
	p.foreign()
}

func (p *parser) connect() {
	l := &p.l
	l.Dialect = DialectConnect
	l.Topic = p.text(connectPrefix + "topic")
	l.Partition = int32(p.number(connectPrefix+"partition", 4, 1<<31-1))
	l.Offset = p.number(connectPrefix+"offset", 8, 1<<63-1)
	l.Group = p.text(connectPrefix + "connector.name")
	l.Error = p.text(connectPrefix + "exception.message")
	l.Stack = p.text(connectPrefix + "exception.stacktrace")
	p.foreign(p.text(connectPrefix + "exception.class.name"))
}

// foreign fills what only our dialect says: the record was written when it failed, and its cause is known by type and message.
func (p *parser) foreign(types ...string) {
	p.l.Failed = p.l.Record.Timestamp
	var known []string
	for _, t := range types {
		if t != "" {
			known = append(known, t)
		}
	}
	p.l.Fingerprint = hashCause(p.l.Class, known, p.l.Error)
}

func (p *parser) fail(header string, err error) {
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("header %s: %w", header, err)
	}
}

func (p *parser) text(header string) string {
	return strings.ToValidUTF8(p.l.Record.Headers.Text(header), "\uFFFD")
}

// number reads a number of 0 to most: as decimal text, or as that many big-endian bytes, as Spring writes them.
func (p *parser) number(header string, binarySize int, most int64) int64 {
	n := p.signed(header, binarySize)
	if n < 0 || n > most {
		p.fail(header, fmt.Errorf("%d is out of range", n))
		return 0
	}
	return n
}

func (p *parser) signed(header string, binarySize int) int64 {
	v, ok := p.l.Record.Headers.Get(header)
	if !ok {
		p.fail(header, errors.New("missing"))
		return 0
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err == nil {
		return n
	}
	if binarySize > 0 && len(v) == binarySize {
		switch binarySize {
		case 2:
			return int64(int16(binary.BigEndian.Uint16(v)))
		case 4:
			return int64(int32(binary.BigEndian.Uint32(v)))
		case 8:
			return int64(binary.BigEndian.Uint64(v))
		}
	}
	p.fail(header, fmt.Errorf("%q is not a number", v))
	return 0
}

func (p *parser) time(header string) time.Time {
	s := p.text(header)
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.UnixMilli(ms).UTC()
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	p.fail(header, err)
	return t
}
