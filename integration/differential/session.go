package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// patience is how long an answer may take; settling how long a state may take to come about.
const (
	patience = 10 * time.Second
	settling = 5 * time.Second
)

// session is one scenario on one side. A scenario runs in one goroutine.
type session struct {
	ctx     context.Context
	side    *side
	log     *transcript
	symbols *symbols
	client  string              // the client id of what is sent
	base    time.Time           // what records are stamped with, and a little more
	idle    map[caller]net.Conn // connections that have been authenticated, for further requests
}

// caller is who asks whom. A user that is "" does not authenticate. What has a line is sent over one connection.
type caller struct {
	user string
	to   int32
	line string
}

// option is how one request is sent.
type option func(*asking)

type asking struct {
	caller
	until    func(kmsg.Response) bool
	unasked  bool
	wordless bool
}

// to sends the request to that broker. Default: broker 1.
func to(broker int32) option { return func(a *asking) { a.to = broker } }

// as sends the request as that user. Default: where clients must authenticate, the super user.
func as(user string) option { return func(a *asking) { a.user = user } }

// over sends the request over the connection of that name, which is kept: share sessions end with theirs.
func over(line string) option { return func(a *asking) { a.line = line } }

// until asks again until the answer is as wanted; only the last answer is compared. It is for what takes its time on a real cluster. That
// it never is as wanted fails the scenario, whatever the other side does.
func until(ready func(kmsg.Response) bool) option { return func(a *asking) { a.until = ready } }

// unanswered says that the request gets no answer: the answer to a second one on the same connection is waited for instead.
func unanswered() option { return func(a *asking) { a.wordless = true } }

// preparing keeps the answer out of the comparison: the request only prepares what is compared.
func preparing() option { return func(a *asking) { a.unasked = true } }

// ask sends a request and returns its answer, an empty one where there was none. The version must have been set.
func ask[R kmsg.Response](s *session, what string, req kmsg.Request, opts ...option) R {
	resp, _ := s.send(what, req, opts...).(R)
	if v := reflect.ValueOf(resp); !v.IsValid() || v.IsNil() {
		resp = req.ResponseKind().(R)
	}
	return resp
}

// each asks in every version that Apache Kafka serves.
func (s *session) each(what string, key kmsg.Key, build func(v int16) kmsg.Request, opts ...option) {
	r := served[key]
	for v := r.min; v <= r.max; v++ {
		req := build(v)
		req.SetVersion(v)
		s.send(what, req, opts...)
	}
}

func (s *session) asking(opts []option) asking {
	a := asking{caller: caller{to: 1}}
	if s.side.secure {
		a.user = superUser
	}
	for _, o := range opts {
		o(&a)
	}
	return a
}

func (s *session) send(what string, req kmsg.Request, opts ...option) kmsg.Response {
	a := s.asking(opts)
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID(s.client)).AppendRequest(nil, req, correlation)
	began := time.Now()
	deadline := began.Add(settling)
	for {
		got := s.exchange(a.caller, frame, a.wordless)
		resp, fields := s.decode(req, got)
		if a.until != nil && (resp == nil || !a.until(resp)) {
			if time.Now().Before(deadline) && s.pause() {
				continue
			}
			s.log.Faults = append(s.log.Faults, fmt.Sprintf("%s version %d %q: what was waited for has not come about: %v", kmsg.NameForKey(req.Key()), req.GetVersion(), what, fields))
		}
		if d := time.Since(began); d > time.Second/4 && *slow {
			fmt.Printf("slow: %v %s %s\n", d.Round(time.Millisecond), s.log.Scenario, what)
		}
		if !a.unasked {
			s.log.add(entry{What: what, Key: req.Key(), Version: req.GetVersion(), Fields: fields})
		}
		return resp
	}
}

// raw sends bytes as they are, which must hold their own size. What comes back is read as the answer to that key and version where it can be.
func (s *session) raw(what string, key, version int16, frame []byte, opts ...option) {
	a := s.asking(opts)
	began := time.Now()
	got := s.exchange(a.caller, frame, a.wordless)
	if d := time.Since(began); d > time.Second/4 && *slow {
		fmt.Printf("slow: %v %s %s\n", d.Round(time.Millisecond), s.log.Scenario, what)
	}
	fields := got.fields()
	if req := kmsg.RequestForKey(key); got.body != nil && req != nil && version >= 0 {
		req.SetVersion(version)
		_, fields = s.decode(req, got)
	} else if got.body != nil {
		fields = []field{{"answer", fmt.Sprintf("%x", got.body)}}
	}
	s.log.add(entry{What: what, Key: key, Version: version, Raw: true, Fields: fields})
}

