package history

import (
	"encoding/base64"
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
func (e Event) MarshalJSON() ([]byte, error) { return e.appendJSON(nil), nil }

// appendJSON is by hand, since it is on the path of every record: a tenth of the time that encoding/json takes.
func (e *Event) appendJSON(b []byte) []byte {
	number := func(name string, v int64) {
		if v != 0 {
			b = append(b, name...)
			b = strconv.AppendInt(b, v, 10)
		}
	}
	text := func(name, v string) {
		if v != "" {
			b = append(b, name...)
			b = appendString(b, v)
		}
	}
	at := func(name string, p *Place) {
		if p != nil {
			b = append(b, name...)
			b = appendString(append(b, `{"t":`...), p.Topic)
			b = strconv.AppendInt(append(b, `,"p":`...), int64(p.Partition), 10)
			b = strconv.AppendInt(append(b, `,"o":`...), p.Offset, 10)
			b = append(b, '}')
		}
	}
	b = append(b, `{"k":`...)
	b = appendString(b, e.Kind.String())
	number(`,"n":`, e.Seq)
	b = append(b, `,"at":"`...)
	b = e.At.AppendFormat(b, time.RFC3339Nano)
	b = append(b, '"')
	text(`,"g":`, e.Group)
	text(`,"m":`, e.Member)
	text(`,"t":`, e.Topic)
	number(`,"p":`, int64(e.Partition))
	number(`,"o":`, e.Offset)
	switch {
	case e.Key == nil:
	case utf8.Valid(e.Key):
		b = append(b, `,"key":`...)
		b = appendString(b, string(e.Key))
	default:
		b = append(b, `,"key64":"`...)
		b = append(base64.StdEncoding.AppendEncode(b, e.Key), '"')
	}
	text(`,"id":`, e.ID)
	if e.Outcome != 0 {
		text(`,"out":`, e.Outcome.String())
	}
	if e.Cause != 0 {
		text(`,"cause":`, e.Cause.String())
	}
	number(`,"a":`, int64(e.Attempt))
	number(`,"f":`, e.Fence)
	number(`,"ord":`, e.Order)
	number(`,"call":`, e.Call)
	text(`,"tx":`, e.Tx)
	at(`,"via":`, e.Via)
	at(`,"to":`, e.To)
	for i, r := range e.Ranges {
		if i == 0 {
			b = append(b, `,"r":[[`...)
		} else {
			b = append(b, `,[`...)
		}
		b = append(strconv.AppendInt(b, r.From, 10), ',')
		b = append(strconv.AppendInt(b, r.To, 10), ']')
	}
	if len(e.Ranges) > 0 {
		b = append(b, ']')
	}
	if e.Hash != 0 {
		b = strconv.AppendUint(append(b, `,"h":"`...), e.Hash, 16)
		b = append(b, '"')
	}
	text(`,"class":`, e.Class)
	text(`,"err":`, e.Err)
	if e.Redriven {
		b = append(b, `,"redriven":true`...)
	}
	if e.Undecodable {
		b = append(b, `,"undecodable":true`...)
	}
	return append(b, '}')
}

// appendString quotes a string; one that needs escapes is left to encoding/json.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil {
				quoted = []byte(`""`) // a string always marshals
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// UnmarshalJSON reads what MarshalJSON wrote. Fields it does not know are ignored; a kind, outcome or cause it does not know is an error.
func (e *Event) UnmarshalJSON(b []byte) error {
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	return w.event(e)
}

func (w *wire) event(e *Event) error {
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
