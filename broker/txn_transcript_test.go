package broker_test

import (
	"cmp"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

// The transcripts in testdata/transactions are what Apache Kafka 4.3.1 answered to the scenarios of txn_scenarios_test.go. They are recorded anew by
//
//	go test -run TestTransactionsAreAnsweredAsKafkaDoes -args -kafka 127.0.0.1:9092
//
// on a single broker with transaction.abort.timed.out.transaction.cleanup.interval.ms=1000.
var kafka = flag.String("kafka", "", "record the transcripts from the Kafka broker at this `address`")

func TestTransactionsAreAnsweredAsKafkaDoes(t *testing.T) {
	for _, sc := range txnScenarios {
		t.Run(sc.name, func(t *testing.T) {
			file := filepath.Join("testdata", "transactions", sc.name+".txt")
			if *kafka != "" {
				conn, err := net.Dial("tcp", *kafka)
				if err != nil {
					t.Fatal(err)
				}
				s := newScript(t, conn, fmt.Sprint("-", time.Now().UnixNano()))
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
				cluster, err := broker.Start(broker.Config{Network: broker.NewNetwork(),
					Properties: map[string]string{"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000"}})
				if err != nil {
					t.Fatal(err)
				}
				defer cluster.Close()
				conn, err := cluster.Dial(t.Context(), "tcp", cluster.Addrs()[0])
				if err != nil {
					t.Fatal(err)
				}
				s := newScript(t, conn, "")
				sc.run(s)
				compareTranscripts(t, string(want), s.text.String())
			})
		})
	}
}

func compareTranscripts(t *testing.T, want, have string) {
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
			t.Errorf("line %d\nKafka: %s\nhere:  %s", i+1, a, b)
		}
	}
}

// script speaks with one broker and writes down what is said.
type script struct {
	*wire
	text   strings.Builder
	suffix string // of topics, groups and transactional ids, so that a broker that has been asked before does not know them
	ids    map[int64]string
}

func newScript(t *testing.T, conn net.Conn, suffix string) *script {
	s := &script{wire: &wire{t: t, conn: conn, name: "script"}, suffix: suffix, ids: map[int64]string{-1: "none"}}
	t.Cleanup(func() { conn.Close() })
	create := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "orders"+suffix, 2, 1
	create.Topics = append(create.Topics, topic)
	ask[*kmsg.CreateTopicsResponse](s.wire, 7, create)
	s.await(func() bool {
		list := kmsg.NewPtrListOffsetsRequest()
		list.ReplicaID = -1
		lt := kmsg.NewListOffsetsRequestTopic()
		lt.Topic = topic.Topic
		for p := range int32(2) {
			lp := kmsg.NewListOffsetsRequestTopicPartition()
			lp.Partition, lp.Timestamp = p, -1
			lt.Partitions = append(lt.Partitions, lp)
		}
		list.Topics = append(list.Topics, lt)
		return !slices.ContainsFunc(ask[*kmsg.ListOffsetsResponse](s.wire, 7, list).Topics[0].Partitions,
			func(p kmsg.ListOffsetsResponseTopicPartition) bool { return p.ErrorCode != 0 })
	})
	return s
}

// await asks again until it is answered as it should be.
func (s *script) await(ok func() bool) {
	s.t.Helper()
	for range 200 {
		if ok() {
			return
		}
		<-time.After(50 * time.Millisecond)
	}
	s.t.Fatal("waited in vain")
}

// say writes a line.
func (s *script) say(format string, args ...any) {
	fmt.Fprintf(&s.text, format+"\n", args...)
}

// code is the name of an error code.
func code(c int16) string {
	if err := kerr.TypedErrorForCode(c); err != nil {
		return err.Message
	}
	return "ok"
}

// id gives producer ids names in the order in which they come.
func (s *script) id(id int64) string {
	name, ok := s.ids[id]
	if !ok {
		name = fmt.Sprintf("P%d", len(s.ids))
		s.ids[id] = name
	}
	return name
}

