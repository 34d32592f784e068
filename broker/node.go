package broker

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/sordini-go/sordini/broker/internal/quotas"
	"github.com/sordini-go/sordini/broker/internal/settings"
)

// node is one broker of the cluster.
type node struct {
	id        int32
	cluster   *Cluster
	endpoints []endpoint // by listener; they stay as they are once the broker has listened
	rack      string     // "": none

	// What a partition asks for with its lock held. The process runs, and is not paused; the controller counts it in; it is about to stop; its followers
	// are to fetch nothing; it has been unregistered.
	running, active, stopping, held, forgotten atomic.Bool

	sessions fetchSessions
	shares   shares
	settings atomic.Pointer[settings.Broker]
	meter    quotas.Meter
	altered  map[string]string // settings of this broker alone; the cluster's lock guards it
	loggers  map[string]string // levels; the cluster's lock guards it
	disk     disk
	skew     atomic.Int64 // what the broker's clock is ahead by, nanoseconds

	mu        sync.Mutex     // guards what follows
	listeners []net.Listener // by listener; none while the broker is down
	conns     map[*conn]struct{}
	alive     bool          // it has a process, if a paused one
	starts    int           // how many it has had
	clean     bool          // the last one ended in order
	resumed   chan struct{} // closed while the broker runs; open while it is paused
	nextConn  uint64
	freed     chan struct{} // has room for one word that a connection has ended, or the broker
}

func newNode(c *Cluster, id int32) *node {
	n := &node{id: id, cluster: c, loggers: newLoggers(), conns: make(map[*conn]struct{}), resumed: make(chan struct{}), freed: make(chan struct{}, 1)}
	all := c.property()
	n.settings.Store(&all)
	close(n.resumed)
	return n
}

// listen opens the broker's listeners, where it had them before when it starts again; serve begins to accept.
func (n *node) listen() error {
	listeners := make([]net.Listener, 0, len(n.endpoints))
	for i := range n.endpoints {
		l, err := n.endpoints[i].listen(n.cluster)
		if err != nil {
			for _, open := range listeners {
				open.Close()
			}
			return fmt.Errorf("broker %d: %w", n.id, err)
		}
		listeners = append(listeners, l)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners, n.alive = listeners, true
	n.starts++
	n.running.Store(true)
	return nil
}

// addr is where this process reaches the broker.
func (n *node) addr() string { return n.endpoints[0].local }

// serve accepts connections until the listeners are closed.
func (n *node) serve() {
	n.mu.Lock()
	listeners := n.listeners
	n.mu.Unlock()
	for i, l := range listeners {
		n.cluster.wg.Go(func() { n.accept(i, l) })
	}
}

// accept accepts connections of one listener.
func (n *node) accept(i int, l net.Listener) {
	for n.awaitRoom(i, l) {
		nc, err := l.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				n.cluster.log.Error("accept failed, broker takes no more connections", "broker", n.id, "listener", n.endpoints[i].name, "error", err)
			}
			return
		}
		if !n.pace() {
			nc.Close()
			return
		}
		n.start(nc, i, l)
	}
}

// hasLocked says whether a listener is the broker's, and not one of a life before.
func (n *node) hasLocked(i int, l net.Listener) bool {
	return i < len(n.listeners) && n.listeners[i] == l
}

// start serves a connection, unless the broker has stopped since it was accepted.
func (n *node) start(nc net.Conn, i int, l net.Listener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.hasLocked(i, l) {
		nc.Close()
		return
	}
	if n.cluster.faults.refuses(n.id) {
		nc.Close()
		return
	}
	n.nextConn++
	c := newConn(n, nc, n.nextConn)
	c.listener = i
	if limit, tooMany := n.tooManyLocked(c.ip(), n.cluster.property()); tooMany {
		n.cluster.log.Info("connection refused", "broker", n.id, "remote", nc.RemoteAddr(), "max.connections.per.ip", limit)
		nc.Close()
		return
	}
	n.conns[c] = struct{}{}
	held := n.delayConnection(c.ip())
	n.cluster.wg.Go(func() {
		if held == 0 {
			c.serve()
		} else {
			n.cluster.log.Info("connection throttled", "broker", n.id, "remote", nc.RemoteAddr(), "closed after", held)
			c.wait(nil, held)
			c.close()
		}
		n.mu.Lock()
		delete(n.conns, c)
		n.mu.Unlock()
		n.connectionGone()
	})
}

// stop closes the listeners and every connection. It does not wait. clean says whether the broker ends in order. It reports whether it ran.
func (n *node) stop(clean bool) bool {
	defer n.shares.clear() // with the lock released: a lock that runs out there writes that down
	n.mu.Lock()
	defer n.mu.Unlock()
	ran := n.alive
	n.alive = false
	n.running.Store(false)
	if ran {
		n.clean = clean
	}
	n.resumeLocked()
	n.sessions.clear()
	for _, l := range n.listeners {
		l.Close()
	}
	n.listeners = nil
	n.connectionGone()
	for c := range n.conns {
		c.close()
	}
	return ran
}

// isAlive says whether the others count the broker in: the controller has not fenced it.
func (n *node) isAlive() bool { return n.active.Load() }

// isRunning says whether the broker does anything: its process runs and is not paused.
func (n *node) isRunning() bool { return n.running.Load() }

// rackOrNil is the broker's rack as responses have it.
func (n *node) rackOrNil() *string {
	if n.rack == "" {
		return nil
	}
	return &n.rack
}

// startsNow says how often the broker has been started.
func (n *node) startsNow() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.starts
}

// endedInOrder says whether the broker was stopped rather than killed.
func (n *node) endedInOrder() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.clean
}

// pause makes the broker answer nothing until the channel that it returns is closed. It reports false when the broker does not run.
func (n *node) pause() (resumed chan struct{}, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.resumed:
	default:
		return nil, false
	}
	if !n.alive {
		return nil, false
	}
	n.resumed = make(chan struct{})
	n.running.Store(false)
	return n.resumed, true
}

// fence counts the broker out if it is still paused since that pause.
func (n *node) fence(since chan struct{}) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.resumed != since || !n.alive {
		return false
	}
	select {
	case <-since:
		return false
	default:
	}
	n.active.Store(false)
	return true
}

// resume lets the broker go on. It reports whether it had been counted out.
func (n *node) resume() (fenced bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.resumeLocked()
	n.running.Store(n.alive)
	return n.alive && !n.active.Load()
}

func (n *node) resumeLocked() {
	select {
	case <-n.resumed:
	default:
		close(n.resumed)
	}
}

// awaitResumed blocks while the broker is paused. It reports false when the connection ended meanwhile.
func (n *node) awaitResumed(c *conn) bool {
	n.mu.Lock()
	resumed := n.resumed
	n.mu.Unlock()
	select {
	case <-resumed:
		return true
	default:
	}
	select {
	case <-resumed:
		return true
	case <-c.done:
		return false
	}
}

// condition says how the broker is, in one word.
func (n *node) condition() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.alive {
		return "down"
	}
	select {
	case <-n.resumed:
		return "running"
	default:
		return "paused"
	}
}
