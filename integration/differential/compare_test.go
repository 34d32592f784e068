package main

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func oneEntry(fields ...field) transcript {
	return transcript{Scenario: "s", Entries: []entry{{What: "w", Key: 3, Version: 1, Fields: fields}}}
}

func TestDifferenceThatIsNotListedIsUnexpected(t *testing.T) {
	all := compare(oneEntry(field{"ErrorCode", "0"}, field{"Topic", "a"}), oneEntry(field{"ErrorCode", "3"}, field{"Topic", "a"}))
	if len(all) != 1 || all[0].Path != "ErrorCode" || all[0].Kafka != "0" || all[0].Ours != "3" {
		t.Fatalf("differences %v", all)
	}
	if v := judge(all, []expectation{{Why: "another API", API: "Fetch"}, {Why: "another field", Path: "Topic"}, {Why: "another value", Ours: "4*"}}); len(v.unexpected) != 1 {
		t.Errorf("it is expected by %v", v.expected)
	}
	if v := judge(all, []expectation{{Why: "this one", API: "Metadata", Path: "Error*"}}); len(v.unexpected) != 0 || len(v.expected[0]) != 1 {
		t.Errorf("it is not expected: %v", v)
	}
}

func TestFieldThatOneSideDoesNotHaveIsADifference(t *testing.T) {
	for _, sides := range [][2]transcript{
		{oneEntry(field{"A", "1"}), oneEntry()}, {oneEntry(), oneEntry(field{"A", "1"})}, {oneEntry(), {Scenario: "s"}}, {{Scenario: "s"}, {Scenario: "s", Failed: "early"}},
	} {
		if len(compare(sides[0], sides[1])) == 0 {
			t.Errorf("%v and %v are equal", sides[0], sides[1])
		}
	}
}

func TestExpectedDifferenceThatHasVanishedIsAProblem(t *testing.T) {
	list := []expectation{{Why: "still there", Path: "A"}, {Why: "gone", Path: "B"}}
	all := compare(oneEntry(field{"A", "1"}, field{"B", "1"}), oneEntry(field{"A", "2"}, field{"B", "1"}))
	tallies := map[int16]*tally{}
	for key, s := range served {
		tallies[key.Int16()] = &tally{versions: map[int16]bool{}}
		for v := s.min; v <= s.max; v++ {
			tallies[key.Int16()].versions[v] = true
		}
	}
	if got := incomplete(judge(all, list), list, tallies); len(got) != 1 || !strings.HasSuffix(got[0], ": gone") {
		t.Errorf("problems %q", got)
	}
	if got := incomplete(judge(all, list[:1]), list[:1], tallies); len(got) != 0 {
		t.Errorf("where nothing has vanished: %q", got)
	}
	many := make([]expectation, maxExpectations+1)
	if got := incomplete(verdict{expected: make([][]difference, len(many))}, many, tallies); !strings.Contains(got[len(got)-1], "at most") {
		t.Errorf("too many expectations: %q", got)
	}
	delete(tallies, kmsg.Fetch.Int16())
	if got := incomplete(judge(all, list[:1]), list[:1], tallies); len(got) != 1 || !strings.Contains(got[0], "Fetch") {
		t.Errorf("an API that nobody asked for: %q", got)
	}
}

func TestEqualFailureOfBothSidesIsAProblem(t *testing.T) {
	for name, bad := range map[string]transcript{
		"a scenario that ended early":   {Failed: "create topic x: 36 TOPIC_ALREADY_EXISTS"},
		"a state that never came about": {Faults: []string{"what was waited for has not come about"}},
		"no answer in time":             oneEntry(field{"answer", nothingCame}),
		"no connection":                 oneEntry(field{"answer", noConnection + ": refused"}),
		"an answer that nobody reads":   oneEntry(field{"answer", undecodable + ": x"}),
	} {
		if len(compare(bad, bad)) != 0 {
			t.Errorf("%s: it is not equal to itself", name)
		}
		if len(bad.faults()) != 1 {
			t.Errorf("%s is not noticed: %q", name, bad.faults())
		}
	}
	for _, how := range []string{connectionEnded, goesOn} {
		if got := oneEntry(field{"answer", how}).faults(); len(got) != 0 {
			t.Errorf("%s is an answer: %q", how, got)
		}
	}
}