// prod is a transactional producer.
type prod struct {
	txn   string
	id    int64
	epoch int16
}

func (s *script) of(p prod) string { return fmt.Sprintf("%s as %s/%d", p.txn, s.id(p.id), p.epoch) }

// find makes the broker the coordinator of the id, which takes Kafka some time when it has never had a transaction.
func (s *script) find(txn string) {
	s.await(func() bool {
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.CoordinatorType, find.CoordinatorKeys = 1, []string{txn + s.suffix}
		if ask[*kmsg.FindCoordinatorResponse](s.wire, 4, find).Coordinators[0].ErrorCode != 0 {
			return false
		}
		d := kmsg.NewPtrDescribeTransactionsRequest()
		d.TransactionalIDs = []string{txn + s.suffix}
		switch ask[*kmsg.DescribeTransactionsResponse](s.wire, 0, d).TransactionStates[0].ErrorCode {
		case kerr.NotCoordinator.Code, kerr.CoordinatorNotAvailable.Code, kerr.CoordinatorLoadInProgress.Code:
			return false
		}
		return true
	})
}

// findGroup does the same for a group.
func (s *script) findGroup(group string) {
	s.await(func() bool {
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.CoordinatorKeys = []string{group + s.suffix}
		if ask[*kmsg.FindCoordinatorResponse](s.wire, 4, find).Coordinators[0].ErrorCode != 0 {
			return false
		}
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: group + s.suffix, MemberEpoch: -1}}
		return ask[*kmsg.OffsetFetchResponse](s.wire, 9, req).Groups[0].ErrorCode == 0
	})
}

// init asks for a producer id, in version 4.
func (s *script) init(txn string) prod {
	s.find(txn)
	return s.initAs(4, prod{txn, -1, -1}, 60_000)
}

func (s *script) initAs(version int16, was prod, timeout int32) prod {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = kmsg.StringPtr(was.txn+s.suffix), timeout
	if was.txn == "" {
		req.TransactionalID = new(string)
	}
	req.ProducerID, req.ProducerEpoch = was.id, was.epoch
	r := ask[*kmsg.InitProducerIDResponse](s.wire, version, req)
	s.say("InitProducerID v%d %s timeout %d: %s, %s/%d", version, s.of(was), timeout, code(r.ErrorCode), s.id(r.ProducerID), r.ProducerEpoch)
	return prod{was.txn, r.ProducerID, r.ProducerEpoch}
}

// initAgain is init for an id whose transaction is being aborted for it.
func (s *script) initAgain(txn string) (p prod) {
	s.await(func() bool {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMillis = kmsg.StringPtr(txn+s.suffix), 60_000
		r := ask[*kmsg.InitProducerIDResponse](s.wire, 4, req)
		p = prod{txn, r.ProducerID, r.ProducerEpoch}
		return r.ErrorCode == 0
	})
	s.say("InitProducerID until it is answered: %s", s.of(p))
	return p
}

// batch is what a script produces.
type txnBatch struct {
	partition, seq, n int32
	plain             bool // not in a transaction
}

func (s *script) produce(version int16, p prod, b txnBatch) {
	var kvs []kv
	for i := range max(b.n, 1) {
		kvs = append(kvs, text(fmt.Sprint(i))...)
	}
	raw := batchOf(kvs...)
	raw.ProducerID, raw.ProducerEpoch, raw.FirstSequence = p.id, p.epoch, b.seq
	if !b.plain {
		raw.Attributes |= 0x10
	}
	req := produceRequest("orders"+s.suffix, b.partition, seal(raw))
	req.TransactionID = kmsg.StringPtr(p.txn + s.suffix)
	if b.plain {
		req.TransactionID = nil
	}
	<-time.After(2 * time.Millisecond) // so that every batch has a time of its own
	r := ask[*kmsg.ProduceResponse](s.wire, version, req).Topics[0].Partitions[0]
	s.say("Produce v%d %s to %d from %d, %d records, plain %v: %s at %d", version, s.of(p), b.partition, b.seq, max(b.n, 1), b.plain, code(r.ErrorCode), r.BaseOffset)
}

