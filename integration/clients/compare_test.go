package main

import (
	"testing"
	"time"
)

func TestADifferenceIsCounted(t *testing.T) {
	saw := func(steps ...seen) transcripts {
		return transcripts{steps: map[string][]seen{"a/b": steps}, failed: map[string]string{}, took: map[string]time.Duration{"a/b": 1}}
	}
	one, two := seen{"produce", `{"offset":1}`}, seen{"produce", `{"offset":2}`}
	ended := saw(one)
	ended.failed["a/b"] = "ended"
	for name, c := range map[string]struct {
		reference, kafka transcripts
		failed           int
	}{
		"the same":                 {saw(one, two), saw(one, two), 0},
		"another value":            {saw(one, two), saw(one, one), 1},
		"one less":                 {saw(one), saw(one, two), 1},
		"one more":                 {saw(one, two), saw(one), 1},
		"nothing":                  {saw(), saw(), 1},
		"failed on both alike":     {ended, ended, 2},
		"failed on the other only": {saw(one), ended, 1},
		"failed before it saw all": {saw(one, two), ended, 1},
	} {
		var got checks
		compare("a/b", c.reference, c.kafka, &got)
		if got.failed != c.failed {
			t.Errorf("%s: %d differences, want %d", name, got.failed, c.failed)
		}
	}
}

func TestOnlyAddressesAreNotCompared(t *testing.T) {
	for in, want := range map[string]string{
		`{"b": 1, "a": "127.0.0.1:4711"}`: `{"a":"ADDRESS","b":1}`,
		`"broker 2 at localhost:9092"`:    `"broker 2 at ADDRESS"`,
		`"('127.0.0.1', 9092)"`:           `"('ADDRESS)"`,
		`[127]`:                           `[127]`,
		`nonsense`:                        `not JSON: nonsense`,
	} {
		if got := normalise([]byte(in)); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
