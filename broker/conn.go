package broker

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/wire"
)

// conn is one client's connection to one broker. Its goroutine handles one request at a time.
type conn struct {
	node     *node
	id       uint64
	listener int      // that it came through
	nc       net.Conn // TLS, where the listener speaks it
	raw      net.Conn // what nc is on top of
	host     string   // the client's, as Kafka writes it in groups: "/127.0.0.1"
	done     chan struct{}
	once     sync.Once

	principal string // who the client is, as ACLs name it: "User:alice"
	byToken   bool   // it has proven that by a delegation token
	auth      authentication

	idle     time.Duration // connections.max.idle.ms; 0: no limit
	deadline time.Time     // of reading, which is put off when a good part of idle has passed
	in       *bufio.Reader
	scratch  []byte // frames that are not kept
	out      []byte // the encoded response
	pieces   net.Buffers

	shareGroups map[string]bool // that it has had a session of; see hangUpShares

	mu     sync.Mutex // guards client
	client string     // the client id of the last request
}

// request is one request on its way through a handler.
type request struct {
	header
	node *node
	conn *conn
	msg  kmsg.Request

	throttle time.Duration // how long the client's connection is not read after the answer

	fetch *fetch      // of a Fetch: what it reads
	size  int         // of its frame
	met   []*Injected // the faults that it meets
}

// answer is what a handler gives back. The zero answer sends nothing, which is right for a produce request with acks=0.
type answer struct {
	resp  kmsg.Response
	fetch *fetchResponse // sent instead of resp
	close bool           // end the connection

	refused error // the client may not go on: the answer comes after a while, and ends the connection
}

func newConn(n *node, nc net.Conn, id uint64) *conn {
	host, _, err := net.SplitHostPort(nc.RemoteAddr().String())
	if err != nil {
		host = nc.RemoteAddr().String()
	}
	c := &conn{node: n, id: id, nc: nc, raw: nc, host: "/" + host, principal: anonymous, done: make(chan struct{})}
	if t := n.cluster.security.tls; t != nil {
		c.nc = tls.Server(nc, t)
	}
	c.in = bufio.NewReaderSize(c.nc, 16<<10)
	return c
}

// ip is the client's address as ACLs name it.
func (c *conn) ip() string { return c.host[1:] }

// anonymous is the principal of a client that did not have to say who it is.
const anonymous = "User:ANONYMOUS"

// close ends the connection from any goroutine.
func (c *conn) close() {
	c.once.Do(func() {
		close(c.done)
		c.raw.Close()
	})
}

// serve handles requests until the connection ends.
func (c *conn) serve() {
	defer c.hangUpShares()
	defer c.hangUp()
	values := c.node.cluster.property()
	limit := values.Int("socket.request.max.bytes")
	c.idle = max(values.Millis("connections.max.idle.ms"), 0)
	err := c.secure()
	for {
		if err == nil {
			err = c.serveOne(limit)
		}
		if err == nil {
			continue
		}
		if errors.Is(err, errAuthentication) {
			c.wait(nil, c.node.cluster.security.delay)
		}
		if c.auth.state != authDone && errors.Is(err, os.ErrDeadlineExceeded) {
			err = fmt.Errorf("%w: not within the time that there is for it", errAuthentication)
		}
		if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) {
			c.node.cluster.log.Info("connection ended", "broker", c.node.id, "client", c.clientID(), "remote", c.nc.RemoteAddr(), "principal", c.principal, "error", err)
		}
		return
	}
}

func (c *conn) clientID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.client
}