func (s *script) add(version int16, p prod, topics map[string][]int32) {
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = p.txn+s.suffix, p.id, p.epoch
	for _, name := range sortedKeys(topics) {
		t := kmsg.NewAddPartitionsToTxnRequestTopic()
		t.Topic, t.Partitions = s.topic(name), topics[name]
		req.Topics = append(req.Topics, t)
	}
	s.say("AddPartitionsToTxn v%d %s %v:", version, s.of(p), topics)
	r := ask[*kmsg.AddPartitionsToTxnResponse](s.wire, version, req)
	var lines []string
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			lines = append(lines, fmt.Sprintf("  %s[%d] %s", strings.TrimSuffix(t.Topic, s.suffix), p.Partition, code(p.ErrorCode)))
		}
	}
	s.lines(lines)
}

// topic is a topic's name on the broker; Kafka's own are called what they are.
func (s *script) topic(name string) string {
	if strings.HasPrefix(name, "__") {
		return name
	}
	return name + s.suffix
}

func (s *script) lines(lines []string) {
	slices.Sort(lines)
	for _, l := range lines {
		s.say("%s", l)
	}
}

func sortedKeys(m map[string][]int32) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// verify asks as a broker does.
func (s *script) verify(version int16, p prod, only bool, topics map[string][]int32) {
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	txn := kmsg.NewAddPartitionsToTxnRequestTransaction()
	txn.TransactionalID, txn.ProducerID, txn.ProducerEpoch, txn.VerifyOnly = p.txn+s.suffix, p.id, p.epoch, only
	for _, name := range sortedKeys(topics) {
		t := kmsg.NewAddPartitionsToTxnRequestTransactionTopic()
		t.Topic, t.Partitions = s.topic(name), topics[name]
		txn.Topics = append(txn.Topics, t)
	}
	req.Transactions = append(req.Transactions, txn)
	r := ask[*kmsg.AddPartitionsToTxnResponse](s.wire, version, req)
	s.say("AddPartitionsToTxn v%d %s verify %v %v: %s", version, s.of(p), only, topics, code(r.ErrorCode))
	var lines []string
	for _, txn := range r.Transactions {
		for _, t := range txn.Topics {
			for _, p := range t.Partitions {
				lines = append(lines, fmt.Sprintf("  %s[%d] %s", strings.TrimSuffix(t.Topic, s.suffix), p.Partition, code(p.ErrorCode)))
			}
		}
	}
	s.lines(lines)
}

func (s *script) addOffsets(version int16, p prod, group string) {
	req := kmsg.NewPtrAddOffsetsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = p.txn+s.suffix, p.id, p.epoch, group+s.suffix
	if group == "" {
		req.Group = ""
	}
	r := ask[*kmsg.AddOffsetsToTxnResponse](s.wire, version, req)
	s.say("AddOffsetsToTxn v%d %s group %q: %s", version, s.of(p), group, code(r.ErrorCode))
}

func (s *script) commit(version int16, p prod, group string, partition int32, offset int64) {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group, req.Generation = p.txn+s.suffix, p.id, p.epoch, group+s.suffix, -1
	t := kmsg.NewTxnOffsetCommitRequestTopic()
	t.Topic = "orders" + s.suffix
	tp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	tp.Partition, tp.Offset = partition, offset
	t.Partitions = append(t.Partitions, tp)
	req.Topics = append(req.Topics, t)
	r := ask[*kmsg.TxnOffsetCommitResponse](s.wire, version, req)
	s.say("TxnOffsetCommit v%d %s group %s [%d] %d: %s", version, s.of(p), group, partition, offset, code(r.Topics[0].Partitions[0].ErrorCode))
}

