package main

import (
	"encoding/json"
	"os"
	"time"
)

// field is one value of an answer under its path, such as Topics[0].Partitions[2].ErrorCode.
type field struct{ Path, Value string }

// entry is one request and what came of it.
type entry struct {
	What    string
	Key     int16
	Version int16
	Raw     bool `json:",omitempty"` // bytes made by hand: it proves nothing about the version
	Fields  []field
}

// transcript is what one side answered in one scenario.
type transcript struct {
	Scenario string
	Entries  []entry
	Failed   string `json:",omitempty"` // what ended the scenario early
}

func (t *transcript) add(e entry) { t.Entries = append(t.Entries, e) }

// record is what a whole run of one side is kept as.
type record struct {
	Base        time.Time // the time that records are stamped with
	Transcripts []transcript
}

func readRecord(path string) (r record, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	return r, err
}

func (r record) write(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
