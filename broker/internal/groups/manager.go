package groups

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrClosed is what [Manager.WaitState] returns when the Manager is closed
// before the state is reached.
var ErrClosed = errors.New("groups: closed")

// newMemberJoinTimeout bounds how long the join of a member that has never
// been in a completed rebalance may wait: its client may be gone, and nothing
// else would tell (group.coordinator.new.member.join.timeout.ms).
const newMemberJoinTimeout = 5 * time.Minute

// Config says what the coordinator knows of the cluster, and its limits. The
// zero value has Kafka's defaults, except that a first rebalance does not wait
// for more members.
//
// The functions are called without a lock held, from the goroutine that calls
// [Manager.Handle]. They must be safe for concurrent use.
type Config struct {
	// TopicExists reports whether a partition exists; offsets of others are
	// refused with UNKNOWN_TOPIC_OR_PARTITION. Nil: every partition exists.
	TopicExists func(topic string, partition int32) bool
	// TopicID and TopicName translate for requests that carry topic ids
	// (OffsetCommit and OffsetFetch from version 10). Nil: no topic has an id.
	TopicID   func(name string) ([16]byte, bool)
	TopicName func(id [16]byte) (string, bool)

	// MaxMetadata is offset.metadata.max.bytes: how long a commit's metadata
	// may be, counted in UTF-16 code units as Kafka counts it, whatever the
	// setting is called. 0: 4096.
	MaxMetadata int
	// OffsetsRetention is how long offsets are kept that nobody uses: since their
	// commit, or since the group has lost its last member
	// (offsets.retention.minutes). 0: 7 days. Negative: for ever.
	OffsetsRetention time.Duration
	// OffsetsCheckInterval is how often expired offsets are looked for
	// (offsets.retention.check.interval.ms). 0: 10 minutes.
	OffsetsCheckInterval time.Duration
	// MinSession and MaxSession bound a member's session timeout
	// (group.min.session.timeout.ms, group.max.session.timeout.ms). 0: 6
	// seconds and 30 minutes.
	MinSession, MaxSession time.Duration
	// InitialRebalanceDelay is how long the first rebalance of an empty group
	// waits for more members, again after each that comes, up to the rebalance
	// timeout (group.initial.rebalance.delay.ms, 3 seconds in Kafka). 0: it
	// does not wait.
	InitialRebalanceDelay time.Duration
	// MaxSize is how many members a classic group may have (group.max.size). 0:
	// any number.
	MaxSize int
	// Topics lists all topics, for consumer groups: the coordinator assigns their
	// partitions itself. It is asked at the first heartbeat of such a group and
	// by [Manager.Changed]. Nil: consumer groups see no topics.
	Topics func() []Topic
	// Consumer has the settings of consumer groups.
	Consumer ConsumerConfig
	// Logger is told of rebalances, expired members and fenced ones. Nil: nobody
	// is.
	Logger *slog.Logger
}

// ConsumerConfig has the settings of groups of the consumer protocol (KIP-848),
// which are the broker's there and not the clients'. The zero value has Kafka's
// defaults, except that a new assignment is computed at once.
type ConsumerConfig struct {
	// Session is how long a member may be silent
	// (group.consumer.session.timeout.ms). 0: 45 seconds.
	Session time.Duration
	// Heartbeat is how often members are told to report
	// (group.consumer.heartbeat.interval.ms). 0: 5 seconds.
	Heartbeat time.Duration
	// AssignmentInterval is how long a computed assignment stands at least before
	// the next one (group.consumer.assignment.interval.ms, 1 second in Kafka
	// 4.3). 0: no time.
	AssignmentInterval time.Duration
	// MaxSize is how many members a group may have (group.consumer.max.size). 0:
	// any number.
	MaxSize int
	// Migration says between which protocols a group with members may change.
	Migration Migration
}

// Migration is group.consumer.migration.policy.
type Migration int

// The policies. A group without members changes its protocol under any of them.
const (
	MigrateBothWays Migration = iota // bidirectional, Kafka's default
	MigrateForth                     // upgrade: from classic to consumer
	MigrateBack                      // downgrade: from consumer to classic
	MigrateNever                     // disabled
)

