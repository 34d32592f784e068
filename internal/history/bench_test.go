package history

import (
	"bytes"
	"io"
	"testing"
)

func BenchmarkLogToDisk(b *testing.B) {
	log := Log{Writer: io.Discard, Forget: true}
	e := full()
	b.ReportAllocs()
	for b.Loop() {
		log.Record(e)
	}
}

func BenchmarkLogInMemory(b *testing.B) {
	log := Log{}
	e := full()
	b.ReportAllocs()
	for b.Loop() {
		log.Record(e)
	}
}

func BenchmarkRead(b *testing.B) {
	var file bytes.Buffer
	log := Log{Writer: &file, Forget: true}
	for range 1000 {
		log.Record(full())
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(bytes.NewReader(file.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckPerEvent(b *testing.B) {
	var events []Event
	big(20_000, 1000, func(e Event) { events = append(events, e) })
	b.ReportAllocs()
	for b.Loop() {
		Check(events, Options{})
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(events)), "ns/event")
}
