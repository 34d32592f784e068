package txn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Config is what a Client needs.
type Config struct {
	ID      string        // the transactional id
	Timeout time.Duration // after which the coordinator aborts a transaction by itself
	// New makes a client of the cluster.
	New func(...kgo.Opt) (*kgo.Client, error)
}

// Client carries out the transactions of one transactional id, one after the other. Its methods are not safe for concurrent use, Limit excepted.
type Client struct {
	cfg    Config
	cl     *kgo.Client
	cancel context.CancelFunc
	modern bool // transaction.version=2: TxnOffsetCommit adds the group to the transaction itself

	limits sync.Map        // topic → int32
	known  map[string]bool // topics whose partitions cl has, as far as EndTransaction is concerned
}

// NewClient returns a client. It does not dial.
func NewClient(cfg Config) *Client { return &Client{cfg: cfg} }

const (
	defaultLimit = 1048588 // Kafka's default of max.message.bytes
	compressFrom = 512 << 10
)

// Limit sets how large a batch of a topic may be in bytes. It counts until the topic is sent to for the first time.
func (c *Client) Limit(topic string, n int32) {
	if n > 0 {
		c.limits.LoadOrStore(topic, n)
	}
}

// Open sees to it that there is a producer with an epoch of its own. When it returns nil, whatever an earlier holder of the id left behind is committed or
// aborted, and can not go on: the coordinator refuses the earlier epoch.
func (c *Client) Open(ctx context.Context) error {
	if c.cl != nil {
		return nil
	}
	modern, capped, err := c.probe(ctx)
	if err != nil {
		return err
	}
	if capped {
		modern = false
	}
	running, cancel := context.WithCancel(context.Background())
	opts := []kgo.Opt{
		kgo.WithContext(running),
		kgo.TransactionalID(c.cfg.ID),
		kgo.TransactionTimeout(c.cfg.Timeout),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ManualFlushing(),
		kgo.MaxBufferedRecords(1 << 30),
		kgo.ProducerBatchMaxBytesFn(func(topic string) int32 {
			if n, ok := c.limits.Load(topic); ok {
				return n.(int32)
			}
			return defaultLimit
		}),
		kgo.BrokerMaxWriteBytes(1 << 30),
		kgo.WithCompressor(sparing{}),
		kgo.UnknownTopicRetries(10),
	}
	if !modern && !capped {
		old := kversion.Stable()
		for _, k := range []struct {
			key kmsg.Key
			max int16
		}{{kmsg.Produce, 11}, {kmsg.TxnOffsetCommit, 4}, {kmsg.EndTxn, 4}} {
			old.SetMaxKeyVersion(k.key.Int16(), k.max)
		}
		opts = append(opts, kgo.MaxVersions(old))
	}
	cl, err := c.cfg.New(opts...)
	if err != nil {
		cancel()
		return err
	}
	if _, _, err := cl.ProducerID(ctx); err != nil {
		cancel()
		cl.CloseAllowingRebalance()
		return fmt.Errorf("transactional id %q: initialise the producer: %w", c.cfg.ID, err)
	}
	c.cl, c.cancel, c.modern, c.known = cl, cancel, modern, map[string]bool{}
	return nil
}

// probe asks whether the cluster runs transaction.version=2 (KIP-890), and whether the client was told to speak older versions of requests.
func (c *Client) probe(ctx context.Context) (modern, capped bool, err error) {
	cl, err := c.cfg.New()
	if err != nil {
		return false, false, err
	}
	defer cl.Close()
	if most, ok := cl.OptValue(kgo.MaxVersions).(*kversion.Versions); ok && most != nil {
		n, has := most.LookupMaxKeyVersion(kmsg.TxnOffsetCommit.Int16())
		capped = !has || n < 5
	}
	resp, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, cl)
	if err != nil {
		return false, false, fmt.Errorf("ask for the cluster's features: %w", err)
	}
	for _, f := range resp.FinalizedFeatures {
		if f.Name == "transaction.version" {
			modern = f.MaxVersionLevel >= 2
		}
	}
	return modern, capped, nil
}