func TestWaitThatNeverEndsIsAFault(t *testing.T) {
	cluster, err := startReference(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.close()
	ctx, cancel := context.WithCancel(t.Context())
	s := &session{ctx: ctx, side: cluster, log: &transcript{}, symbols: newSymbols(cluster), idle: map[caller]net.Conn{}}
	s.send("met", latest(metadata()), until(func(kmsg.Response) bool { return true }))
	if got := s.log.faults(); len(got) != 0 {
		t.Errorf("what has come about: %q", got)
	}
	s.send("never met", latest(metadata()), preparing(), until(func(kmsg.Response) bool { cancel(); return false })) // nobody waits on
	if got := s.log.faults(); len(got) != 1 || !strings.Contains(got[0], "never met") {
		t.Errorf("what has never come about: %q", got)
	}
}

func TestMissingElementIsReportedOnce(t *testing.T) {
	all := compare(oneEntry(field{"Topics[a].ErrorCode", "0"}, field{"Topics[a].Name", "a"}), oneEntry())
	if len(all) != 1 || all[0].Path != "Topics[a]" || all[0].Ours != absent {
		t.Errorf("differences %v", all)
	}
}

func TestVersionThatNobodyAskedForIsMissing(t *testing.T) {
	tallies := counted([]transcript{oneEntry()}, nil, nil)
	missing := strings.Join(neverAsked(tallies), "\n")
	if !strings.Contains(missing, "Metadata 0 2 3") || !strings.Contains(missing, "Fetch 4") {
		t.Errorf("missing:\n%s", missing)
	}
	raw := oneEntry()
	raw.Entries[0].Raw = true
	if missing := strings.Join(neverAsked(counted([]transcript{raw}, nil, nil)), "\n"); !strings.Contains(missing, "Metadata 0 1 2") {
		t.Errorf("bytes made by hand count as a version:\n%s", missing)
	}
}

func TestRandomIDsAreComparedByTheirOrder(t *testing.T) {
	answer := func(ids ...byte) []field {
		resp := kmsg.NewPtrMetadataResponse()
		resp.Version = 13
		for i, id := range ids {
			topic := kmsg.NewMetadataResponseTopic()
			topic.Topic, topic.TopicID = ptr(string(rune('a'+i))), [16]byte{id}
			resp.Topics = append(resp.Topics, topic)
		}
		return newSymbols(&side{}).fields(resp)
	}
	if d := compareFields(answer(1, 2), answer(7, 8)); len(d) != 0 {
		t.Errorf("two random ids each: %v", d)
	}
	if d := compareFields(answer(1, 2), answer(7, 7)); len(d) == 0 {
		t.Error("one id for two topics is not noticed")
	}
	if d := compareFields(answer(1), answer(0)); len(d) == 0 {
		t.Error("an empty id is not noticed")
	}
}

func TestTimesOfTheClientAreCompared(t *testing.T) {
	answer := func(timestamp int64) []field {
		resp := kmsg.NewPtrListOffsetsResponse()
		topic, part := kmsg.NewListOffsetsResponseTopic(), kmsg.NewListOffsetsResponseTopicPartition()
		part.Timestamp = timestamp
		topic.Partitions = append(topic.Partitions, part)
		resp.Topics = append(resp.Topics, topic)
		return newSymbols(&side{}).fields(resp)
	}
	if len(compareFields(answer(1_000_000), answer(1_000_001))) == 0 {
		t.Error("two times of long ago are the same")
	}
}