// committed fetches a group's offsets, when they are stable and as they are.
func (s *script) committed(group string) {
	for _, stable := range []bool{false, true} {
		req := kmsg.NewPtrOffsetFetchRequest()
		req.RequireStable = stable
		req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: group + s.suffix, MemberEpoch: -1,
			Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "orders" + s.suffix, Partitions: []int32{0, 1}}}}}
		r := ask[*kmsg.OffsetFetchResponse](s.wire, 9, req).Groups[0]
		s.say("OffsetFetch %s stable %v: %s", group, stable, code(r.ErrorCode))
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				s.say("  [%d] %d %s", p.Partition, p.Offset, code(p.ErrorCode))
			}
		}
	}
}

// end ends a transaction and returns what the producer is then.
func (s *script) end(version int16, p prod, commit bool) prod {
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = p.txn+s.suffix, p.id, p.epoch, commit
	if p.txn == "" {
		req.TransactionalID = ""
	}
	<-time.After(2 * time.Millisecond)
	r := ask[*kmsg.EndTxnResponse](s.wire, version, req)
	s.say("EndTxn v%d %s commit %v: %s, %s/%d", version, s.of(p), commit, code(r.ErrorCode), s.id(r.ProducerID), r.ProducerEpoch)
	if r.ErrorCode == 0 && version >= 5 {
		p.id, p.epoch = r.ProducerID, r.ProducerEpoch
	}
	return p
}

func (s *script) state(txn string) kmsg.DescribeTransactionsResponseTransactionState {
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{txn + s.suffix}
	if txn == "" {
		req.TransactionalIDs[0] = ""
	}
	return ask[*kmsg.DescribeTransactionsResponse](s.wire, 0, req).TransactionStates[0]
}

// settle waits until a transaction has ended.
func (s *script) settle(txn string) {
	s.await(func() bool {
		state := s.state(txn).State
		return state != "Ongoing" && !strings.HasPrefix(state, "Prepare")
	})
	s.describe(txn)
}

func (s *script) describe(txn string) {
	r := s.state(txn)
	s.say("DescribeTransactions %q: %s, %s %s/%d timeout %d, ever started %v", txn, code(r.ErrorCode), r.State, s.id(r.ProducerID), r.ProducerEpoch,
		r.TimeoutMillis, r.StartTimestamp > 0)
	var lines []string
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			if t.Topic == "__consumer_offsets" {
				p = 0 // there are not as many everywhere
			}
			lines = append(lines, fmt.Sprintf("  %s[%d]", strings.TrimSuffix(t.Topic, s.suffix), p))
		}
	}
	s.lines(lines)
}

func (s *script) list(version int16, change func(*kmsg.ListTransactionsRequest)) {
	req := kmsg.NewPtrListTransactionsRequest()
	req.DurationFilterMillis = -1
	if change != nil {
		change(req)
	}
	r := ask[*kmsg.ListTransactionsResponse](s.wire, version, req)
	pattern := ""
	if req.TransactionalIDPattern != nil {
		pattern = *req.TransactionalIDPattern
	}
	s.say("ListTransactions v%d states %v, producers %d, lasting %d, pattern %q: %s, unknown %v", version, req.StateFilters, len(req.ProducerIDFilters),
		req.DurationFilterMillis, strings.ReplaceAll(pattern, s.suffix, ""), code(r.ErrorCode), r.UnknownStateFilters)
	var lines []string
	for _, t := range r.TransactionStates {
		if s.suffix == "" || strings.HasSuffix(t.TransactionalID, s.suffix) {
			lines = append(lines, fmt.Sprintf("  %s %s %s", strings.TrimSuffix(t.TransactionalID, s.suffix), s.id(t.ProducerID), t.TransactionState))
		}
	}
	s.lines(lines)
}

func (s *script) producers(topic string, partition int32) {
	req := kmsg.NewPtrDescribeProducersRequest()
	req.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: topic + s.suffix, Partitions: []int32{partition}}}
	r := ask[*kmsg.DescribeProducersResponse](s.wire, 0, req).Topics[0].Partitions[0]
	s.say("DescribeProducers %s[%d]: %s", topic, partition, code(r.ErrorCode))
	slices.SortFunc(r.ActiveProducers, func(a, b kmsg.DescribeProducersResponseTopicPartitionActiveProducer) int {
		return cmp.Compare(a.ProducerID, b.ProducerID)
	})
	for _, p := range r.ActiveProducers {
		s.say("  %s/%d last sequence %d, coordinator epoch %d, open from %d", s.id(p.ProducerID), p.ProducerEpoch, p.LastSequence, p.CoordinatorEpoch, p.CurrentTxnStartOffset)
	}
}