func (c Config) withDefaults() Config {
	if c.TopicExists == nil {
		c.TopicExists = func(string, int32) bool { return true }
	}
	if c.TopicID == nil {
		c.TopicID = func(string) ([16]byte, bool) { return [16]byte{}, false }
	}
	if c.TopicName == nil {
		c.TopicName = func([16]byte) (string, bool) { return "", false }
	}
	if c.MaxMetadata == 0 {
		c.MaxMetadata = 4096
	}
	if c.OffsetsRetention == 0 {
		c.OffsetsRetention = 7 * 24 * time.Hour
	}
	if c.OffsetsCheckInterval == 0 {
		c.OffsetsCheckInterval = 10 * time.Minute
	}
	if c.MinSession == 0 {
		c.MinSession = 6 * time.Second
	}
	if c.MaxSession == 0 {
		c.MaxSession = 30 * time.Minute
	}
	if c.Consumer.Session == 0 {
		c.Consumer.Session = 45 * time.Second
	}
	if c.Consumer.Heartbeat == 0 {
		c.Consumer.Heartbeat = 5 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Client is who sent a request, as DescribeGroups will show it.
type Client struct {
	// ID is the client id of the request's header.
	ID string
	// Host is the address it came from, as Kafka writes it: "/127.0.0.1".
	Host string
}

// Manager coordinates all groups of one cluster. Its methods are safe for
// concurrent use.
//
// One mutex guards all groups. A request costs microseconds, so there is
// nothing to win by a lock for each, and with one a group can be deleted,
// listed or change its kind without a state for the time in between.
type Manager struct {
	cfg    Config
	timers sync.WaitGroup // timers that will still call back

	load    sync.Once  // of the topics, before they are first needed
	imaging sync.Mutex // held while the topics are asked for and put in place

	started time.Time // looks for what has expired come so many intervals later

	mu        sync.Mutex
	commits   int64 // how many offsets have been committed
	closed    bool
	groups    map[string]*group
	image     image
	newTopics int64 // grows whenever topics are created
	waiters   []*stateWaiter
	out       []func() // what is to be done once mu is released: answers, log lines
}

// group is what goes by one group id: a classic group or a consumer group, and
// the offsets, which outlive both.
type group struct {
	name     string
	classic  *classic  // nil in a consumer group
	consumer *consumer // nil in a classic group
	offsets  offsets
	staged   map[int64]offsets // by the producers of open transactions
	expiry   alarm             // of offsets, and in the end of the group
}

func (g *group) state() State {
	if g.consumer != nil {
		return g.consumer.state()
	}
	return g.classic.state
}

// kind is the group's type as ListGroups has it.
func (g *group) kind() string {
	if g.consumer != nil {
		return typeConsumer
	}
	return typeClassic
}

func (g *group) protocolType() string {
	if g.consumer != nil {
		return consumerProtocol
	}
	return g.classic.protocolType
}

func (m *Manager) closeGroup(g *group) {
	m.unset(&g.expiry)
	if g.consumer != nil {
		g.consumer.close()
	} else {
		g.classic.close(kerr.CoordinatorNotAvailable)
	}
}

// subscribedTo reports whether members read a topic.
func (g *group) subscribedTo(topic string) bool {
	if g.consumer != nil {
		return g.consumer.subscribed()[topic]
	}
	return g.classic.subscribedTo(topic)
}

// New returns a Manager without groups. Close it.
func New(cfg Config) *Manager {
	return &Manager{cfg: cfg.withDefaults(), groups: make(map[string]*group), started: time.Now()}
}

// Close answers every waiting request with COORDINATOR_NOT_AVAILABLE, ends
// every [Manager.WaitState] with [ErrClosed], stops all timers and waits for
// those that are going off. It must not be called from a reply. What is asked
// of a closed Manager is answered COORDINATOR_NOT_AVAILABLE; what it knew can
// still be read.
func (m *Manager) Close() {
	m.mu.Lock()
	if !m.closed {
		m.closed = true
		for _, g := range m.groups {
			m.closeGroup(g)
		}
		for _, w := range m.waiters {
			w.end(ErrClosed)
		}
		m.waiters = nil
	}
	m.unlock()
	m.timers.Wait()
}

// unlock releases mu and then does what was put off until then: a reply may
// call back into the Manager.
func (m *Manager) unlock() {
	out := m.out
	m.out = nil
	m.mu.Unlock()
	for _, f := range out {
		f()
	}
}

func (m *Manager) log(msg string, args ...any) {
	m.out = append(m.out, func() { m.cfg.Logger.Info(msg, args...) })
}

// A call is a request that has still to be answered.
type call struct {
	version int16
	reply   func(kmsg.Response)
}

// answer sends resp once the lock is released.
func (m *Manager) answer(c call, resp kmsg.Response) {
	resp.SetVersion(c.version)
	m.out = append(m.out, func() { c.reply(resp) })
}

// loadTopics asks for the topics if nobody has yet.
func (m *Manager) loadTopics() { m.load.Do(m.Changed) }

// Handle answers one request of a group API: OffsetCommit, OffsetFetch,
// JoinGroup, Heartbeat, LeaveGroup, SyncGroup, DescribeGroups, ListGroups,
// DeleteGroups, OffsetDelete, ConsumerGroupHeartbeat, ConsumerGroupDescribe or
// TxnOffsetCommit (to version 5); any other is answered nil.
//
// It never blocks. reply is called exactly once and never while a lock is held:
// before Handle returns, or later, from a timer or from the goroutine that
// handles another member's request. It should not block either. Versions and
// authorization are the caller's business, and so are the authorized operations
// of DescribeGroups. The Manager keeps no part of req but its strings.
func (m *Manager) Handle(client Client, req kmsg.Request, reply func(kmsg.Response)) {
	c := call{version: req.GetVersion(), reply: reply}
	switch req := req.(type) {
	case *kmsg.OffsetCommitRequest:
		m.offsetCommit(c, req)
	case *kmsg.OffsetFetchRequest:
		m.offsetFetch(c, req)
	case *kmsg.TxnOffsetCommitRequest:
		m.txnOffsetCommit(c, req)
	case *kmsg.OffsetDeleteRequest:
		m.offsetDelete(c, req)
	case *kmsg.JoinGroupRequest:
		m.joinGroup(c, client, req)
	case *kmsg.SyncGroupRequest:
		m.syncGroup(c, req)
	case *kmsg.HeartbeatRequest:
		m.heartbeat(c, req)
	case *kmsg.LeaveGroupRequest:
		m.leaveGroup(c, req)
	case *kmsg.ConsumerGroupHeartbeatRequest:
		m.consumerHeartbeat(c, client, req)
	case *kmsg.ConsumerGroupDescribeRequest:
		m.describeConsumers(c, req)
	case *kmsg.DescribeGroupsRequest:
		m.describeGroups(c, req)
	case *kmsg.ListGroupsRequest:
		m.listGroups(c, req)
	case *kmsg.DeleteGroupsRequest:
		m.deleteGroups(c, req)
	default:
		reply(nil)
	}
}

// lookup finds a group for a request that names one, or says what to answer.
func (m *Manager) lookup(name string, absent *kerr.Error) (*group, *kerr.Error) {
	switch {
	case m.closed:
		return nil, kerr.CoordinatorNotAvailable
	case name == "":
		return nil, kerr.InvalidGroupID
	}
	g := m.groups[name]
	if g == nil {
		return nil, absent
	}
	return g, nil
}

// create makes an empty group, which no client has been told of yet.
func (m *Manager) create(name string) *group {
	g := &group{name: name}
	g.classic = newClassic(m, g)
	m.groups[name] = g
	m.reached(name, Empty)
	m.watch(g)
	return g
}

// drop forgets a group and its offsets.
func (m *Manager) drop(g *group) {
	m.closeGroup(g)
	delete(m.groups, g.name)
	m.reached(g.name, Dead)
}

func code(err *kerr.Error) int16 {
	if err == nil {
		return 0
	}
	return err.Code
}
