package broker

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini/broker/internal/acl"
	"github.com/sordini-go/sordini/broker/internal/files"
	"github.com/sordini-go/sordini/broker/internal/groups"
	"github.com/sordini-go/sordini/broker/internal/quotas"
	"github.com/sordini-go/sordini/broker/internal/settings"
	"github.com/sordini-go/sordini/broker/internal/sharegroups"
	"github.com/sordini-go/sordini/broker/internal/tokens"
	"github.com/sordini-go/sordini/broker/internal/txns"
)

// Config says what [Start] starts. The zero value is one broker on a free port of the loopback interface, without topics.
type Config struct {
	// Brokers is how many brokers the cluster has; their node ids count from 1. Default 1.
	Brokers int
	// Listen is the address of the first broker, default "127.0.0.1:0". With port 0 every broker takes a free port; otherwise further brokers take
	// the following ports.
	Listen string
	// Advertise is what clients are told to reach the brokers at, "host:port" for each in the order of their ids; for one alone, further brokers have the
	// following ports. Default: where they listen. It is for brokers behind a port mapping or another name: a container's, a tunnel's.
	Advertise []string
	// Listeners are further addresses at which every broker takes connections. Default: none.
	Listeners []Listener
	// Network is where the brokers listen. Default: TCP.
	Network *Network
	// Topics are created before Start returns.
	Topics []Topic
	// AutoCreateTopics creates a topic when a client that allows it asks for its metadata, as Kafka does by default.
	AutoCreateTopics bool
	// Properties are settings of the brokers under Kafka's names, such as offset.metadata.max.bytes or message.max.bytes. A name that Kafka does not
	// have is refused, and one that has no effect here is taken and said in the log. Unless they are given, group.initial.rebalance.delay.ms,
	// group.consumer.assignment.interval.ms and group.share.assignment.interval.ms are 0, where Kafka waits seconds.
	Properties map[string]string
	// Racks are the brokers' racks (broker.rack) in the order of their node ids: replicas are spread over them, and where the property
	// replica.selector.class is RackAwareReplicaSelector consumers are sent to a replica in their own (KIP-392). Default: none.
	Racks []string
	// ReplicationDelay is how much later than its leader a follower has what was produced with acks=0 or acks=1: what a leader holds when it dies before
	// that is lost, as it is in Kafka. Default 1 ms; negative: none. What is produced with acks=all is replicated before it is acknowledged.
	ReplicationDelay time.Duration
	// DiskBytes is how much each broker's disk holds. A broker that has no room for a record gives its log directory up; see [Cluster.FillDisk].
	// Default: as much as memory does.
	DiskBytes int64
	// TLS makes the listeners speak TLS; it has the brokers' certificate. Its ClientAuth and ClientCAs say whether clients show certificates too
	// (ssl.client.auth): without SASL, the subject of one is then who the client is. [NewAuthority] makes certificates for tests. Default: plain text.
	TLS *tls.Config
	// SASL makes clients authenticate themselves. Default: they need not.
	SASL *SASL
	// Authorizer decides who may do what. Default: everyone may do everything.
	Authorizer *Authorizer
	// Registry starts a schema registry beside the brokers. Default: none.
	Registry *Registry
	// DataDir is a directory in which the cluster keeps what it has, so that it survives the end of the process: topics with their ids and settings,
	// records, groups with their members and offsets, transactions, producers, quotas, SCRAM users, ACLs, delegation tokens and schemas. It is made where it does not exist, and must be used by one
	// cluster at a time. For each broker it has a directory (broker-1, broker-2 …) as a broker of Apache Kafka has it. What is in it is in memory, too:
	// Start reads all of it. Default: none, the cluster is in memory alone.
	DataDir string
	// Fsync says when what is written there is made to last through a loss of power. Default: [FsyncPromises].
	Fsync Fsync
	// Logger takes the brokers' log. Default: none.
	Logger *slog.Logger

	fs files.FS // of DataDir; nil: the operating system's
}

// Topic is a topic to create.
type Topic struct {
	Name string
	// Partitions defaults to num.partitions, which is 1.
	Partitions int
	// ReplicationFactor defaults to default.replication.factor, which is 1.
	ReplicationFactor int
	// Configs are the topic's own settings under Kafka's names, such as cleanup.policy.
	Configs map[string]string
}

// ErrClosed says that the cluster has been closed.
var ErrClosed = errors.New("broker is closed")