// fetch reads a partition from an offset on, with both isolation levels, and lists its offsets.
func (s *script) fetch(partition int32, offset int64) {
	for _, isolation := range []int8{0, 1} {
		req := fetchRequest("orders"+s.suffix, partition, offset)
		req.IsolationLevel = isolation
		r := ask[*kmsg.FetchResponse](s.wire, 11, req).Topics[0].Partitions[0]
		s.say("Fetch [%d] from %d isolation %d: %s, high watermark %d, last stable %d, aborted null %v", partition, offset, isolation, code(r.ErrorCode),
			r.HighWatermark, r.LastStableOffset, r.AbortedTransactions == nil)
		for _, a := range r.AbortedTransactions {
			s.say("  aborted %s from %d", s.id(a.ProducerID), a.FirstOffset)
		}
		for raw := r.RecordBatches; len(raw) > 0; {
			var b kmsg.RecordBatch
			if err := b.ReadFrom(raw); err != nil {
				s.t.Fatal(err)
			}
			raw = raw[12+b.Length:]
			s.say("  batch at %d, %d records, %s/%d sequence %d attributes %x%s", b.FirstOffset, b.NumRecords, s.id(b.ProducerID), b.ProducerEpoch,
				b.FirstSequence, b.Attributes, marker(&b))
		}
		list := kmsg.NewPtrListOffsetsRequest()
		list.ReplicaID, list.IsolationLevel = -1, isolation
		for _, ts := range []int64{-1, -2, -3, 0} {
			lt := kmsg.NewListOffsetsRequestTopic()
			lt.Topic = "orders" + s.suffix
			lp := kmsg.NewListOffsetsRequestTopicPartition()
			lp.Partition, lp.Timestamp = partition, ts
			lt.Partitions = append(lt.Partitions, lp)
			list.Topics = []kmsg.ListOffsetsRequestTopic{lt}
			r := ask[*kmsg.ListOffsetsResponse](s.wire, 7, list).Topics[0].Partitions[0]
			s.say("  ListOffsets at %d: %s, %d", ts, code(r.ErrorCode), r.Offset)
		}
	}
}

// marker says what a control batch says.
func marker(b *kmsg.RecordBatch) string {
	if b.Attributes&0x20 == 0 {
		return ""
	}
	var r kmsg.Record
	var key kmsg.ControlRecordKey
	var value kmsg.EndTxnMarker
	if r.ReadFrom(b.Records) != nil || key.ReadFrom(r.Key) != nil || value.ReadFrom(r.Value) != nil {
		return " no marker"
	}
	return fmt.Sprintf(" %s key v%d value v%d of coordinator epoch %d, %d bytes", key.Type, key.Version, value.Version, value.CoordinatorEpoch, len(b.Records))
}

// mark writes a marker as a coordinator does.
func (s *script) mark(version int16, p prod, topic string, partition, coordinator int32, commit bool) {
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	m := kmsg.NewWriteTxnMarkersRequestMarker()
	m.ProducerID, m.ProducerEpoch, m.Committed, m.CoordinatorEpoch = p.id, p.epoch, commit, coordinator
	if version >= 2 {
		m.TransactionVersion = 2
	}
	m.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: topic + s.suffix, Partitions: []int32{partition}}}
	req.Markers = append(req.Markers, m)
	<-time.After(2 * time.Millisecond)
	r := ask[*kmsg.WriteTxnMarkersResponse](s.wire, version, req).Markers[0].Topics[0].Partitions[0]
	s.say("WriteTxnMarkers v%d %s %s[%d] coordinator %d commit %v: %s", version, s.of(p), topic, partition, coordinator, commit, code(r.ErrorCode))
}
