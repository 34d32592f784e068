package sharegroups

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

var aKey = Key{Group: "g", Topic: TopicID{1}, Partition: 3}

func TestOnlyTheNewestEpochsMayWrite(t *testing.T) {
	s := NewStates(StatesConfig{UpdatesPerSnapshot: -1})
	write := func(state, leader int32) error {
		return s.Write(aKey, Update{StateEpoch: state, LeaderEpoch: leader, Start: 5, Batches: []StateBatch{{First: 5, Last: 6, State: Acknowledged, Deliveries: 1}}})
	}
	check := func(what string, err error, want error) {
		t.Helper()
		if !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	_, err := s.Read(aKey, 1)
	check("read of what is not known", err, kerr.InvalidRequest)
	check("write of what is not known", write(0, 0), kerr.InvalidRequest)
	check("initialize", s.Initialize(aKey, 2, NoOffset), nil)
	st, err := s.Read(aKey, 4)
	check("read", err, nil)
	if st.Start != NoOffset || st.Completed != NoCount || st.StateEpoch != 2 {
		t.Errorf("initialized: %+v", st)
	}
	check("write of an earlier leader", write(2, 3), kerr.FencedLeaderEpoch)
	check("write of an earlier state", write(1, 4), kerr.FencedStateEpoch)
	check("write", write(2, 4), nil)
	_, err = s.Read(aKey, 3)
	check("read of an earlier leader", err, kerr.FencedLeaderEpoch)
	check("reset of an earlier epoch", s.Initialize(aKey, 1, 0), kerr.FencedStateEpoch)
	check("reset", s.Initialize(aKey, 3, 0), nil)
	check("write of before the reset", write(2, 4), kerr.FencedStateEpoch)
	if st, err := s.Read(aKey, NoEpoch); err != nil || st.Start != 0 || len(st.Batches) != 0 {
		t.Errorf("reset: %+v, %v", st, err)
	}
	check("delete", s.Delete(aKey), nil)
	check("delete of what is not known", s.Delete(aKey), nil)
	if sum, err := s.Summary(aKey); err != nil || sum.Start != NoOffset || sum.Completed != NoCount {
		t.Errorf("summary of what is not known: %+v, %v", sum, err)
	}
	check("a negative partition", s.Initialize(Key{Group: "g", Partition: -1}, 0, 0), kerr.InvalidRequest)
	check("batches out of order", s.Write(aKey, Update{Batches: []StateBatch{{First: 3, Last: 1}}}), kerr.InvalidRequest)
}

func TestWhatIsGoneIsNotKept(t *testing.T) {
	exists := true
	s := NewStates(StatesConfig{Exists: func(TopicID, int32) bool { return exists }})
	if err := s.Initialize(aKey, 0, 0); err != nil {
		t.Fatal(err)
	}
	exists = false
	for what, err := range map[string]error{"initialize": s.Initialize(aKey, 1, 0), "write": s.Write(aKey, Update{}), "delete": s.Delete(aKey)} {
		if !errors.Is(err, kerr.UnknownTopicOrPartition) {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.DeleteTopics(func(TopicID) bool { return false })
	exists = true
	if _, err := s.Read(aKey, 0); !errors.Is(err, kerr.InvalidRequest) {
		t.Errorf("the state of a topic that was deleted: %v", err)
	}
}

// What is written down is enough to go on: who reads it knows what the one who wrote it knew.
func TestReplayComesToTheSameStates(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		var journal []Entry
		s := NewStates(StatesConfig{UpdatesPerSnapshot: r.IntN(4), Write: func(e Entry) { journal = append(journal, e) }})
		for range 40 {
			k := Key{Group: "g", Topic: TopicID{byte(r.IntN(2))}, Partition: int32(r.IntN(2))}
			switch r.IntN(8) {
			case 0:
				_ = s.Initialize(k, int32(r.IntN(3)), int64(r.IntN(3))-1)
			case 1:
				_ = s.Delete(k)
			case 2:
				_, _ = s.Read(k, int32(r.IntN(3)))
			default:
				_ = s.Write(k, Update{StateEpoch: int32(r.IntN(3)), LeaderEpoch: int32(r.IntN(3)), Start: int64(r.IntN(12)) - 1, Completed: int32(r.IntN(3)) - 1, Batches: someBatches(r)})
			}
		}
		again := NewStates(StatesConfig{})
		for _, e := range journal {
			if err := again.Replay(e.Key, e.Value); err != nil {
				t.Fatal(err)
			}
		}
		if len(again.all) != len(s.all) {
			t.Fatalf("%d states, want %d", len(again.all), len(s.all))
		}
		for k, want := range s.all {
			got := again.all[k]
			if got.updates = want.updates; len(got.Batches) == 0 && len(want.Batches) == 0 {
				got.Batches, want.Batches = nil, nil
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%v: %+v, want %+v", k, got, want)
			}
		}
	}
}

func FuzzReplay(f *testing.F) {
	var journal []Entry
	s := NewStates(StatesConfig{UpdatesPerSnapshot: 1, Write: func(e Entry) { journal = append(journal, e) }})
	_ = s.Initialize(aKey, 1, 0)
	for range 3 {
		_ = s.Write(aKey, Update{StateEpoch: 1, Start: 2, Completed: 1, Batches: []StateBatch{{First: 2, Last: 9, State: Archived, Deliveries: 2}}})
	}
	_ = s.Delete(aKey)
	for _, e := range journal {
		f.Add(e.Key, e.Value)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		s := NewStates(StatesConfig{})
		_ = s.Initialize(aKey, 1, 0)
		if err := s.Replay(key, value); err != nil {
			return
		}
		for k, st := range s.all {
			if !ordered(st.Batches) {
				t.Errorf("%v: %v", k, st.Batches)
			}
		}
	})
}