// Cluster is a running cluster. Its methods are safe for concurrent use.
type Cluster struct {
	id      string
	log     *slog.Logger
	network *Network // nil: TCP
	nodes   []*node  // by node id minus 1
	done    chan struct{}
	wg      sync.WaitGroup

	store           *store        // nil: in memory alone
	registry        *schemaServer // nil: none
	security        *security
	authorizer      *acl.Authorizer // nil: everyone may do everything
	groups          *groups.Manager
	shareStates     *sharegroups.States
	delegated       *tokens.Table
	coordinators    coordinators
	txns            *txns.Manager
	txnCoordinators txnCoordinators
	txnOffsets      sync.RWMutex // held for reading while offsets are committed in a transaction, so that it does not end meanwhile
	lastPID         atomic.Int64 // the producer id that was given last
	faults          faults
	retention       *retention
	quotas          quotas.Table
	cleaner         *cleaner
	watchers        watchers

	timers     timers
	controller controller
	changes    atomic.Int64 // to partitions' metadata

	replicationDelay time.Duration
	replicaLag       time.Duration // replica.lag.time.max.ms
	balanceEvery     time.Duration // 0: preferred leaders are elected when asked for only
	rackAware        bool          // consumers are sent to replicas in their rack
	careless         bool          // the high watermark does not wait for followers: what the test of the model must find

	mu        sync.RWMutex // guards what follows
	topics    map[string]*topic
	topicByID map[topicID]*topic
	collapsed map[string]string // see collapse
	settings  settings.Broker   // of all brokers

	groupSettings, clientMetrics map[string]map[string]string // by name
	groupConfigs                 atomic.Pointer[groupConfigs] // see tellGroupsLocked

	closed bool

	kept    sync.Once // closes the store
	keptErr error
}

// Start starts a cluster and returns when every broker listens. Whoever starts one closes it.
func Start(cfg Config) (*Cluster, error) {
	if cfg.Brokers == 0 {
		cfg.Brokers = 1
	}
	if cfg.Brokers < 0 {
		return nil, fmt.Errorf("start broker: %d brokers: must be at least 1", cfg.Brokers)
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	props := maps.Clone(cfg.Properties)
	if props == nil {
		props = map[string]string{}
	}
	if _, given := props["auto.create.topics.enable"]; !given {
		props["auto.create.topics.enable"] = strconv.FormatBool(cfg.AutoCreateTopics)
	}
	values, err := settings.NewBroker(props)
	if err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	for _, name := range settings.Inert(cfg.Properties) {
		cfg.Logger.Warn("setting has no effect on the reference broker", "setting", name)
	}
	authorizer, err := newAuthorizer(cfg.Authorizer)
	if err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	id, kept := newID(), (*store)(nil)
	if cfg.DataDir != "" {
		if kept, id, err = openStore(cfg.fs, cfg.DataDir, cfg.Fsync, cfg.Brokers); err != nil {
			return nil, fmt.Errorf("start broker: %w", err)
		}
	}
	values = values.With(kept.dynamic(values))
	security, err := newSecurity(cfg, values)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start broker: %w", err), kept.close())
	}
	c := &Cluster{
		security:   security,
		authorizer: authorizer,
		id:         id,
		store:      kept,
		log:        cfg.Logger,
		network:    cfg.Network,
		done:       make(chan struct{}),
		topics:     make(map[string]*topic),
		topicByID:  make(map[topicID]*topic),
		collapsed:  make(map[string]string),
		settings:   values,

		groupSettings: make(map[string]map[string]string),
		clientMetrics: make(map[string]map[string]string),
	}
	if kept != nil {
		kept.cluster = c
	}
	if c.replicationDelay = cfg.ReplicationDelay; c.replicationDelay == 0 {
		c.replicationDelay = time.Millisecond
	}
	c.balanceEvery = balanceEvery(values.Bool("auto.leader.rebalance.enable"), values.Int("leader.imbalance.check.interval.seconds"))
	c.rackAware = strings.HasSuffix(values.String("replica.selector.class"), ".RackAwareReplicaSelector")
	c.replicaLag = values.Millis("replica.lag.time.max.ms")
	c.coordinators.changed = make(chan struct{})
	c.tellGroupsLocked()
	c.coordinators.leads = slices.Repeat([]int32{noLeader}, values.Int("offsets.topic.num.partitions"))
	c.shareStates = c.newShareStates(values)
	c.delegated = c.newTokenTable(values)
	c.groups = c.newGroups()
	c.lastPID.Store(999)
	c.txns = c.newTxns()
	c.retention = newRetention(values)
	c.cleaner = newCleaner(values)
	if err := c.start(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("start broker: %w", err), c.Close())
	}
	return c, nil
}

