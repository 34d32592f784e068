package consumer

import (
	"errors"
	"testing"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

func limitOf(most int64, counting int32) *metaLimit {
	l := &metaLimit{}
	l.most.Store(most)
	l.counting.Store(counting)
	return l
}

// holes is a map of n single offsets that have not ended, distance apart.
func holes(n int, distance int64) commitmeta.Metadata {
	var ranges []commitmeta.Range
	for i := range int64(n) {
		ranges = append(ranges, commitmeta.Range{From: 1 + distance*i, To: distance*i + distance})
	}
	return commitmeta.Metadata{Completed: commitmeta.NewCompleted(0, ranges...), Incarnation: 1}
}

func units(s string) int { return len(utf16.Encode([]rune(s))) }

// What brokers count is learned from the first commit that takes a quarter of the limit, and costs those that count bytes one refusal: the limit stays what it was.
func TestG7WhatTheLimitCountsIsLearned(t *testing.T) {
	const most = 4096
	few := holes(10, 3)
	many := commitmeta.Metadata{Incarnation: 1}
	var ranges []commitmeta.Range
	for i := range int64(1200) {
		ranges = append(ranges, commitmeta.Range{From: 1 + 1000*i, To: 1 + 1000*i + 1 + i*i%900})
	}
	many.Completed = commitmeta.NewCompleted(0, ranges...)

	l := limitOf(most, countsUnknown)
	if e := l.encode(few); e.probe || units(e.text) != len(e.text) {
		t.Errorf("a small map is a probe of %d bytes", len(e.text))
	}
	e := l.encode(many)
	if !e.probe || len(e.text) <= most || units(e.text) > most {
		t.Fatalf("a large map is written in %d bytes and %d units (probe: %t): its answer would show nothing", len(e.text), units(e.text), e.probe)
	}
	m, err := commitmeta.Decode(e.text)
	if err != nil || !m.Completed.Equal(many.Completed) {
		t.Fatalf("the probe does not say what it should: %v", err)
	}
	narrow := l.capacity()

	l.learn(true, errors.New("no answer"))
	if l.counting.Load() != countsUnknown {
		t.Error("learned from no answer")
	}
	l.learn(true, nil)
	if wide := l.capacity(); wide < narrow*24/10 {
		t.Errorf("there is room for %d bytes where the broker counts units, and for %d where it counts bytes", wide, narrow)
	}
	if e := l.encode(few); e.probe || units(e.text) != len(e.text) {
		t.Error("what fits in ASCII takes three bytes a unit all the same")
	}

	l = limitOf(most, countsUnknown)
	l.learn(true, kerr.OffsetMetadataTooLarge)
	if l.capacity() != narrow || l.most.Load() != most {
		t.Errorf("after a probe was refused the limit is taken to be %d, with room for %d bytes", l.most.Load(), l.capacity())
	}
	if e := l.encode(many); e.probe || len(e.text) > most {
		t.Errorf("where the broker counts bytes %d are sent (probe: %t)", len(e.text), e.probe)
	}
	l.learn(false, kerr.OffsetMetadataTooLarge)
	if l.most.Load() != most/2 {
		t.Errorf("after a refusal the limit is taken to be %d, want half", l.most.Load())
	}
}

func TestG7MapThatDoesNotFitIsCutFromItsEnd(t *testing.T) {
	var ranges []commitmeta.Range
	for i := range int64(5000) {
		ranges = append(ranges, commitmeta.Range{From: 1 + 100*i, To: 1 + 100*i + 1 + i%50})
	}
	full := commitmeta.Metadata{Completed: commitmeta.NewCompleted(0, ranges...), Incarnation: 1}
	wrote := limitOf(1000, countsBytes).encode(full)
	text, kept := wrote.text, wrote.done
	m, err := commitmeta.Decode(text)
	if err != nil || len(text) > 1000 {
		t.Fatalf("%d characters, %v", len(text), err)
	}
	if !m.Completed.Equal(kept) || kept.Len() == 0 || !kept.Contains(1) {
		t.Errorf("the metadata holds %d offsets, encode says %d", m.Completed.Len(), kept.Len())
	}
	if m.Incarnation != 1 {
		t.Error("the incarnation was cut with the map")
	}
}
