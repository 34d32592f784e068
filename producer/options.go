package producer

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/middleware"
)

// Option changes a producer that New makes. What is safe is no option: acks=all, idempotence, five requests in flight and Java's placement of keys are
// what a producer is.
type Option func(*config)

type config struct {
	source          string
	deliveryTimeout time.Duration
	closeTimeout    time.Duration
	linger          time.Duration
	maxRecords      int
	maxBytes        int
	full            Full
	codec           Codec
	chain           []sordini.SendMiddleware
	claims          middleware.ClaimStore
	claimsFrom      int
	claimsGiven     bool
	telemetry       middleware.Config
	transactionalID string
	transactional   bool
}

func defaults() config {
	return config{deliveryTimeout: 2 * time.Minute, closeTimeout: 5 * time.Second, maxRecords: 10_000, maxBytes: 64 << 20}
}

// Source names the service in the "source" header of every record. Default: the cluster's ClientID, and the program's name where that is empty.
func Source(name string) Option { return func(c *config) { c.source = name } }

// DeliveryTimeout bounds the time from a send's call to its answer, waiting for room in the buffer and all retries included. Default: 2 minutes, as
// Java's delivery.timeout.ms. A record that is given up so is taken back from the client where that is still possible ([ErrNotWritten]); where it is
// not, the outcome is unknown.
func DeliveryTimeout(d time.Duration) Option { return func(c *config) { c.deliveryTimeout = d } }

// CloseTimeout bounds Close. Default: 5 seconds, which together with a group's 20 seconds of draining fits a container's 30.
func CloseTimeout(d time.Duration) Option { return func(c *config) { c.closeTimeout = d } }

// Linger lets a partition's records wait that long for company before they are sent, as Java's linger.ms; a synchronous send waits it out too.
// Default: 0. Records that come faster than requests are answered are batched anyway.
func Linger(d time.Duration) Option { return func(c *config) { c.linger = d } }

// MaxBuffered bounds what is accepted and not yet answered. Default: 10,000 records, franz-go's, and 64 MiB of keys, values and headers. A send that finds no
// room waits for it, until its context ends or the delivery timeout passes; see [WhenFull].
func MaxBuffered(records, bytes int) Option {
	return func(c *config) { c.maxRecords, c.maxBytes = records, bytes }
}

// Full is what a send does that finds no room in the buffer.
type Full uint8

const (
	// Block waits for room, until the send's context ends, the delivery timeout passes or the producer closes. It is the default: a caller is slowed down to what the
	// cluster takes, and nothing is dropped.
	Block Full = iota

	// Fail answers at once with [ErrBufferFull] and [ErrNotWritten]: for callers that must not wait and have something better to do with the record, such as to
	// refuse a request or to keep the record elsewhere. Where it is dropped instead, that is the caller's loss.
	Fail
)

// WhenFull chooses what a send does that finds the buffer full ([MaxBuffered]). Default: [Block].
func WhenFull(f Full) Option { return func(c *config) { c.full = f } }

// Middleware wraps every send, inside the default chain (correlation, tracing, metrics); the first one added is the outermost. It may change the
// record, its topic excepted. What it keeps of a record must be a copy.
func Middleware(chain ...sordini.SendMiddleware) Option {
	return func(c *config) { c.chain = append(c.chain, chain...) }
}

// ClaimCheck keeps values of at least from bytes (0: [middleware.ClaimCheckFrom], 512 KiB) in a store outside of Kafka and sends a reference in their place: what
// to do with records above a topic's max.message.bytes. The groups that read them have consumer.ClaimCheck with the same store. It comes behind all other
// middleware, which sees the value; see [middleware.SendClaimCheck] for what it does.
func ClaimCheck(store middleware.ClaimStore, from int) Option {
	return func(c *config) { c.claims, c.claimsFrom, c.claimsGiven = store, from, true }
}

// Telemetry sets where traces and metrics go. Fields that are left zero are the global providers and the cluster's logger; Source and ClientID are
// filled in by the producer.
func Telemetry(cfg middleware.Config) Option { return func(c *config) { c.telemetry = cfg } }

// Codec is a compression codec.
type Codec uint8

// The codecs of Kafka. Not every client reads every one: kafkajs reads Gzip alone without a plug-in.
const (
	NoCompression Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

// Compression compresses batches. Default: none, which every client reads and which costs neither side anything; text of some size is worth Zstd, LZ4
// or, where kafkajs reads along, Gzip.
func Compression(c Codec) Option { return func(cfg *config) { cfg.codec = c } }

func (c Codec) kgo() (kgo.CompressionCodec, bool) {
	switch c {
	case NoCompression:
		return kgo.NoCompression(), true
	case Gzip:
		return kgo.GzipCompression(), true
	case Snappy:
		return kgo.SnappyCompression(), true
	case LZ4:
		return kgo.Lz4Compression(), true
	case Zstd:
		return kgo.ZstdCompression(), true
	}
	return kgo.CompressionCodec{}, false
}

// check says what about the options can not work.
func (c *config) check() error {
	for _, x := range []struct {
		name string
		bad  bool
		got  any
		want string
	}{
		{"DeliveryTimeout", c.deliveryTimeout <= 0, c.deliveryTimeout, "more than 0"},
		{"CloseTimeout", c.closeTimeout <= 0, c.closeTimeout, "more than 0"},
		{"Linger", c.linger < 0 || c.linger > c.deliveryTimeout/2, c.linger, "0 to half of the delivery timeout"},
		{"MaxBuffered records", c.maxRecords < 1, c.maxRecords, "at least 1"},
		{"MaxBuffered bytes", c.maxBytes < 1, c.maxBytes, "at least 1"},
		{"TransactionalID", c.transactional && c.transactionalID == "", c.transactionalID, "a name of the instance's own"},
		{"ClaimCheck's store", c.claimsGiven && c.claims == nil, "nil", "a middleware.ClaimStore"},
		{"ClaimCheck's limit", c.claimsFrom < 0, c.claimsFrom, "a number of bytes, 0 for the default"},
		{"WhenFull", c.full > Fail, c.full, "Block or Fail"},
		{"Compression", c.codec > Zstd, c.codec, "one of the codecs"},
	} {
		if x.bad {
			return fmt.Errorf("producer: option %s is %v and must be %s", x.name, x.got, x.want)
		}
	}
	for i, m := range c.chain {
		if m == nil {
			return fmt.Errorf("producer: option Middleware: number %d is nil", i+1)
		}
	}
	return nil
}

// SendOption changes one send. One of your own must not keep the record.
type SendOption func(*sordini.Record)

// Header adds a header to the record. A correlation-id or source given so is used in place of the producer's.
func Header(key string, value []byte) SendOption {
	return func(r *sordini.Record) { r.Headers.Add(key, value) }
}

// Timestamp sets the record's time in place of the time of the call. Topics with message.timestamp.type=LogAppendTime replace it.
func Timestamp(t time.Time) SendOption { return func(r *sordini.Record) { r.Timestamp = t } }

// Partition sends the record to a partition of the caller's choice, in place of the one where its key belongs. A partition that the topic does not have is an
// error that wraps [ErrPartition] and [ErrNotWritten]; one that was added to the topic in the last minute may be unknown yet.
//
// Order is kept for a key within a partition (guarantees G3 and G10): who sends records of one key to several partitions gives that up. Other clients find a record by
// its key only where Java's placement puts it, and so do compacted topics and co-partitioned ones.
func Partition(id int32) SendOption {
	return func(r *sordini.Record) {
		if r.Partition = id; id < 0 {
			r.Partition = negative
		}
	}
}

const negative = -2 // -1 is no choice