func (c *Cluster) start(cfg Config) error {
	endpoints, err := newEndpoints(cfg, c.security.protocol())
	if err != nil {
		return err
	}
	for i := range cfg.Brokers {
		n := newNode(c, int32(i+1))
		n.disk.limit = cfg.DiskBytes
		if i < len(cfg.Racks) {
			n.rack = cfg.Racks[i]
		}
		n.endpoints = endpoints[i]
		if err := n.listen(); err != nil {
			return err
		}
		n.active.Store(true)
		c.nodes = append(c.nodes, n)
	}
	c.controller.begin(1)
	if err := c.restore(); err != nil {
		return err
	}
	c.placeCoordinators(noLeader)
	if err := c.restoreGroups(); err != nil {
		return err
	}
	if err := c.restoreTxns(); err != nil {
		return err
	}
	if err := c.keep(); err != nil {
		return err
	}
	for _, t := range cfg.Topics {
		if _, err := c.createTopic(newTopicSpec(t)); err != nil && !(c.store != nil && errors.Is(err, kerr.TopicAlreadyExists)) {
			return fmt.Errorf("create topic %s: %w", t.Name, err)
		}
	}
	if !c.store.settle(c.done) {
		return fmt.Errorf("%w %s does not take what is written", ErrDataDir, cfg.DataDir)
	}
	for _, n := range c.nodes {
		n.serve()
	}
	c.wg.Go(func() { c.retention.run(c.done, c.retainOnce) })
	c.wg.Go(func() { c.cleaner.run(c.done, c.clean) })
	if cfg.Registry != nil {
		return c.startRegistry(*cfg.Registry)
	}
	return nil
}

// newID makes a random id as Kafka writes them: 16 bytes in base64 without padding.
func newID() string {
	id := newUUID()
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// newUUID makes a random id that is not zero. It is a name and no secret: asking the system for the first secret takes a tenth of the time of a start.
func newUUID() (id [16]byte) {
	for id == [16]byte{} {
		binary.NativeEndian.PutUint64(id[:], rand.Uint64())
		binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	}
	return id
}

// Addrs returns the addresses at which this process reaches the brokers, in the order of their node ids, also of those that were killed.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		addrs[i] = n.addr()
	}
	return addrs
}

// Advertised returns the addresses that clients are told who came through the first listener, in the order of the brokers' ids: those of [Cluster.Addrs]
// unless [Config.Advertise] has others.
func (c *Cluster) Advertised() []string {
	addrs := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		addrs[i] = n.endpoints[0].advertised()
	}
	return addrs
}

// Dial connects to one of the cluster's addresses over the cluster's network. It has the shape of the dial function that clients take.
func (c *Cluster) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if c.network != nil {
		return c.network.Dial(ctx, network, addr)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

// Close ends every connection and stops the brokers. It waits until nothing of the cluster runs any more. An error says that [Config.DataDir] could not
// be completed: what was promised is there, and the next start has to recover the rest. Closing again does nothing.
func (c *Cluster) Close() error {
	c.mu.Lock()
	closed := c.closed
	c.closed = true
	c.mu.Unlock()
	if !closed {
		close(c.done)
		c.closeRegistry()
		for _, n := range c.nodes {
			n.stop(true)
		}
		c.groups.Close()
		c.txns.Close()
	}
	c.timers.close()
	c.wg.Wait()
	for _, n := range c.nodes { // what requests have taken up that were under way
		n.shares.clear()
	}
	c.kept.Do(func() {
		if err := c.store.close(); err != nil {
			c.keptErr = fmt.Errorf("close broker: %w", err)
		}
	})
	return c.keptErr
}

// node returns the broker with this id, nil where there is none.
func (c *Cluster) node(id int32) *node {
	if id < 1 || int(id) > len(c.nodes) {
		return nil
	}
	return c.nodes[id-1]
}

// property reads the brokers' settings.
func (c *Cluster) property() settings.Broker {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.settings
}

func nowMillis() int64 { return time.Now().UnixMilli() }
