package broker

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// memBuffer is how many bytes one direction of a connection holds before a writer waits.
const memBuffer = 1 << 20

// memConn is one end of a connection in memory.
type memConn struct {
	in, out       *pipe
	local, remote memAddr
}

func newMemConns(client, server memAddr) (c, s *memConn) {
	up, down := newPipe(), newPipe()
	return &memConn{in: down, out: up, local: client, remote: server}, &memConn{in: up, out: down, local: server, remote: client}
}

func (c *memConn) Read(b []byte) (int, error) {
	n, err := c.in.read(b)
	if err != nil && err != io.EOF {
		err = &net.OpError{Op: "read", Net: "memory", Source: c.local, Addr: c.remote, Err: err}
	}
	return n, err
}

func (c *memConn) Write(b []byte) (int, error) {
	n, err := c.out.write(b)
	if err != nil {
		err = &net.OpError{Op: "write", Net: "memory", Source: c.local, Addr: c.remote, Err: err}
	}
	return n, err
}

// Close ends both directions: the other side reads what was written and then io.EOF, and fails to write.
func (c *memConn) Close() error {
	c.in.closeReader()
	c.out.closeWriter()
	return nil
}

func (c *memConn) LocalAddr() net.Addr  { return c.local }
func (c *memConn) RemoteAddr() net.Addr { return c.remote }

func (c *memConn) SetDeadline(t time.Time) error {
	c.in.readLimit.set(t)
	c.out.writeLimit.set(t)
	return nil
}

func (c *memConn) SetReadDeadline(t time.Time) error {
	c.in.readLimit.set(t)
	return nil
}

func (c *memConn) SetWriteDeadline(t time.Time) error {
	c.out.writeLimit.set(t)
	return nil
}

// pipe is one direction.
type pipe struct {
	readLimit, writeLimit deadline

	mu         sync.Mutex // guards what follows, and the deadlines' state
	changed    sync.Cond
	buf        []byte // what was written and not read
	off        int    // where the unread bytes begin
	readClosed bool
	written    bool // no more will be written
}

func newPipe() *pipe {
	p := new(pipe)
	p.changed.L = &p.mu
	p.readLimit.pipe, p.writeLimit.pipe = p, p
	return p
}

func (p *pipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.readClosed:
			return 0, net.ErrClosed
		case p.readLimit.passed:
			return 0, os.ErrDeadlineExceeded
		case p.off < len(p.buf):
			n := copy(b, p.buf[p.off:])
			p.off += n
			if p.off == len(p.buf) {
				p.buf, p.off = p.buf[:0], 0
			}
			p.changed.Broadcast()
			return n, nil
		case p.written:
			return 0, io.EOF
		case len(b) == 0:
			return 0, nil
		}
		p.changed.Wait()
	}
}

func (p *pipe) write(b []byte) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.written:
			return n, net.ErrClosed
		case p.readClosed:
			return n, syscall.EPIPE
		case p.writeLimit.passed:
			return n, os.ErrDeadlineExceeded
		case len(b) == 0:
			return n, nil
		}
		if room := memBuffer - (len(p.buf) - p.off); room > 0 {
			if p.off > 0 && len(p.buf)+min(room, len(b)) > cap(p.buf) { // make room at the front before growing
				p.buf = p.buf[:copy(p.buf, p.buf[p.off:])]
				p.off = 0
			}
			k := min(room, len(b))
			p.buf = append(p.buf, b[:k]...)
			b = b[k:]
			n += k
			p.changed.Broadcast()
			continue
		}
		p.changed.Wait()
	}
}

func (p *pipe) closeReader() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readClosed = true
	p.buf, p.off = nil, 0
	p.readLimit.stop()
	p.changed.Broadcast()
}

func (p *pipe) closeWriter() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written = true
	p.writeLimit.stop()
	p.changed.Broadcast()
}

// deadline wakes a pipe when its time has come. The pipe's mutex guards it.
type deadline struct {
	pipe   *pipe
	timer  *time.Timer
	passed bool
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (d *deadline) set(t time.Time) {
	d.pipe.mu.Lock()
	defer d.pipe.mu.Unlock()
	d.stop()
	d.passed = false
	defer d.pipe.changed.Broadcast()
	if t.IsZero() {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		d.passed = true
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(left, func() {
		d.pipe.mu.Lock()
		defer d.pipe.mu.Unlock()
		if d.timer != timer { // set again since
			return
		}
		d.passed = true
		d.pipe.changed.Broadcast()
	})
	d.timer = timer
}
