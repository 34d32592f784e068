package groups

import (
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The transcripts in testdata are what Apache Kafka 4.3.1 answered to the
// scenarios of scenarios_test.go. They are recorded anew by
//
//	go test -run TestAnswersAsKafka -args -kafka 127.0.0.1:9092
//
// on a broker with group.min.session.timeout.ms=500,
// group.initial.rebalance.delay.ms=200, group.max.size=3,
// group.consumer.min.session.timeout.ms=1000,
// group.consumer.session.timeout.ms=4000,
// group.consumer.min.heartbeat.interval.ms=200,
// group.consumer.heartbeat.interval.ms=500, group.consumer.max.size=3 and
// group.consumer.assignment.interval.ms=0.
var kafka = flag.String("kafka", "", "record the transcripts from the Kafka broker at this `address`")

// settle is how long a step may take to show its effect. Kafka appends with a
// linger, so this is well above that; here it is virtual time.
const settle = 250 * time.Millisecond

func TestAnswersAsKafka(t *testing.T) {
	for _, sc := range slices.Concat(classicScenarios, consumerScenarios, txnScenarios) {
		t.Run(sc.name, func(t *testing.T) {
			file := filepath.Join("testdata", "kafka-4.3.1", sc.name+".txt")
			if *kafka != "" {
				t.Parallel()
				s := newScript(t, newWire(t, *kafka))
				sc.run(s)
				if err := os.WriteFile(file, []byte(s.text.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				target := newLocal(t)
				defer target.m.Close()
				s := newScript(t, target)
				sc.run(s)
				compare(t, string(want), s.text.String())
			})
		})
	}
}

func compare(t *testing.T, want, have string) {
	t.Helper()
	w, h := strings.Split(want, "\n"), strings.Split(have, "\n")
	for i := range max(len(w), len(h)) {
		var a, b string
		if i < len(w) {
			a = w[i]
		}
		if i < len(h) {
			b = h[i]
		}
		if a != b {
			step := i
			for step > 0 && !strings.HasPrefix(w[min(step, len(w)-1)], ">") {
				step--
			}
			t.Fatalf("line %d, after %s\nKafka: %s\nhere:  %s", i+1, w[min(step, len(w)-1)], a, b)
		}
	}
}

// target is what a script talks to.
type target interface {
	send(req kmsg.Request, reply func(kmsg.Response))
	topicID(name string) [16]byte
	// setTopic creates a topic, gives it more partitions, or deletes it with 0.
	setTopic(name string, partitions int32)
	// begin opens a transaction with a group's offsets in it; end ends it.
	begin(txn, group string) producer
	end(p producer, commit bool)
}

// producer is one with an open transaction.
type producer struct {
	txn, group string
	id         int64
	epoch      int16
}

// local is a Manager of ours.
type local struct {
	t *testing.T
	m *Manager

	mu     sync.Mutex
	topics map[string]Topic
	made   byte
}

// testTopics are the topics that exist in every scenario.
var testTopics = map[string]int32{"orders": 3, "payments": 2}

func newLocal(t *testing.T) *local {
	l := &local{t: t, topics: make(map[string]Topic)}
	find := func(name string) (Topic, bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		topic, ok := l.topics[name]
		return topic, ok
	}
	l.m = New(Config{
		TopicExists: func(name string, p int32) bool { topic, _ := find(name); return p >= 0 && p < topic.Partitions },
		TopicID:     func(name string) ([16]byte, bool) { topic, ok := find(name); return topic.ID, ok },
		TopicName: func(id [16]byte) (string, bool) {
			for _, topic := range l.list() {
				if topic.ID == id {
					return topic.Name, true
				}
			}
			return "", false
		},
		Topics:     l.list,
		MinSession: 500 * time.Millisecond, InitialRebalanceDelay: 200 * time.Millisecond, MaxSize: 3,
		Consumer: ConsumerConfig{Session: 4 * time.Second, Heartbeat: 500 * time.Millisecond, MaxSize: 3},
	})
	for name, n := range testTopics {
		l.setTopic(name, n)
	}
	return l
}

func (l *local) list() (ts []Topic) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.topics {
		ts = append(ts, t)
	}
	return ts
}

func (l *local) topicID(name string) [16]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.topics[name].ID
}

func (l *local) setTopic(name string, partitions int32) {
	l.mu.Lock()
	t, ok := l.topics[name]
	if !ok {
		l.made++
		t = Topic{Name: name, ID: [16]byte{l.made}}
	}
	t.Partitions = partitions
	l.topics[name] = t
	if partitions == 0 {
		delete(l.topics, name)
	}
	l.mu.Unlock()
	l.m.Changed()
}

func (l *local) send(req kmsg.Request, reply func(kmsg.Response)) {
	in := reflect.New(reflect.TypeOf(req).Elem()).Interface().(kmsg.Request)
	rewire(l.t, req, in)
	l.m.Handle(Client{ID: "app", Host: "/127.0.0.1"}, in, func(resp kmsg.Response) {
		out := in.ResponseKind()
		rewire(l.t, resp, out)
		reply(out)
	})
}