// frame is a request as it goes over the wire, for those who want to damage it.
func (s *session) frame(req kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID(s.client)).AppendRequest(nil, req, correlation)
}

// pause waits a moment before something is asked again.
func (s *session) pause() bool {
	select {
	case <-s.ctx.Done():
		return false
	case <-time.After(20 * time.Millisecond):
		return true
	}
}

// correlation is the correlation id of every request.
const correlation = 7

// outcome is what came of a request.
type outcome struct {
	body []byte // nil: none, and how says why
	how  string
}

func (o outcome) fields() []field { return []field{{"answer", o.how}} }

// exchange sends one frame and returns the answer: over a connection of its own, or over one on which its user has authenticated.
func (s *session) exchange(from caller, frame []byte, wordless bool) outcome {
	c, err := s.open(from)
	if err != nil {
		return outcome{how: noConnection + ": " + err.Error()}
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	if wordless {
		frame = slices.Concat(frame, kmsg.NewRequestFormatter().AppendRequest(nil, kmsg.NewPtrApiVersionsRequest(), correlation+1))
	}
	got := outcome{how: connectionEnded}
	if _, err := c.Write(frame); err == nil {
		got = receive(c, wordless)
	}
	if (from.user != "" || from.line != "") && got.body != nil && !wordless {
		s.idle[from] = c
	} else {
		c.Close()
	}
	return got
}

// open returns a connection of the caller's, who has authenticated if it is a user.
func (s *session) open(from caller) (net.Conn, error) {
	if c := s.idle[from]; c != nil {
		delete(s.idle, from)
		return c, nil
	}
	c, err := s.side.connect(s.ctx, from.to)
	if err != nil || from.user == "" {
		return c, err
	}
	t := &talk{s: s, c: c, quiet: true}
	if err := t.login(from.user); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// close ends the connections that have been kept.
func (s *session) close() {
	for _, c := range s.idle {
		c.Close()
	}
}

// What a request comes to that has no answer. Only the first two are answers of a kind: the others say that nothing has been compared.
const (
	connectionEnded = "the connection ended"
	goesOn          = "none, and the connection goes on"
	noConnection    = "no connection"
	nothingCame     = "nothing came"
	undecodable     = "does not decode"
)

// receive reads one answer.
func receive(c net.Conn, wordless bool) outcome {
	body, err := readFrame(c)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return outcome{how: nothingCame}
	case err != nil:
		return outcome{how: connectionEnded}
	}
	switch id := binary.BigEndian.Uint32(body); {
	case wordless && id == correlation+1:
		return outcome{how: goesOn}
	case id != correlation:
		return outcome{how: fmt.Sprintf("correlation id %d", id)}
	}
	return outcome{body: body[4:]}
}

func readFrame(c net.Conn) ([]byte, error) {
	r := bufio.NewReader(c)
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	if len(body) < 4 {
		return nil, io.ErrUnexpectedEOF
	}
	return body, nil
}

// decode reads the answer and writes down its fields.
func (s *session) decode(req kmsg.Request, got outcome) (kmsg.Response, []field) {
	if got.body == nil {
		return nil, got.fields()
	}
	resp := req.ResponseKind()
	version := req.GetVersion()
	resp.SetVersion(version)
	body := got.body
	if av, ok := resp.(*kmsg.ApiVersionsResponse); ok && len(body) >= 2 && binary.BigEndian.Uint16(body) == 35 {
		av.SetVersion(0) // an unsupported version is answered in version 0
	} else if resp.IsFlexible() && req.Key() != int16(kmsg.ApiVersions) {
		if len(body) == 0 || body[0] != 0 {
			return nil, []field{{"answer", fmt.Sprintf("header tags %x", body[:min(len(body), 8)])}}
		}
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		return nil, []field{{"answer", fmt.Sprintf("%s: %v: %x", undecodable, err, body)}}
	}
	fields := s.symbols.fields(resp)
	if again := resp.AppendTo(nil); !bytes.Equal(again, body) {
		fields = append(fields, field{"encoding", fmt.Sprintf("%d bytes that are not the usual encoding of the same, which has %d", len(body), len(again))})
	}
	return resp, fields
}