// serveOne reads a request, handles it and writes the response.
func (c *conn) serveOne(limit int) error {
	if c.auth.state != authDone {
		limit = c.node.cluster.security.limit
		if c.auth.state == authExchange && c.auth.raw {
			return c.serveToken(limit)
		}
	}
	frame, err := c.readFrame(limit)
	if err != nil {
		return err
	}
	if !c.node.awaitResumed(c) {
		return net.ErrClosed
	}
	h, body, err := parseHeader(frame)
	if err != nil {
		return err
	}
	if err := c.admit(h); err != nil {
		return err
	}
	c.mu.Lock()
	c.client = h.client
	c.mu.Unlock()
	r := &request{header: h, node: c.node, conn: c, size: 4 + len(frame)}
	a, ok := apiOf(h.key)
	if !ok {
		return fmt.Errorf("unknown api key %d: %w", h.key, errFrame)
	}
	if h.version < a.min || h.version > a.max {
		if h.key != int16(kmsg.ApiVersions) {
			return fmt.Errorf("%s version %d, served are %d to %d: %w", kmsg.NameForKey(h.key), h.version, a.min, a.max, errFrame)
		}
		if h.version > a.max { // Kafka expects tags after the header of a version that is yet to come, and none after the others
			if _, err := skipTags(body); err != nil {
				return err
			}
		}
		return c.write(r, answer{resp: unsupportedApiVersions()})
	}
	r.msg = kmsg.RequestForKey(h.key)
	r.msg.SetVersion(h.version)
	if r.msg.IsFlexible() {
		if body, err = skipTags(body); err != nil {
			return err
		}
	}
	if err := wire.Check(h.key, h.version, body); err != nil {
		return err
	}
	if err := r.msg.ReadFrom(body); err != nil {
		return fmt.Errorf("%s version %d: %w: %w", kmsg.NameForKey(h.key), h.version, errFrame, err)
	}
	if h.key == int16(kmsg.Fetch) {
		r.fetch = r.resolveFetch()
		defer r.closeSession(r.fetch) // where there is no response
	}
	r.meet()
	if !r.suffer() {
		return net.ErrClosed
	}
	if r.dropped() {
		return io.EOF
	}
	res, interrupts := r.interrupts()
	if !interrupts {
		res = r.handle(a)
	}
	if h.key != int16(kmsg.Fetch) && !c.node.cluster.store.settle(c.done) { // what fetches answer depends on nothing that is written here
		return io.EOF
	}
	if !c.node.awaitResumed(c) {
		return net.ErrClosed
	}
	if res.close {
		return io.EOF
	}
	if res.refused != nil {
		if !c.wait(nil, c.node.cluster.security.delay) {
			return net.ErrClosed
		}
		if err := c.write(r, res); err != nil {
			return err
		}
		c.node.cluster.log.Info("client refused", "broker", c.node.id, "client", h.client, "remote", c.nc.RemoteAddr(), "principal", c.principal, "error", res.refused)
		return io.EOF
	}
	r.account(len(frame))
	if r.throttle > 0 {
		r.tell(res)
	}
	s := r.spoil()
	r.closeSession(r.fetch)
	if s.end {
		defer r.spoiled()
		if s.cut {
			_ = c.writeSpoiled(r, res, s) // it is over either way
		}
		return io.EOF
	}
	write := c.write
	if s.rate > 0 {
		write = func(r *request, a answer) error { return c.writeSpoiled(r, a, s) }
	}
	if err := write(r, res); err != nil || r.throttle == 0 {
		return err
	}
	if !c.wait(nil, r.throttle) {
		return net.ErrClosed
	}
	return nil
}

// handle serves the request, unless a fault fails it as a whole.
func (r *request) handle(a *api) answer {
	if code := r.faultWhole(); code != 0 {
		if resp := failRequest(r.msg, code); resp != nil {
			return answer{resp: resp}
		}
	}
	return a.handle(r)
}

// awake puts off the end of an idle connection: it ends when it has been idle for an eighth more than it may at most.
func (c *conn) awake() error {
	if c.idle == 0 || c.auth.state != authDone {
		return nil
	}
	now := time.Now()
	if c.deadline.Sub(now) >= c.idle {
		return nil
	}
	c.deadline = now.Add(c.idle + c.idle/8)
	return c.nc.SetReadDeadline(c.deadline)
}

// readFrame reads a frame into memory of its own where the handler keeps parts of it.
func (c *conn) readFrame(limit int) ([]byte, error) {
	if err := c.awake(); err != nil {
		return nil, err
	}
	if c.auth.state != authDone {
		return readFrame(c.in, limit, nil)
	}
	head, err := c.in.Peek(4)
	if err == nil {
		err = checkSize(head, limit)
	}
	if err != nil {
		return nil, err
	}
	if binary.BigEndian.Uint32(head) < 2 { // nothing of it would be an api key, and nothing need follow it
		return readFrame(c.in, limit, nil)
	}
	if head, err = c.in.Peek(6); err != nil { // the api key too
		return nil, err
	}
	if a, ok := apiOf(int16(binary.BigEndian.Uint16(head[4:]))); !ok || a.keeps {
		return readFrame(c.in, limit, nil)
	}
	frame, err := readFrame(c.in, limit, c.scratch)
	if err == nil && cap(frame) > cap(c.scratch) && cap(frame) <= maxScratch {
		c.scratch = frame
	}
	return frame, err
}

// maxScratch is the largest buffer that a connection keeps between requests.
const maxScratch = 64 << 10

// write sends the response, if there is one.
func (c *conn) write(r *request, a answer) error {
	if a.resp == nil && a.fetch == nil {
		return nil
	}
	buf := append(c.out[:0], 0, 0, 0, 0)
	buf = binary.BigEndian.AppendUint32(buf, uint32(r.correlation))
	if a.fetch != nil {
		return c.writeFetch(buf, a.fetch)
	}
	if a.resp.IsFlexible() && a.resp.Key() != int16(kmsg.ApiVersions) { // clients read that before they know what the broker speaks
		buf = append(buf, 0)
	}
	buf = a.resp.AppendTo(buf)
	binary.BigEndian.PutUint32(buf, uint32(len(buf)-4))
	if cap(buf) <= maxScratch {
		c.out = buf
	}
	_, err := c.nc.Write(buf)
	return err
}

// writeToken sends a message of a SASL mechanism without a response header.
func (c *conn) writeToken(token []byte) error {
	_, err := c.nc.Write(append(binary.BigEndian.AppendUint32(c.out[:0], uint32(len(token))), token...))
	return err
}

// wait blocks until ch is ready or d has passed. It reports false when the connection ended meanwhile.
func (c *conn) wait(ch <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ch:
	case <-t.C:
	case <-c.done:
		return false
	}
	return true
}
