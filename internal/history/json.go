package history

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// wire is an event in JSON. The names are stable: histories of old runs stay readable. What is zero is left out, so a missing partition is 0.
type wire struct {
	Seq         int64      `json:"n,omitempty"`
	At          time.Time  `json:"at"`
	Kind        string     `json:"k"`
	Group       string     `json:"g,omitempty"`
	Member      string     `json:"m,omitempty"`
	Topic       string     `json:"t,omitempty"`
	Partition   int32      `json:"p,omitempty"`
	Offset      int64      `json:"o,omitempty"`
	Key         *string    `json:"key,omitempty"`
	Key64       []byte     `json:"key64,omitempty"` // a key that is not text
	ID          string     `json:"id,omitempty"`
	Outcome     string     `json:"out,omitempty"`
	Cause       string     `json:"cause,omitempty"`
	Attempt     int        `json:"a,omitempty"`
	Fence       int64      `json:"f,omitempty"`
	Order       int64      `json:"ord,omitempty"`
	Call        int64      `json:"call,omitempty"`
	Tx          string     `json:"tx,omitempty"`
	Via         *wirePlace `json:"via,omitempty"`
	To          *wirePlace `json:"to,omitempty"`
	Ranges      [][2]int64 `json:"r,omitempty"` // [from, to)
	Hash        string     `json:"h,omitempty"` // hexadecimal: JSON numbers lose digits
	Class       string     `json:"class,omitempty"`
	Err         string     `json:"err,omitempty"`
	Redriven    bool       `json:"redriven,omitempty"`
	Undecodable bool       `json:"undecodable,omitempty"`
}

type wirePlace struct {
	Topic     string `json:"t"`
	Partition int32  `json:"p"`
	Offset    int64  `json:"o"`
}

// MarshalJSON writes the event in one line.
func (e Event) MarshalJSON() ([]byte, error) {
	w := wire{
		Seq: e.Seq, At: e.At, Kind: e.Kind.String(), Group: e.Group, Member: e.Member, Topic: e.Topic, Partition: e.Partition, Offset: e.Offset,
		ID: e.ID, Attempt: e.Attempt, Fence: e.Fence, Order: e.Order, Call: e.Call, Tx: e.Tx, Class: e.Class, Err: e.Err,
		Via: (*wirePlace)(e.Via), To: (*wirePlace)(e.To), Redriven: e.Redriven, Undecodable: e.Undecodable,
	}
	if e.Outcome != 0 {
		w.Outcome = e.Outcome.String()
	}
	if e.Cause != 0 {
		w.Cause = e.Cause.String()
	}
	if e.Key != nil {
		if utf8.Valid(e.Key) {
			key := string(e.Key)
			w.Key = &key
		} else {
			w.Key64 = e.Key
		}
	}
	if e.Hash != 0 {
		w.Hash = strconv.FormatUint(e.Hash, 16)
	}
	for _, r := range e.Ranges {
		w.Ranges = append(w.Ranges, [2]int64{r.From, r.To})
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON wrote. Fields it does not know are ignored; a kind, outcome or cause it does not know is an error.
func (e *Event) UnmarshalJSON(b []byte) error {
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	kind, err := parse(kindNames[:], w.Kind, "kind")
	if err != nil {
		return err
	}
	outcome, err := parse(outcomeNames[:], w.Outcome, "outcome")
	if err != nil {
		return err
	}
	cause, err := parse(causeNames[:], w.Cause, "cause")
	if err != nil {
		return err
	}
	*e = Event{
		Seq: w.Seq, At: w.At, Kind: Kind(kind), Outcome: Outcome(outcome), Cause: Cause(cause), Group: w.Group, Member: w.Member, Topic: w.Topic,
		Partition: w.Partition, Offset: w.Offset, Key: w.Key64, ID: w.ID, Attempt: w.Attempt, Fence: w.Fence, Order: w.Order, Call: w.Call, Tx: w.Tx,
		Class: w.Class, Err: w.Err, Via: (*Place)(w.Via), To: (*Place)(w.To), Redriven: w.Redriven, Undecodable: w.Undecodable,
	}
	if w.Key != nil {
		e.Key = []byte(*w.Key)
	}
	if w.Hash != "" {
		if e.Hash, err = strconv.ParseUint(w.Hash, 16, 64); err != nil {
			return fmt.Errorf("hash %q: %w", w.Hash, err)
		}
	}
	for _, r := range w.Ranges {
		e.Ranges = append(e.Ranges, Range{r[0], r[1]})
	}
	return nil
}
