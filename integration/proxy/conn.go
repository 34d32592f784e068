package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// conn is one client connection and the one to the broker behind it. One goroutine reads requests, one answers; Kafka answers a connection's requests in
// their order, so a queue between the two says what to do with each answer.
type conn struct {
	proxy  *Proxy
	broker int32
	client net.Conn

	mu       sync.Mutex
	upstream net.Conn
	id       string
	closed   bool
	gone     chan struct{} // closed with the connection
}

// pending is a request that has been taken from the client and not been answered yet.
type pending struct {
	header
	local []byte        // the whole answer; nil where the broker answers
	merge kmsg.Response // refused partitions to be merged into the broker's answer
	fault *Injected     // what happens to the broker's answer
}

// unanswered lets the fault meet another request: there is no answer to this one that it could keep from the client.
func (p pending) unanswered() {
	if p.fault != nil && p.fault.fault.Do != Slow {
		p.fault.giveBack()
	}
}

func (c *conn) name() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.id
}

func (c *conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	close(c.gone)
	c.client.Close()
	if c.upstream != nil {
		c.upstream.Close()
	}
}

// reset closes the connection so that the client sees a reset, as from a machine that has lost it.
func (c *conn) reset() {
	if tcp, ok := c.client.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.close()
}

// serve runs the connection to its end.
func (c *conn) serve(upstream string) error {
	defer c.close()
	if c.proxy.refuses(c.broker) {
		c.reset()
		return nil
	}
	up, err := c.proxy.dial(upstream)
	if err != nil {
		c.reset() // the broker is down: say so as its machine would
		return err
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		up.Close()
		return net.ErrClosed
	}
	c.upstream = up
	c.mu.Unlock()
	queue := make(chan pending, 1024)
	answered := make(chan error, 1)
	go func() { answered <- c.answers(queue) }()
	err = c.requests(queue)
	c.close()
	close(queue)
	err = errors.Join(err, <-answered)
	for p := range queue {
		p.unanswered()
	}
	return err
}

// requests passes the client's requests on, until one side goes.
func (c *conn) requests(queue chan<- pending) error {
	for {
		frame, err := readFrame(c.client)
		if err != nil {
			return err
		}
		h, err := parseHeader(frame)
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.id = h.client
		c.mu.Unlock()
		req := h.request()
		in := c.proxy.match(h, req, c.broker)
		if in == nil {
			if err := c.forward(queue, frame, pending{header: h}, req); err != nil {
				return err
			}
			continue
		}
		if err := c.fault(queue, frame, h, req, in); err != nil {
			return err
		}
	}
}

// fault does to a request what the fault says.
func (c *conn) fault(queue chan<- pending, frame []byte, h header, req kmsg.Request, in *Injected) error {
	switch in.fault.Do {
	case Refuse:
		if req == nil {
			return &UndecodableError{API: h.api, Version: h.version}
		}
		in.hit()
		return c.refuse(queue, h, req, in)
	case DropResponse, SwallowResponse, CutResponse:
		return c.forward(queue, frame, pending{header: h, fault: in}, req)
	case CutRequest:
		_, _ = c.upstream.Write(frame[:len(frame)/2])
		in.hit()
		return net.ErrClosed
	case Delay:
		in.hit()
		if !c.sleep(in.pause()) {
			return net.ErrClosed
		}
		return c.forward(queue, frame, pending{header: h}, req)
	case Slow:
		in.hit()
		if !c.sleep(transfer(len(frame), in.fault.BytesPerSecond)) {
			return net.ErrClosed
		}
		return c.forward(queue, frame, pending{header: h, fault: in}, req)
	case Stall:
		in.hit()
		_, err := io.Copy(io.Discard, c.client) // until the client gives up
		return err
	}
	return nil
}

func (c *conn) refuse(queue chan<- pending, h header, req kmsg.Request, in *Injected) error {
	names := c.proxy.names()
	answer, rest := in.fault.refuse(req, names)
	if rest != nil {
		return c.forward(queue, h.requestFrame(rest), pending{header: h, merge: answer}, rest)
	}
	if silent(req) {
		return nil
	}
	return c.enqueue(queue, pending{header: h, local: h.responseFrame(answer)})
}

// forward hands a request to the broker.
func (c *conn) forward(queue chan<- pending, frame []byte, p pending, req kmsg.Request) error {
	if !silent(req) {
		if err := c.enqueue(queue, p); err != nil {
			p.unanswered()
			return err
		}
	}
	_, err := c.upstream.Write(frame)
	return err
}

