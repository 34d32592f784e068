package metalog

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sordini-go/sordini/broker/internal/files/crashfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func text(s string) *string { return &s }

// examples are one record of each kind.
var examples = []Record{
	&Feature{Name: "metadata.version", Level: 30},
	&RegisterBroker{Broker: 1, Incarnation: [16]byte{1}, Epoch: 7, Listener: "PLAINTEXT", Host: "localhost", Port: 9092, Protocol: 3,
		Features: []FeatureRange{{"group.version", 0, 1}}, Rack: text("a")},
	&Topic{Name: "orders", ID: [16]byte{2}},
	&Partition{Partition: 0, Topic: [16]byte{2}, Replicas: []int32{1, 2}, ISR: []int32{1}, Removing: []int32{2}, Adding: []int32{3}, Leader: 1, LeaderEpoch: 4,
		PartitionEpoch: 5, Directories: [][16]byte{{8}, {9}}, ELR: []int32{2}, LastELR: []int32{1}},
	&Config{Type: TopicConfig, Name: "orders", Key: "retention.ms", Value: text("1")},
	&Quota{Entity: []QuotaEntity{{"user", text("eve")}, {"client-id", nil}}, Key: "producer_byte_rate", Value: 4.5},
	&Scram{User: "bob", Mechanism: 1, Salt: []byte("s"), StoredKey: []byte("k"), ServerKey: []byte("v"), Iterations: 4096},
	&ACL{ID: [16]byte{3}, Resource: 2, Name: "orders", Pattern: 3, Principal: "User:bob", Host: "*", Operation: 3, Permission: 3},
	&ProducerIDs{Broker: 1, Next: 2000},
	&Token{Owner: "User:bob", Requester: "User:root", Renewers: []string{"User:eve"}, Issued: 1, Max: 3, Expires: 2, ID: "t1"},
	&RemoveTopic{ID: [16]byte{4}},
	&RemoveACL{ID: [16]byte{5}},
	&RemoveScram{User: "eve", Mechanism: 2},
	&RemoveToken{ID: "t2"},
}

func TestEveryRecordIsReadAsItWasWritten(t *testing.T) {
	for _, r := range examples {
		got, err := Decode(Encode(nil, r))
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%T: %+v, %v; want %+v", r, got, err, r)
		}
	}
}

func TestACredentialIsNotPrinted(t *testing.T) {
	s := &Scram{User: "bob", Salt: []byte("salty"), StoredKey: []byte("stored"), ServerKey: []byte("server")}
	if out := fmt.Sprintf("%v %+v %#v %s", s, s, s, s); strings.Contains(out, "sto") || strings.Contains(out, "115") {
		t.Errorf("printed: %s", out)
	}
}

func TestALogIsReadAgain(t *testing.T) {
	disk := crashfs.New()
	if err := errors.Join(disk.MkdirAll("/b"), disk.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	l, err := Create(disk, "/b", examples[:3], 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(examples[3:10], 2, false); err != nil {
		t.Fatal(err)
	}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	for keep := crashfs.Nothing; keep <= crashfs.Some; keep++ {
		got, err := Read(disk.Crash(disk.Ops(), keep, 1), "/b")
		if err != nil || !reflect.DeepEqual(got, examples[:10]) {
			t.Errorf("%d records, %v", len(got), err)
		}
	}
	i := NewImage()
	i.Apply(examples[:10]...)
	if got := i.Records(); !reflect.DeepEqual(got, examples[:10]) {
		t.Errorf("the image has %v", got)
	}
	i.Apply(&RemoveToken{ID: "t1"}, &RemoveTopic{ID: [16]byte{2}}, &RemoveACL{ID: [16]byte{3}}, &RemoveScram{"bob", 1}, &Quota{Entity: []QuotaEntity{{"client-id", nil}, {"user", text("eve")}},
		Key: "producer_byte_rate", Remove: true})
	if got := i.Records(); len(got) != 3 {
		t.Errorf("what is left is %v", got)
	}
}

func TestALogThatKafkaHasGoneOnWithIsRefused(t *testing.T) {
	disk := crashfs.New()
	if _, err := Create(disk, "/b", examples, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Open("/b/" + Dir + "/00000000000000000042-0000000003.checkpoint"); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(disk, "/b"); err == nil || !strings.Contains(err.Error(), "Apache Kafka") {
		t.Errorf("error %v", err)
	}
}

// FuzzRecord reads what anybody may have written.
func FuzzRecord(f *testing.F) {
	for _, r := range examples {
		f.Add(Encode(nil, r))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := Decode(in)
		if err != nil || r == nil {
			return
		}
		again, err := Decode(Encode(nil, r))
		if err != nil || again == nil || !bytes.Equal(Encode(nil, again), Encode(nil, r)) {
			t.Fatalf("%+v is read again as %+v, %v", r, again, err)
		}
	})
}
