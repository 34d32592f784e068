package broker

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// Network is an in-memory network: listeners by address, connections that are buffered on both sides and honour deadlines. It uses channels, timers
// and condition variables only, so everything that waits on it is durably blocked in the sense of testing/synctest, and virtual time passes. It is
// safe for concurrent use.
type Network struct {
	mu        sync.Mutex // guards what follows
	listeners map[string]*memListener
	nextPort  int
}

// NewNetwork returns an empty network.
func NewNetwork() *Network {
	return &Network{listeners: make(map[string]*memListener), nextPort: 30000}
}

// Listen takes an address; port 0 stands for a free one.
func (n *Network) Listen(addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listen in memory: %w", err)
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("listen in memory on %q: %w", addr, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for p == 0 {
		n.nextPort++
		if _, used := n.listeners[net.JoinHostPort(host, strconv.Itoa(n.nextPort))]; !used {
			p = uint64(n.nextPort)
		}
	}
	a := memAddr(net.JoinHostPort(host, strconv.FormatUint(p, 10)))
	if _, used := n.listeners[string(a)]; used {
		return nil, &net.OpError{Op: "listen", Net: a.Network(), Addr: a, Err: syscall.EADDRINUSE}
	}
	l := &memListener{network: n, addr: a, backlog: make(chan *memConn, 128), closed: make(chan struct{})}
	n.listeners[string(a)] = l
	return l, nil
}

// Dial connects to a listener; network is ignored. It blocks while the listener's backlog is full, until ctx ends.
func (n *Network) Dial(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[addr]
	n.nextPort++
	local := memAddr(net.JoinHostPort("127.0.0.1", strconv.Itoa(n.nextPort)))
	n.mu.Unlock()
	refused := &net.OpError{Op: "dial", Net: "memory", Addr: memAddr(addr), Err: syscall.ECONNREFUSED}
	if l == nil {
		return nil, refused
	}
	client, server := newMemConns(local, l.addr)
	select {
	case <-l.closed:
		return nil, refused
	default:
	}
	select {
	case l.backlog <- server:
		select {
		case <-l.closed: // since: nobody will accept it
			l.reset()
		default:
		}
		return client, nil
	case <-l.closed:
		return nil, refused
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: "memory", Addr: l.addr, Err: ctx.Err()}
	}
}

type memAddr string

func (memAddr) Network() string  { return "memory" }
func (a memAddr) String() string { return string(a) }

type memListener struct {
	network *Network
	addr    memAddr
	backlog chan *memConn
	closed  chan struct{}
	once    sync.Once
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
	default:
		select {
		case c := <-l.backlog:
			return c, nil
		case <-l.closed:
		}
	}
	return nil, &net.OpError{Op: "accept", Net: "memory", Addr: l.addr, Err: net.ErrClosed}
}

// Close frees the address and resets the connections that nobody accepted.
func (l *memListener) Close() error {
	l.once.Do(func() {
		l.network.mu.Lock()
		delete(l.network.listeners, string(l.addr))
		l.network.mu.Unlock()
		close(l.closed)
		l.reset()
	})
	return nil
}

// reset closes the connections that wait to be accepted.
func (l *memListener) reset() {
	for {
		select {
		case c := <-l.backlog:
			_ = c.Close()
		default:
			return
		}
	}
}

func (l *memListener) Addr() net.Addr { return l.addr }