// Close gives the producer up, and with it whatever it still does. The next Open begins with another epoch; what this one left in a transaction is then
// finished or aborted.
func (c *Client) Close() {
	if c.cl == nil {
		return
	}
	c.cancel()
	c.cl.CloseAllowingRebalance()
	c.cl = nil
}

// Failure is an output that was not acknowledged: which it is, and why.
type Failure struct {
	Index int
	Topic string
	Err   error
}

// Produce begins a transaction and adds outputs to it. It waits until all are acknowledged or have failed, or ctx ends. placed is called for each that is
// acknowledged, with its index and where it is. Any error means that the transaction must not be committed: call Close.
func (c *Client) Produce(ctx context.Context, outs []Output, placed func(int, *kgo.Record)) ([]Failure, error) {
	if err := c.cl.BeginTransaction(); err != nil {
		return nil, fmt.Errorf("begin a transaction: %w", err)
	}
	var (
		mu     sync.Mutex
		failed []Failure
		left   = len(outs)
		done   = make(chan struct{})
	)
	if left == 0 {
		close(done)
	}
	records := make([]kgo.Record, len(outs)) // copies: a client that was given up may still hold them
	for i, o := range outs {
		r := &records[i]
		c.Limit(o.Record.Topic, o.Limit)
		r.Topic, r.Partition, r.Key, r.Value, r.Headers, r.Timestamp = o.Record.Topic, o.Record.Partition, o.Record.Key, o.Record.Value, o.Record.Headers, o.Record.Timestamp
		c.cl.Produce(context.Background(), r, func(r *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, Failure{i, o.Record.Topic, err})
			} else if placed != nil {
				placed(i, r)
			}
			if left--; left == 0 {
				close(done)
			}
		})
	}
	flushed := make(chan error, 1)
	go func() { flushed <- c.cl.Flush(ctx) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	err := <-flushed
	c.learn(outs)
	mu.Lock()
	defer mu.Unlock()
	if left > 0 {
		return failed[:len(failed):len(failed)], fmt.Errorf("%d of %d outputs were not acknowledged: %w", left, len(outs), errors.Join(context.Cause(ctx), err))
	}
	return failed, nil
}

// learn waits for the topics that were sent to for the first time.
func (c *Client) learn(outs []Output) {
	for _, o := range outs {
		if topic := o.Record.Topic; !c.known[topic] {
			AwaitPartitions(c.cl, topic)
			c.known[topic] = true
		}
	}
}

// AwaitPartitions waits until EndTransaction of a client with kgo.ManualPartitioner sees what the client has sent to a topic for the first time. franz-go
// 1.22.2 produces what waited for a topic's partitions before it publishes them (storePartitionsUpdate in topics_and_partitions.go); a transaction that ends
// in between has nothing in it as far as EndTransaction knows, is aborted, and nil is returned. Whoever produces to the topic meanwhile waits for the
// publication, also with a record that can not be produced, as this one.
func AwaitPartitions(cl *kgo.Client, topic string) {
	cl.Produce(context.Background(), &kgo.Record{Topic: topic, Partition: -1}, nil)
}