func (l *local) begin(txn, group string) producer {
	l.made++
	return producer{txn, group, int64(l.made), 0}
}

func (l *local) end(p producer, commit bool) { l.m.EndTxn(p.group, p.id, commit) }

// wire is a Kafka broker. Each request has a connection of its own: Kafka does
// not read on from one whose request waits.
type wire struct {
	t    *testing.T
	addr string
	ids  map[string][16]byte
}

func newWire(t *testing.T, addr string) *wire {
	w := &wire{t: t, addr: addr, ids: make(map[string][16]byte)}
	for name, n := range testTopics {
		w.setTopic(name, n)
	}
	find := kmsg.NewPtrFindCoordinatorRequest() // which makes the coordinator start
	find.Version, find.CoordinatorKeys = 4, []string{"any"}
	w.ask(find)
	describe := kmsg.NewPtrDescribeGroupsRequest()
	for i := range 20 { // so many that all of its parts are asked
		describe.Groups = append(describe.Groups, fmt.Sprint("any", i))
	}
	for {
		groups := w.ask(describe).(*kmsg.DescribeGroupsResponse).Groups
		if !slices.ContainsFunc(groups, func(g kmsg.DescribeGroupsResponseGroup) bool { return g.ErrorCode != 0 }) {
			return w
		}
		time.Sleep(settle)
	}
}

func (w *wire) topicID(name string) [16]byte { return w.ids[name] }

func (w *wire) setTopic(name string, partitions int32) {
	switch {
	case partitions == 0:
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.Version, req.TimeoutMillis, req.TopicNames = 5, 10000, []string{name}
		w.ask(req)
		delete(w.ids, name)
		return
	case w.ids[name] != [16]byte{}:
		req := kmsg.NewPtrCreatePartitionsRequest()
		req.Version, req.TimeoutMillis = 3, 10000
		ct := kmsg.NewCreatePartitionsRequestTopic()
		ct.Topic, ct.Count = name, partitions
		req.Topics = append(req.Topics, ct)
		w.ask(req)
		return
	}
	create := kmsg.NewPtrCreateTopicsRequest()
	create.Version, create.TimeoutMillis = 7, 10000
	ct := kmsg.NewCreateTopicsRequestTopic()
	ct.Topic, ct.NumPartitions, ct.ReplicationFactor = name, partitions, 1
	create.Topics = append(create.Topics, ct)
	w.ask(create)
	meta := kmsg.NewPtrMetadataRequest()
	meta.Version = 12
	mt := kmsg.NewMetadataRequestTopic()
	mt.Topic = &name
	meta.Topics = append(meta.Topics, mt)
	for w.ids[name] == [16]byte{} {
		time.Sleep(settle)
		w.ids[name] = w.ask(meta).(*kmsg.MetadataResponse).Topics[0].TopicID
	}
}

func (w *wire) begin(txn, group string) producer {
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.Version, find.CoordinatorType, find.CoordinatorKeys = 4, 1, []string{txn}
	w.ask(find)
	init := kmsg.NewPtrInitProducerIDRequest()
	init.Version, init.TransactionalID, init.TransactionTimeoutMillis = 4, &txn, 60_000
	for {
		if r := w.ask(init).(*kmsg.InitProducerIDResponse); r.ErrorCode == 0 {
			p := producer{txn, group, r.ProducerID, r.ProducerEpoch}
			add := kmsg.NewPtrAddOffsetsToTxnRequest()
			add.Version, add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = 3, txn, p.id, p.epoch, group
			w.ask(add)
			return p
		}
		time.Sleep(settle)
	}
}

func (w *wire) end(p producer, commit bool) {
	end := kmsg.NewPtrEndTxnRequest()
	end.Version, end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = 3, p.txn, p.id, p.epoch, commit
	w.ask(end)
	time.Sleep(settle)
}

func (w *wire) ask(req kmsg.Request) kmsg.Response {
	done := make(chan kmsg.Response)
	w.send(req, func(r kmsg.Response) { done <- r })
	return <-done
}

func (w *wire) send(req kmsg.Request, reply func(kmsg.Response)) {
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	out := kmsg.NewRequestFormatter(kmsg.FormatterClientID("app")).AppendRequest(nil, req, 1)
	if _, err := conn.Write(out); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	go func() {
		var size [4]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return // closed at the end of the test
		}
		b := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(conn, b); err != nil {
			return
		}
		b = b[4:]
		resp := req.ResponseKind()
		if resp.IsFlexible() {
			b = b[1:]
		}
		if err := resp.ReadFrom(b); err != nil {
			w.t.Error(err)
		}
		reply(resp)
	}()
}

// script runs one scenario and writes down what it is answered. Member ids are
// numbered in the order in which they appear.
type script struct {
	t       *testing.T
	to      target
	suffix  string
	text    strings.Builder
	waiting []*step
	ids     map[string]string
	topics  map[string]string // by id, as they are shown
}

type step struct {
	name string
	resp chan kmsg.Response
	then func(kmsg.Response)
}

func newScript(t *testing.T, to target) *script {
	s := &script{t: t, to: to, ids: make(map[string]string), topics: make(map[string]string)}
	for name := range testTopics {
		s.know(name)
	}
	if *kafka != "" {
		s.suffix = fmt.Sprintf("-%d", time.Now().UnixNano())
	}
	return s
}

