package consumer

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/internal/admin"
)

// open connects, checks the topics and joins the group. Nothing is fetched before everything was found in order.
func (e *engine) open(ctx context.Context) error {
	e.text = dlt.ClientText(e.g.cluster.ClientID)
	e.foreign = len(e.g.cfg.middleware)+len(e.g.cfg.batchMiddleware) > 0
	if !e.g.cfg.deadLetters {
		e.log.Warn("dead letters are off: a record that can not be handled holds up its key for ever", "why", e.g.cfg.noDeadLetters)
	}
	var running context.Context
	running, e.abort = context.WithCancel(context.Background())
	var err error
	e.side, err = e.g.cluster.NewClient(
		kgo.WithContext(running),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchMaxBytes(maxDecompress),
		kgo.BrokerMaxWriteBytes(2*maxDecompress),
		kgo.ProducerBatchCompression(kgo.GzipCompression()), // the one that every client reads, kafkajs without plug-ins among them
		kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(100_000),
		kgo.RecordDeliveryTimeout(0),
		kgo.UnknownTopicRetries(10),
	)
	if err != nil {
		e.abort()
		return err
	}
	err = e.checkProtocol(ctx)
	if err == nil {
		err = e.companions(ctx)
	}
	if err != nil {
		e.side.CloseAllowingRebalance()
		e.abort()
		return err
	}
	reading, err := e.g.cluster.NewClient(
		kgo.WithContext(running),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.MaxDecompressBatchBytes(maxDecompress),
		kgo.FetchMaxWait(fetchWait),
	)
	if err != nil {
		e.side.CloseAllowingRebalance()
		e.abort()
		return err
	}
	e.reader = &inboxReader{e: e, cl: reading, opening: make(chan struct{}, 1), loading: make(chan struct{}, 1), logs: map[tp]*inboxLog{}}
	e.learn(ctx)
	topics := make([]string, len(e.topics))
	for i, t := range e.topics {
		topics[i] = t.name
	}
	e.cl, err = e.g.cluster.NewClient(append(e.g.cfg.membershipOptions(),
		kgo.WithContext(running),
		kgo.ConsumerGroup(e.g.name),
		kgo.ConsumeTopics(topics...),
		kgo.DisableAutoCommit(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.BlockRebalanceOnPoll(),
		kgo.MaxDecompressBatchBytes(maxDecompress),
		kgo.FetchMaxWait(fetchWait),
		// The client joins before it is returned, so the callbacks wait for it.
		kgo.OnOffsetsFetched(func(ctx context.Context, cl *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
			<-e.joined
			return e.onOffsetsFetched(ctx, cl, resp)
		}),
		kgo.AdjustFetchOffsetsFn(func(ctx context.Context, o map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
			<-e.joined
			return e.takeOver(ctx, o)
		}),
		kgo.OnPartitionsRevoked(func(ctx context.Context, cl *kgo.Client, m map[string][]int32) { <-e.joined; e.onRevoked(ctx, cl, m) }),
		kgo.OnPartitionsLost(func(ctx context.Context, cl *kgo.Client, m map[string][]int32) { <-e.joined; e.onLost(ctx, cl, m) }),
	)...)
	close(e.joined)
	if err != nil {
		e.side.CloseAllowingRebalance()
		e.abort()
		return err
	}
	return nil
}

const (
	fetchWait         = 4 * time.Second // on top of it comes the client's patience of 5 s: a broker that hangs is left within 10
	sessionTimeout    = 30 * time.Second
	heartbeatInterval = 3 * time.Second
	rebalanceTimeout  = 60 * time.Second
)

// learn asks for the limit of commit metadata. A group that may not ask goes by Kafka's default, and by the brokers' refusals.
func (e *engine) learn(ctx context.Context) {
	brokers, err := admin.Brokers(ctx, e.side)
	if err != nil || len(brokers.Brokers) == 0 {
		return
	}
	cfg, err := admin.BrokerConfigs(ctx, e.side, brokers.Brokers[0].ID, "offset.metadata.max.bytes")
	if err != nil {
		return
	}
	if n, ok := cfg.Int("offset.metadata.max.bytes"); ok && n >= minMetadataMax {
		e.metadata.most.Store(n)
	}
}

// close leaves the group and closes both clients. Brokers that do not answer cost leaveTimeout: closing also says goodbye to every broker that was fetched from,
// and would wait for connections to those that hang. The group is left by Close and nowhere else: a second leave may come after Close's own last poll, and
// would wait for ever.
func (e *engine) close() {
	late := time.AfterFunc(leaveTimeout, e.abort) // the member's session ends by itself where the leave does not arrive
	defer late.Stop()
	m := e.membership()
	e.cl.CloseAllowingRebalance()
	e.leaveForAWhile(m)
	e.reader.cl.CloseAllowingRebalance()
	if e.tx != nil {
		e.tx.client.Close()
	}
	e.side.CloseAllowingRebalance()
	e.abort()
}
