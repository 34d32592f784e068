package consumer

import (
	"errors"
	"slices"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

// metaLimit is what is known of the brokers' limit of commit metadata (offset.metadata.max.bytes). Apache Kafka counts UTF-16 code units, whatever the name says:
// then commitmeta.UTF16 holds 2.5 times what ASCII does. Others may count bytes. Which it is shows the first commit that is long in bytes and short in units, a
// probe; it is made once there is something to say that takes a quarter of the limit, and until then there is room for ASCII alone.
//
// It is safe for concurrent use.
type metaLimit struct {
	most     atomic.Int64
	counting atomic.Int32
}

// What the brokers count.
const (
	countsUnknown int32 = iota
	countsUnits
	countsBytes
)

const (
	// defaultMetadataMax is Kafka's default of the limit.
	defaultMetadataMax = 4096
	// minMetadataMax is where learning the limit stops: what is smaller holds no map.
	minMetadataMax = 64
	// probeShare is the part of the limit from which on it is worth knowing what counts.
	probeShare = 4
)

// capacity is how many bytes of metadata there is room for.
func (l *metaLimit) capacity() int {
	if l.counting.Load() == countsUnits {
		return commitmeta.UTF16.Capacity(int(l.most.Load()))
	}
	return commitmeta.Base64.Capacity(int(l.most.Load()))
}

// encoded is the metadata of one commit as text.
type encoded struct {
	text  string
	done  commitmeta.Completed // the completion map that is in it
	probe bool                 // its answer shows what the brokers count
}

// encode writes the metadata, with as much of its completion map, from the mark on, as the limit allows. Admission slows down long before that; what is left out
// would be handled again after a crash, and nothing worse. The map goes before the attempts: of those, what is left out starts to count anew.
func (l *metaLimit) encode(meta commitmeta.Metadata) encoded {
	limit, counting := int(l.most.Load()), l.counting.Load()
	enc, probe := commitmeta.Base64, false
	size, ascii := meta.Bytes(), commitmeta.Base64.Capacity(limit)
	switch {
	case counting == countsUnits && size > ascii:
		enc = commitmeta.UTF16
	case counting == countsUnknown && size > ascii/probeShare:
		enc, probe = commitmeta.UTF16, true
	}
	meta.Attempts = fitting(meta, enc.Capacity(limit))
	if probe {
		meta.Padding = max(0, probeBytes(limit)-meta.Bytes())
	}
	text, err := meta.Encode(enc, limit)
	if err == nil {
		return encoded{text, meta.Completed, probe}
	}
	meta.Attempts = nil
	var ranges []commitmeta.Range
	for r := range meta.Completed.All() {
		ranges = append(ranges, r)
	}
	for n := len(ranges) / 2; errors.Is(err, commitmeta.ErrTooLarge); n /= 2 {
		meta.Completed = commitmeta.NewCompleted(meta.Completed.LeaderEpoch(), slices.Clone(ranges[:n])...)
		if text, err = meta.Encode(enc, limit); err == nil {
			return encoded{text, meta.Completed, probe}
		}
		if n == 0 {
			break
		}
	}
	return encoded{}
}

// probeBytes is how much metadata takes more bytes than the limit as UTF-16, which are three a unit, while it takes little more than a third of it in units.
func probeBytes(limit int) int { return (limit/3+2)*15/8 + 1 }

// learn hears how a commit went, and keeps what that says of the limit.
func (l *metaLimit) learn(probe bool, err error) {
	tooLarge := errors.Is(err, kerr.OffsetMetadataTooLarge)
	switch {
	case probe && err == nil:
		l.counting.CompareAndSwap(countsUnknown, countsUnits)
	case probe && tooLarge:
		l.counting.CompareAndSwap(countsUnknown, countsBytes)
	case tooLarge:
		l.most.Store(max(minMetadataMax, l.most.Load()/2))
	}
}
