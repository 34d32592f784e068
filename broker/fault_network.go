package broker

import (
	"net"
	"time"
)

// writeSpoiled sends a response, or its beginning, as fast as the faults allow.
func (c *conn) writeSpoiled(r *request, a answer, s spoiling) error {
	whole := &wholeResponse{}
	encoder := &conn{node: c.node, nc: whole}
	if err := encoder.write(r, a); err != nil {
		return err
	}
	frame := whole.buf
	if s.cut && len(frame) > 0 {
		n := len(frame) / 2
		if s.at > 0 {
			n = min(s.at, len(frame)-1)
		}
		frame = frame[:n]
	}
	if s.rate == 0 {
		_, err := c.nc.Write(frame)
		return err
	}
	for piece := max(1, s.rate/10); len(frame) > 0; frame = frame[min(piece, len(frame)):] {
		part := frame[:min(piece, len(frame))]
		if !c.wait(nil, transfer(len(part), s.rate)) {
			return net.ErrClosed
		}
		if _, err := c.nc.Write(part); err != nil {
			return err
		}
		c.deadline = time.Time{} // the connection is not idle meanwhile
	}
	return nil
}

// wholeResponse keeps what is written to a connection.
type wholeResponse struct {
	net.Conn
	buf []byte
}

func (w *wholeResponse) Write(b []byte) (int, error) {
	w.buf = append(w.buf, b...)
	return len(b), nil
}
