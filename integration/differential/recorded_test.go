package main

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestReferenceBrokerAnswersWhatKafkaAnswered compares with what Apache Kafka 4.3.1 was seen to answer, in virtual time.
func TestReferenceBrokerAnswersWhatKafkaAnswered(t *testing.T) {
	kafka, err := readRecord("testdata/kafka-4.3.1.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	const again = "after a change of the scenarios, write down what Kafka answers: go run ./differential -keep differential/testdata/kafka-4.3.1.json.gz"
	ours := record{Base: kafka.Base}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(kafka.Base.Add(2 * time.Hour))) // when Kafka was asked
		if ours.Transcripts, err = runAll(t.Context(), scenarios(), startInMemory, ours.Base); err != nil {
			t.Fatal(err)
		}
	})
	if len(kafka.Transcripts) != len(ours.Transcripts) {
		t.Fatalf("%d scenarios were written down, there are %d; %s", len(kafka.Transcripts), len(ours.Transcripts), again)
	}
	v, tallies := judgeAll(kafka, ours)
	problems := append(faultsOf("reference broker", ours), incomplete(v, expectations, tallies)...)
	problems = append(problems, summary(v.unexpected, 100)...)
	for _, p := range problems {
		t.Error(p)
	}
	if len(problems) > 0 {
		t.Log(again)
	}
}
