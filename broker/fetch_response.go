package broker

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"net"
	"slices"

	"github.com/sordini-go/sordini/broker/internal/records"
)

// fetchResponse is a response to Fetch that is written without copying a batch: encoded fields in one buffer, and between them the batches where
// they lie. TestFetchResponseIsWhatTheCodecReads compares it with kmsg in every version.
type fetchResponse struct {
	version  int16
	code     int16
	session  int32
	throttle int32 // milliseconds
	topics   []fetchTopic
	nodes    []*node
	listener int // whose addresses of the nodes are told
}

type fetchTopic struct {
	name  string
	id    topicID
	parts []*fetchPartition
}

// nothing answers a client that is throttled: its session stands as it is, and is told nothing.
func (f *fetch) nothing() *fetchResponse {
	resp := &fetchResponse{version: f.version}
	if f.session != nil {
		resp.session = f.session.id
	}
	return resp
}

// refuse answers a request that fails as a whole, as Kafka does: by topic names with every partition that it names, by ids with none.
func (f *fetch) refuse(code int16) *fetchResponse {
	resp := &fetchResponse{version: f.version, code: code}
	if f.version >= 13 {
		return resp
	}
	for _, p := range named(f.req) {
		p.result = fetchResult{code: code, highWatermark: -1, stable: -1, start: -1, aborted: true, preferred: noPreference}
		resp.add(p)
	}
	return resp
}

// add appends a partition to the topic of the one before it, or to one of its own.
func (resp *fetchResponse) add(p *fetchPartition) {
	n := len(resp.topics)
	if n == 0 || resp.topics[n-1].name != p.name || resp.topics[n-1].id != p.id {
		resp.topics = append(resp.topics, fetchTopic{name: p.name, id: p.id})
		n++
	}
	resp.topics[n-1].parts = append(resp.topics[n-1].parts, p)
}

// respond groups what was read by topic.
func (f *fetch) respond(r *request) *fetchResponse {
	resp := &fetchResponse{version: f.version, listener: r.conn.listener}
	if f.session != nil {
		resp.session = f.session.id
	}
	for _, p := range f.parts {
		if due := p.due(); f.incremental && !due {
			continue
		}
		if f.session != nil { // the next request may use the session before this response is written
			sent := *p
			resp.add(&sent)
		} else {
			resp.add(p)
		}
		if p.hinted && f.replica < 0 { // a follower knows the addresses
			if n := r.node.cluster.node(p.hint.leader); n != nil && !slices.Contains(resp.nodes, n) {
				resp.nodes = append(resp.nodes, n)
			}
		}
	}
	return resp
}

// writeFetch sends the response; buf holds its header up to the correlation id.
func (c *conn) writeFetch(buf []byte, resp *fetchResponse) error {
	w := pieceWriter{buf: buf, pieces: c.pieces[:0], flexible: resp.version >= 12}
	if w.flexible {
		w.buf = append(w.buf, 0)
	}
	resp.appendTo(&w)
	size := len(w.buf) - 4
	for _, cut := range w.cuts {
		for _, b := range cut.batches {
			size += len(b)
		}
	}
	binary.BigEndian.PutUint32(w.buf, uint32(size))
	if cap(w.buf) <= maxScratch {
		c.out = w.buf
	}
	if len(w.cuts) == 0 {
		_, err := c.nc.Write(w.buf)
		return err
	}
	at := 0
	for _, cut := range w.cuts {
		w.pieces = append(w.pieces, w.buf[at:cut.at])
		for _, b := range cut.batches {
			w.pieces = append(w.pieces, b)
		}
		at = cut.at
	}
	w.pieces = append(w.pieces, w.buf[at:])
	pending := w.pieces
	err := c.writePieces(pending)
	clear(w.pieces) // batches that retention drops must not be held here
	c.pieces = w.pieces[:0]
	return err
}

// writePieces sends buffers: with one call of the system over TCP, in full records over TLS.
func (c *conn) writePieces(pieces net.Buffers) error {
	if _, secure := c.nc.(*tls.Conn); !secure {
		_, err := pieces.WriteTo(c.nc)
		return err
	}
	w := bufio.NewWriterSize(c.nc, tlsRecord)
	if _, err := pieces.WriteTo(w); err != nil {
		return err
	}
	return w.Flush()
}