// know remembers which topic an id is of.
func (s *script) know(topic string) {
	id := s.to.topicID(topic)
	s.topics[string(id[:])] = topic
}

// topic creates, grows or deletes a topic of this script's own.
func (s *script) topic(name string, partitions int32) string {
	fmt.Fprintf(&s.text, "> topic %s has %d partitions\n", name, partitions)
	s.to.setTopic(name+s.suffix, partitions)
	time.Sleep(settle)
	s.know(name + s.suffix)
	return name + s.suffix
}

// group makes a group name that no other run has used.
func (s *script) group(name string) string { return name + s.suffix }

// do sends a request, waits for its effect and writes down whatever has been
// answered since, to this request or an earlier one.
func (s *script) do(what string, req kmsg.Request) { s.doThen(what, req, nil) }

// doThen also calls then with the answer, when it comes.
func (s *script) doThen(what string, req kmsg.Request, then func(kmsg.Response)) {
	what = s.plain(what)
	st := &step{name: what, resp: make(chan kmsg.Response, 1), then: then}
	fmt.Fprintf(&s.text, "> %s: %s v%d\n", what, strings.TrimPrefix(fmt.Sprintf("%T", req), "*kmsg."), req.GetVersion())
	s.to.send(req, func(r kmsg.Response) { st.resp <- r })
	s.waiting = append(s.waiting, st)
	time.Sleep(settle)
	s.collect()
}

// sleep lets time pass and writes down what it brings.
func (s *script) sleep(d time.Duration) {
	fmt.Fprintf(&s.text, "> %v pass\n", d)
	time.Sleep(d)
	s.collect()
}

// made matches the member ids that coordinators make: in classic groups and in
// consumer groups.
var made = regexp.MustCompile(`^(?:([a-z0-9-]+)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[A-Za-z0-9_-]{22})$`)

func (s *script) collect() {
	answers := make(map[*step]kmsg.Response)
	var rest []*step
	var order []*step
	for _, st := range s.waiting {
		select {
		case r := <-st.resp:
			answers[st] = r
			order = append(order, st)
			if f := reflect.ValueOf(r).Elem().FieldByName("MemberID"); f.IsValid() && !f.IsZero() {
				s.number(reflect.Indirect(f).String())
			}
			if l, ok := r.(*kmsg.ListGroupsResponse); ok && s.suffix != "" {
				l.Groups = slices.DeleteFunc(l.Groups, func(g kmsg.ListGroupsResponseGroup) bool { return !strings.HasSuffix(g.Group, s.suffix) })
			}
			if st.then != nil {
				st.then(r)
			}
		default:
			rest = append(rest, st)
		}
	}
	s.waiting = rest
	for _, st := range order {
		fmt.Fprintf(&s.text, "< %s: %s\n", st.name, s.show(reflect.ValueOf(answers[st]).Elem()))
	}
	for _, st := range rest {
		fmt.Fprintf(&s.text, "  %s waits\n", st.name)
	}
}

// number gives a member id that the coordinator has made a name.
func (s *script) number(id string) {
	if m := made.FindStringSubmatch(id); m != nil && s.ids[id] == "" {
		s.ids[id] = fmt.Sprintf("%s#%d", m[1], len(s.ids)+1)
	}
}

// plain replaces what differs between runs.
func (s *script) plain(str string) string {
	if s.suffix != "" {
		str = strings.ReplaceAll(str, s.suffix, "")
	}
	for id, name := range s.ids {
		str = strings.ReplaceAll(str, id, name)
	}
	return str
}

// show writes a response without what is zero, throttling and tags.
func (s *script) show(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "null"
		}
		return s.show(v.Elem())
	case reflect.Struct:
		var fs []string
		for i := range v.NumField() {
			name, f := v.Type().Field(i).Name, v.Field(i)
			switch {
			case name == "Version" || name == "ThrottleMillis" || name == "UnknownTags" || f.IsZero():
			case name == "ErrorCode":
				err := kerr.TypedErrorForCode(int16(f.Int()))
				fs = append(fs, err.Message)
			case f.Kind() == reflect.Slice && f.Len() == 0:
			default:
				fs = append(fs, name+"="+s.show(f))
			}
		}
		return "{" + strings.Join(fs, " ") + "}"
	case reflect.Slice:
		if b, ok := v.Interface().([]byte); ok {
			return fmt.Sprintf("%q", s.plain(string(b)))
		}
		var es []string
		for i := range v.Len() {
			es = append(es, s.show(v.Index(i)))
		}
		sort.Strings(es)
		return "[" + strings.Join(es, " ") + "]"
	case reflect.String:
		return fmt.Sprintf("%q", s.plain(v.String()))
	case reflect.Array:
		if id, ok := v.Interface().([16]byte); ok {
			if name := s.topics[string(id[:])]; name != "" {
				return "id(" + s.plain(name) + ")"
			}
			return fmt.Sprintf("%x", id)
		}
	}
	return fmt.Sprint(v.Interface())
}
