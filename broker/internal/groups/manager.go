package groups

import (
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrClosed is what [Manager.WaitState] returns when the Manager is closed
// before the state is reached.
var ErrClosed = errors.New("groups: closed")

// Client is who sent a request, as DescribeGroups will show it.
type Client struct {
	// ID is the client id of the request's header.
	ID string
	// Host is the address it came from, as Kafka writes it: "/127.0.0.1".
	Host string
	// Sees says whether the client may know of a topic, which a regular
	// expression of its then names. Nil: of every topic.
	Sees func(topic string) bool
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
	writing sync.Mutex // held while the journal is written down
	imaging sync.Mutex // held while the topics are asked for and put in place

	started time.Time // looks for what has expired come so many intervals later

	mu        sync.Mutex
	commits   int64 // how many offsets have been committed
	closed    bool
	groups    map[string]*group
	image     image
	newTopics int64 // grows whenever topics are created
	waiters   []*stateWaiter
	journal   []Entry  // what is to be written down once mu is released
	out       []func() // what is to be done once mu is released: answers, log lines
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
	written := len(m.journal) > 0
	m.mu.Unlock()
	if written {
		m.flush()
	}
	m.cfg.Changed()
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
// DeleteGroups, OffsetDelete, ConsumerGroupHeartbeat, ConsumerGroupDescribe,
// ShareGroupHeartbeat, ShareGroupDescribe, AlterShareGroupOffsets,
// DeleteShareGroupOffsets or TxnOffsetCommit (to version 5); any other is
// answered nil.
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
	case *kmsg.ShareGroupHeartbeatRequest:
		m.shareHeartbeat(c, client, req)
	case *kmsg.ShareGroupDescribeRequest:
		m.describeShares(c, req)
	case *kmsg.AlterShareGroupOffsetsRequest:
		m.alterShareOffsets(c, req)
	case *kmsg.DeleteShareGroupOffsetsRequest:
		m.deleteShareOffsets(c, req)
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
	if g == nil || g.share != nil { // who is of another protocol finds nothing
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
	m.dropped(g)
	m.closeGroup(g)
	if g.share != nil {
		g.share.drop()
	}
	delete(m.groups, g.name)
	m.reached(g.name, Dead)
}

func code(err *kerr.Error) int16 {
	if err == nil {
		return 0
	}
	return err.Code
}
