package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
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
	Failed   string   `json:",omitempty"` // what ended the scenario early
	Faults   []string `json:",omitempty"` // requests that have not come to an end that could be compared
}

// faults says why what a scenario has written down proves nothing, however equal it is on the other side: it ended early, or a request has not come to
// an end that is an answer.
func (t transcript) faults() []string {
	all := slices.Clone(t.Faults)
	if t.Failed != "" {
		all = append(all, "ended early: "+t.Failed)
	}
	for _, e := range t.Entries {
		for _, f := range e.Fields {
			if f.Path != "answer" {
				continue
			}
			for _, none := range []string{noConnection, nothingCame, undecodable} {
				if strings.HasPrefix(f.Value, none) {
					all = append(all, fmt.Sprintf("%s: %s version %d: %s", e.What, kmsg.NameForKey(e.Key), e.Version, f.Value))
				}
			}
		}
	}
	return all
}

func (t *transcript) add(e entry) { t.Entries = append(t.Entries, e) }

// record is what a whole run of one side is kept as.
type record struct {
	Base        time.Time // the time that records are stamped with
	Transcripts []transcript
}

// readRecord reads what write has written.
func readRecord(path string) (r record, err error) {
	f, err := os.Open(path)
	if err != nil {
		return r, err
	}
	defer f.Close()
	text, err := gzip.NewReader(f)
	if err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	if err := json.NewDecoder(text).Decode(&r); err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// write keeps the record as compressed JSON: zcat shows it.
func (r record) write(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