func (c *conn) enqueue(queue chan<- pending, p pending) error {
	select {
	case queue <- p:
		return nil
	case <-c.gone:
		return net.ErrClosed
	}
}

// silent reports whether nobody answers the request: a Produce with acks=0.
func silent(req kmsg.Request) bool {
	produce, ok := req.(*kmsg.ProduceRequest)
	return ok && produce.Acks == 0
}

// answers passes the broker's answers and our own to the client, in the order of the requests, until one side goes.
func (c *conn) answers(queue <-chan pending) error {
	frames := make(chan []byte, 64)
	ended := make(chan error, 1)
	go func() {
		defer close(frames)
		for {
			frame, err := readFrame(c.upstream)
			if err != nil {
				ended <- err
				return
			}
			select {
			case frames <- frame:
			case <-c.gone:
				ended <- net.ErrClosed
				return
			}
		}
	}()
	err := c.pair(queue, frames)
	c.close()
	for range frames { // until the reader has ended
	}
	return errors.Join(err, <-ended)
}

// pair finds each answer's request. It returns when the queue ends, when the broker has gone and its last answers are delivered, or when the client has.
func (c *conn) pair(queue <-chan pending, frames <-chan []byte) error {
	var early []byte // an answer whose request is in the queue
	for {
		var p pending
		ok := true
		if early != nil {
			p, ok = <-queue
		} else {
			select {
			case p, ok = <-queue:
			case early, ok = <-frames: // a broker that goes while nobody asks it anything is noticed here
				if ok {
					continue
				}
			}
		}
		if !ok {
			return nil
		}
		frame := p.local
		if frame == nil {
			if frame = early; frame == nil {
				if frame, ok = <-frames; !ok {
					p.unanswered()
					return nil
				}
			}
			early = nil
		}
		if err := c.deliver(p, frame); err != nil {
			return err
		}
	}
}

// deliver gives the client one answer, or what a fault makes of it.
func (c *conn) deliver(p pending, frame []byte) error {
	if p.local == nil {
		var err error
		if frame, err = c.proxy.rewrite(p.header, frame); err != nil {
			return err
		}
		if p.merge != nil {
			frame = p.merged(frame)
		}
	}
	if p.fault != nil {
		switch p.fault.fault.Do {
		case DropResponse:
			p.fault.hit() // before the client can see it
			c.reset()
			return net.ErrClosed
		case CutResponse:
			at := len(frame) / 2
			if n := p.fault.fault.CutAfter; n > 0 {
				at = min(n, len(frame)-1)
			}
			p.fault.hit()
			_, _ = c.client.Write(frame[:at])
			c.close()
			return net.ErrClosed
		case Slow:
			return c.trickle(frame, p.fault.fault.BytesPerSecond)
		case SwallowResponse:
			p.fault.hit()
			<-c.gone
			return net.ErrClosed
		}
	}
	_, err := c.client.Write(frame)
	return err
}

// trickle writes to the client at a rate.
func (c *conn) trickle(frame []byte, rate int) error {
	for piece := max(1, rate/10); len(frame) > 0; frame = frame[min(piece, len(frame)):] {
		part := frame[:min(piece, len(frame))]
		if !c.sleep(transfer(len(part), rate)) {
			return net.ErrClosed
		}
		if _, err := c.client.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// transfer is how long bytes take at a rate.
func transfer(n, bytesPerSecond int) time.Duration {
	return time.Duration(float64(n) / float64(bytesPerSecond) * float64(time.Second))
}

// merged adds the partitions that were refused to the broker's answer for the others.
func (p pending) merged(frame []byte) []byte {
	resp, ok := p.response(frame).(*kmsg.ProduceResponse)
	if !ok {
		return frame
	}
	for _, refused := range p.merge.(*kmsg.ProduceResponse).Topics {
		merged := false
		for i := range resp.Topics {
			if t := &resp.Topics[i]; t.Topic == refused.Topic && t.TopicID == refused.TopicID {
				t.Partitions = append(t.Partitions, refused.Partitions...)
				merged = true
			}
		}
		if !merged {
			resp.Topics = append(resp.Topics, refused)
		}
	}
	return p.responseFrame(resp)
}

// names is what the proxy knows about topic ids.
func (p *Proxy) names() map[[16]byte]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := make(map[[16]byte]string, len(p.topics))
	for id, topic := range p.topics {
		names[id] = topic
	}
	return names
}
