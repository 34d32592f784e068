package proxy

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Config says what to stand before.
type Config struct {
	Brokers map[int32]string // node id to host:port; brokers that responses name beside these are added
	Logger  *slog.Logger     // connections that could not be served; nil is slog.Default()
}

// Proxy is a running proxy. Its methods are safe for concurrent use.
type Proxy struct {
	log  *slog.Logger
	done chan struct{} // closed by Close
	wg   sync.WaitGroup

	mu        sync.Mutex
	listeners map[string]*listener // by the broker's address
	conns     map[*conn]struct{}
	faults    []*Injected
	topics    map[[16]byte]string
	closed    bool
}

// listener takes the connections for one broker.
type listener struct {
	net.Listener
	broker   int32
	upstream string
}

// UndecodableError says that a response that had to be read could not be.
type UndecodableError struct{ API, Version int16 }

func (e *UndecodableError) Error() string {
	return fmt.Sprintf("can not read a %s response of version %d", kmsg.NameForKey(e.API), e.Version)
}

// Start listens on a loopback port for each broker. It does not connect to them before a client does.
func Start(cfg Config) (*Proxy, error) {
	p := &Proxy{
		log: cfg.Logger, done: make(chan struct{}), listeners: map[string]*listener{}, conns: map[*conn]struct{}{}, topics: map[[16]byte]string{},
	}
	if p.log == nil {
		p.log = slog.Default()
	}
	for id, addr := range cfg.Brokers {
		if _, err := p.listenFor(id, addr); err != nil {
			p.Close()
			return nil, err
		}
	}
	return p, nil
}

// Addrs returns the proxy's listeners in the order of the brokers' ids.
func (p *Proxy) Addrs() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var addrs []string
	for _, l := range slices.SortedFunc(maps.Values(p.listeners), func(a, b *listener) int { return int(a.broker - b.broker) }) {
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

// listenFor returns the proxy's address for a broker's, listening where it does not yet.
func (p *Proxy) listenFor(broker int32, upstream string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.listeners[upstream]; l != nil {
		return l.Addr().String(), nil
	}
	if p.closed {
		return "", net.ErrClosed
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("proxy: listen for broker %d: %w", broker, err)
	}
	l := &listener{Listener: inner, broker: broker, upstream: upstream}
	p.listeners[upstream] = l
	p.wg.Go(func() { p.accept(l) })
	return l.Addr().String(), nil
}

func (p *Proxy) accept(l *listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return // closed
		}
		c := &conn{proxy: p, broker: l.broker, client: client, gone: make(chan struct{})}
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			client.Close()
			return
		}
		p.conns[c] = struct{}{}
		p.mu.Unlock()
		p.wg.Go(func() {
			err := c.serve(l.upstream)
			p.mu.Lock()
			delete(p.conns, c)
			p.mu.Unlock()
			if unreadable(err) {
				p.log.Warn("proxy: connection ended", "broker", l.broker, "client", c.name(), "error", err)
			}
		})
	}
}

// unreadable reports whether the connection ended because of what was said on it, not because one side went away.
func unreadable(err error) bool {
	var undecodable *UndecodableError
	return errors.As(err, &undecodable) || errors.Is(err, errShort)
}

// Drop ends every connection of clients whose id matches (a trailing * stands for any rest, "" for all), with a reset, and returns how many.
// Connections that have not sent a request yet have no id and match only "".
func (p *Proxy) Drop(client string) int {
	p.mu.Lock()
	var drop []*conn
	for c := range p.conns {
		if client == "" || matchesName(client, c.name()) {
			drop = append(drop, c)
		}
	}
	p.mu.Unlock()
	for _, c := range drop {
		c.reset()
	}
	return len(drop)
}

// Close ends every connection and listener and returns once nothing of the proxy runs. It may be called twice.
func (p *Proxy) Close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.done)
	}
	for _, l := range p.listeners {
		l.Close()
	}
	conns := slices.Collect(maps.Keys(p.conns))
	p.mu.Unlock()
	for _, c := range conns {
		c.close()
	}
	p.wg.Wait()
}

// sleep waits for d, or until the proxy or the connection ends.
func (c *conn) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.gone:
		return false
	}
}

func (p *Proxy) dial(upstream string) (net.Conn, error) {
	return (&net.Dialer{Timeout: 10 * time.Second}).Dial("tcp", upstream)
}
