package guarantee

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/sordini-go/sordini"
)

// network is one service's own way to the cluster. Cutting it is how a scenario kills a member inside one process: to the brokers it has gone, and to it
// they have.
type network struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu    sync.Mutex
	conns map[*trackedConn]struct{}
	isCut bool
}

var errCut = errors.New("the network is cut")

// over returns the cluster reached over n.
func (n *network) over(c sordini.Cluster, client string) sordini.Cluster {
	n.dial = c.Dial
	if n.dial == nil {
		n.dial = new(net.Dialer).DialContext
	}
	n.conns = map[*trackedConn]struct{}{}
	c.Dial, c.ClientID = n.connect, client
	return c
}

func (n *network) connect(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	isCut := n.isCut
	n.mu.Unlock()
	if isCut {
		return nil, errCut
	}
	inner, err := n.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &trackedConn{Conn: inner, network: n}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.isCut {
		inner.Close()
		return nil, errCut
	}
	n.conns[c] = struct{}{}
	return c, nil
}

// cut ends every connection and lets none be made.
func (n *network) cut() {
	n.mu.Lock()
	n.isCut = true
	n.mu.Unlock()
	n.drop()
}

// drop ends every connection.
func (n *network) drop() {
	n.mu.Lock()
	conns := n.conns
	n.conns = map[*trackedConn]struct{}{}
	n.mu.Unlock()
	for c := range conns {
		c.Conn.Close()
	}
}

// heal lets connections be made again.
func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.isCut = false
}

// openSoon returns how many connections are still open after a moment, in which one that was being made can be closed.
func (n *network) openSoon() int {
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		n.mu.Lock()
		open := len(n.conns)
		n.mu.Unlock()
		if open == 0 || time.Since(began) > time.Second {
			return open
		}
	}
}

type trackedConn struct {
	net.Conn
	network *network
}

// Write lets nothing out behind the cut, also where the connection has not been closed yet.
func (c *trackedConn) Write(b []byte) (int, error) {
	c.network.mu.Lock()
	isCut := c.network.isCut
	c.network.mu.Unlock()
	if isCut {
		return 0, errCut
	}
	return c.Conn.Write(b)
}

func (c *trackedConn) Close() error {
	c.network.mu.Lock()
	delete(c.network.conns, c)
	c.network.mu.Unlock()
	return c.Conn.Close()
}
