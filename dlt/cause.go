package dlt

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"time"

	"github.com/sordini-go/sordini"
)

// Cause is the dead letters of one group and source topic that failed for one reason.
type Cause struct {
	Group       string
	Topic       string
	Class       Class
	Fingerprint string
	Count       int
	Duplicates  int       // copies of letters that are counted, left by crashes
	Truncated   int       // of Count, how many lack headers or more of their record
	Oldest      time.Time // when the first and the last of them failed
	Newest      time.Time
	Example     Letter // the newest
}

// Unreadable is the class of records in a dead-letter topic that are no dead letters or malformed ones.
const Unreadable Class = "unreadable"

// maxCauses bounds the memory of Causes. Beyond it, further causes of a group and topic are one, with the fingerprint "other".
const maxCauses = 10_000

// Causes reads dead letters and groups them by cause, the most frequent first. Its memory is proportional to the number of causes.
func Causes(ctx context.Context, cluster sordini.Cluster, q Query) ([]Cause, error) {
	type key struct {
		group, topic string
		class        Class
		fingerprint  string
	}
	found := map[key]*Cause{}
	var seen copies
	for l, err := range Read(ctx, cluster, q) {
		switch {
		case err == nil:
		case errors.Is(err, ErrNotDeadLetter), errors.Is(err, ErrMalformed):
			source, group, _ := ParseTopicName(l.Record.Topic)
			l.Topic, l.Group, l.Class, l.Error = source, group, Unreadable, err.Error()
			l.Fingerprint, l.Failed = Fingerprint(Unreadable, err), l.Record.Timestamp
			l.Partition, l.Offset = l.Record.Partition, l.Record.Offset
		default:
			return nil, err
		}
		k := key{l.Group, l.Topic, l.Class, l.Fingerprint}
		if found[k] == nil && len(found) >= maxCauses {
			k.fingerprint = "other"
		}
		c := found[k]
		if c == nil {
			c = &Cause{Group: k.group, Topic: k.topic, Class: k.class, Fingerprint: k.fingerprint, Oldest: l.Failed, Newest: l.Failed, Example: l}
			found[k] = c
		}
		if seen.again(&l) {
			c.Duplicates++
			continue
		}
		c.Count++
		if l.Truncated >= WithoutHeaders {
			c.Truncated++
		}
		if l.Failed.Before(c.Oldest) {
			c.Oldest = l.Failed
		}
		if !l.Failed.Before(c.Newest) {
			c.Newest, c.Example = l.Failed, l
		}
	}
	causes := make([]Cause, 0, len(found))
	for _, c := range found {
		causes = append(causes, *c)
	}
	slices.SortFunc(causes, func(a, b Cause) int {
		return cmp.Or(b.Count-a.Count, cmp.Compare(a.Group, b.Group), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return causes, nil
}

// near is how far apart, in records of one partition, two copies of a dead letter can be told to be copies. A crash leaves them close together.
const near = 4096

// copies recognises copies of dead letters in bounded memory, by a hash of their identity.
type copies map[place]*recent

type place struct {
	topic     string
	partition int32
}

// recent are the last identities in one partition of a dead-letter topic.
type recent struct {
	ring []uint64
	next int
	in   map[uint64]struct{}
}

func (c *copies) again(l *Letter) bool {
	if *c == nil {
		*c = copies{}
	}
	at := place{l.Record.Topic, l.Record.Partition}
	r := (*c)[at]
	if r == nil {
		r = &recent{in: map[uint64]struct{}{}}
		(*c)[at] = r
	}
	id := maphash.String(seed, l.Identity())
	if _, ok := r.in[id]; ok {
		return true
	}
	r.in[id] = struct{}{}
	if len(r.ring) < near {
		r.ring = append(r.ring, id)
		return false
	}
	delete(r.in, r.ring[r.next])
	r.ring[r.next] = id
	r.next = (r.next + 1) % near
	return false
}

var seed = maphash.MakeSeed()