// tlsRecord is how many bytes a TLS record holds.
const tlsRecord = 16 << 10

// pieceWriter encodes fields into buf and notes where batches go between them.
type pieceWriter struct {
	buf      []byte
	cuts     []cut
	pieces   net.Buffers
	flexible bool
}

type cut struct {
	at      int // in buf, after which the batches stand
	batches []records.Batch
}

func (w *pieceWriter) int16(v int16) { w.buf = binary.BigEndian.AppendUint16(w.buf, uint16(v)) }
func (w *pieceWriter) int32(v int32) { w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(v)) }
func (w *pieceWriter) int64(v int64) { w.buf = binary.BigEndian.AppendUint64(w.buf, uint64(v)) }

func (w *pieceWriter) length(n int) {
	if w.flexible {
		w.buf = binary.AppendUvarint(w.buf, uint64(n)+1)
	} else {
		w.int32(int32(n))
	}
}

func (w *pieceWriter) string(s string) {
	if w.flexible {
		w.buf = binary.AppendUvarint(w.buf, uint64(len(s))+1)
	} else {
		w.int16(int16(len(s)))
	}
	w.buf = append(w.buf, s...)
}

// rack writes a broker's rack, null where it has none.
func (w *pieceWriter) rack(name string) {
	if name == "" {
		w.length(-1)
		return
	}
	w.string(name)
}

func (w *pieceWriter) noTags() {
	if w.flexible {
		w.buf = append(w.buf, 0)
	}
}

func (resp *fetchResponse) appendTo(w *pieceWriter) {
	v := resp.version
	w.int32(resp.throttle)
	if v >= 7 {
		w.int16(resp.code)
		w.int32(resp.session)
	}
	w.length(len(resp.topics))
	for i := range resp.topics {
		t := &resp.topics[i]
		if v >= 13 {
			w.buf = append(w.buf, t.id[:]...)
		} else {
			w.string(t.name)
		}
		w.length(len(t.parts))
		for _, p := range t.parts {
			p.appendTo(w, v)
		}
		w.noTags()
	}
	if !w.flexible {
		return
	}
	if v < 16 || len(resp.nodes) == 0 {
		w.noTags()
		return
	}
	endpoints := pieceWriter{flexible: true}
	endpoints.length(len(resp.nodes))
	for _, n := range resp.nodes {
		endpoints.int32(n.id)
		endpoints.string(n.endpoints[resp.listener].host)
		endpoints.int32(n.endpoints[resp.listener].port)
		endpoints.rack(n.rack)
		endpoints.noTags()
	}
	w.buf = append(w.buf, 1)
	w.tag(0, endpoints.buf)
}

func (w *pieceWriter) tag(key byte, value []byte) {
	w.buf = append(w.buf, key)
	w.buf = binary.AppendUvarint(w.buf, uint64(len(value)))
	w.buf = append(w.buf, value...)
}

func (p *fetchPartition) appendTo(w *pieceWriter, v int16) {
	w.int32(p.index)
	w.int16(p.result.code)
	w.int64(p.result.highWatermark)
	w.int64(p.result.stable)
	if v >= 5 {
		w.int64(p.result.start)
	}
	if p.result.aborted {
		w.length(len(p.aborted))
		for _, a := range p.aborted {
			w.int64(a.Producer)
			w.int64(a.First)
			w.noTags()
		}
	} else {
		w.length(-1)
	}
	if v >= 11 {
		w.int32(p.result.preferred)
	}
	w.length(p.bytes)
	if len(p.batches) > 0 {
		w.cuts = append(w.cuts, cut{at: len(w.buf), batches: p.batches})
	}
	if !w.flexible {
		return
	}
	diverges := p.result.diverges
	tags := byte(0)
	if diverges {
		tags++
	}
	if p.hinted {
		tags++
	}
	w.buf = append(w.buf, tags)
	if diverges {
		e := pieceWriter{flexible: true}
		e.int32(p.result.divergingEpoch)
		e.int64(p.result.divergingEnd)
		e.noTags()
		w.tag(0, e.buf)
	}
	if p.hinted {
		e := pieceWriter{flexible: true}
		e.int32(p.hint.leader)
		e.int32(p.hint.epoch)
		e.noTags()
		w.tag(1, e.buf)
	}
}