// Refused says whether an output's error is about the record and its topic, rather than about brokers or the transaction.
func Refused(err error) bool {
	for _, e := range []*kerr.Error{
		kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp, kerr.CorruptMessage, kerr.UnsupportedCompressionType,
		kerr.InvalidTopicException, kerr.TopicAuthorizationFailed, kerr.PolicyViolation, kerr.UnknownTopicOrPartition, kerr.UnknownTopicID,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Group is who commits offsets.
type Group struct {
	Name       string
	Member     string
	Instance   *string
	Generation int32
}

// Offset is what is committed of one partition.
type Offset struct {
	Topic       string
	TopicID     [16]byte
	Partition   int32
	Offset      int64
	LeaderEpoch int32
	Metadata    string
	Err         error // the coordinator's answer
}

// errNoAnswer says that the coordinator's answer leaves a partition out.
var errNoAnswer = errors.New("the coordinator's answer does not mention the partition")

// Offsets adds a group's offsets to the transaction, sorted by topic. Each answer is in the Offset's Err; the error is for what failed as a whole. Any error
// means that the transaction must not be committed: call Close.
func (c *Client) Offsets(ctx context.Context, g Group, offsets []*Offset) error {
	id, epoch, err := c.cl.ProducerID(ctx)
	if err != nil {
		return fmt.Errorf("commit offsets in a transaction: %w", err)
	}
	if !c.modern {
		add := kmsg.NewPtrAddOffsetsToTxnRequest()
		add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = c.cfg.ID, id, epoch, g.Name
		err := c.patiently(ctx, func() error {
			resp, err := add.RequestWith(ctx, c.cl)
			if err != nil {
				return err
			}
			return kerr.ErrorForCode(resp.ErrorCode)
		})
		if err != nil {
			return fmt.Errorf("add the offsets of group %q to the transaction: %w", g.Name, err)
		}
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = c.cfg.ID, id, epoch
	req.Group, req.MemberID, req.InstanceID, req.Generation = g.Name, g.Member, g.Instance, g.Generation
	type place struct {
		id        [16]byte
		topic     string
		partition int32
	}
	find := map[place]*Offset{}
	for _, o := range offsets {
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != o.Topic {
			t := kmsg.NewTxnOffsetCommitRequestTopic()
			t.Topic, t.TopicID = o.Topic, o.TopicID
			req.Topics = append(req.Topics, t)
		}
		t := &req.Topics[len(req.Topics)-1]
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = o.Partition, o.Offset, o.LeaderEpoch, &o.Metadata
		t.Partitions = append(t.Partitions, p)
		o.Err = errNoAnswer
		find[place{topic: o.Topic, partition: o.Partition}] = o
		find[place{id: o.TopicID, partition: o.Partition}] = o
	}
	return c.patiently(ctx, func() error {
		resp, err := req.RequestWith(ctx, c.cl)
		if err != nil {
			return fmt.Errorf("commit offsets in a transaction: %w", err)
		}
		var again error
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				at := place{topic: t.Topic, partition: p.Partition}
				if t.Topic == "" { // from version 6 on, topics are named by id
					at = place{id: t.TopicID, partition: p.Partition}
				}
				if o := find[at]; o != nil {
					if o.Err = kerr.ErrorForCode(p.ErrorCode); errors.Is(o.Err, kerr.ConcurrentTransactions) {
						again = o.Err
					}
				}
			}
		}
		return again
	})
}

// patiently tries again for as long as the coordinator says that it is still busy with the transaction before.
func (c *Client) patiently(ctx context.Context, do func() error) error {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := do()
		if !errors.Is(err, kerr.ConcurrentTransactions) {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-timer.C:
		}
	}
}

// Commit ends the transaction. An error says that it is not known to be committed: call Close, and find out once Open has returned.
func (c *Client) Commit(ctx context.Context) error {
	if err := c.cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("commit the transaction: %w", err)
	}
	return nil
}

// sparing compresses only what is large: a dead letter may be as large as its source only because that was compressed. What handlers send is within its topic's
// limit as it is.
type sparing struct{}

var gzip, _ = kgo.DefaultCompressor(kgo.GzipCompression())

func (sparing) Compress(dst *bytes.Buffer, src []byte, flags ...kgo.CompressFlag) ([]byte, kgo.CompressionCodecType) {
	if len(src) < compressFrom {
		return src, kgo.CodecNone
	}
	return gzip.Compress(dst, src, flags...)
}
