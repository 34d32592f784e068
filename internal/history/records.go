package history

// logPart is one partition as its producers and independent readers know it.
type logPart struct {
	topic     *topic
	partition int32
	records   pages[logPage]
	truncated []Range
	scanned   []Range
}

// logPage is what is known of 128 records, whoever handles them.
type logPage struct {
	flags    [pageSize]uint8
	key      [pageSize]uint64
	id       [pageSize]uint64
	accepted [pageSize]uint32
	sent     *[pageSize]sendOrder // only where sends are numbered
	value    *[pageSize]uint64    // only where values are hashed
}

type sendOrder struct {
	order    uint32
	producer uint32
}

const (
	logKnown       = 1 << iota // a record is at this offset
	logAccepted                // a producer was told so
	logFound                   // an independent reader read it
	logUndecodable             // its value does not decode, on purpose
)

// note learns that a record exists.
func (l *logPart) note(offset int64, key uint64) (*logPage, int) {
	page, i := l.records.at(offset)
	page.flags[i] |= logKnown
	if key > nullHash || page.key[i] == noHash {
		page.key[i] = key
	}
	return page, i
}

func (l *logPart) flags(offset int64) uint8 {
	if page, i := l.records.get(offset); page != nil {
		return page.flags[i]
	}
	return 0
}

func (page *logPage) setHash(i int, hash uint64) {
	if hash == 0 {
		return
	}
	if page.value == nil {
		page.value = new([pageSize]uint64)
	}
	page.value[i] = hash
}

func (page *logPage) hash(i int) uint64 {
	if page.value == nil {
		return 0
	}
	return page.value[i]
}

func (page *logPage) setOrder(i int, o sendOrder) {
	if o.order == 0 {
		return
	}
	if page.sent == nil {
		page.sent = new([pageSize]sendOrder)
	}
	page.sent[i] = o
}

// groupPage is what one group did with 128 records. A record that went through the inbox has two slots: that of its source, which says how it stands
// (final, dead letter, last attempt), and that of its copy in the inbox, which says whether this copy ended and is committed. Without an inbox both are
// one.
type groupPage struct {
	flags   [pageSize]uint16
	attempt [pageSize]uint8  // number of the last attempt, at most 255
	owner   [pageSize]int32  // ordinal of the ownership that started or ended it last
	started [pageSize]uint32 // last attempt.start
	end     [pageSize]uint32 // first outcome of this copy
	handled [pageSize]uint32 // first success, of the record
}

const (
	copyEnded   uint16 = 1 << iota // this copy has an outcome that counts
	copyCurrent                    // and was not started again by a later ownership
	copyCovered                    // an acknowledged commit covered it once
	copyVoid                       // an outcome of it was in a transaction that aborted
	copyFenced                     // an outcome of it came from a member that no longer owned it
	copyOwed                       // a redrive put it into the inbox
	copyTold                       // a premature commit of it was reported
	recordAcked                    // its dead letter is acknowledged
	recordCut                      // its last attempt was cut by draining
	recordLeft                     // it left the order of its key before it was handled
	recordTold                     // its order was reported
	resultLow                      // two bits: how the last attempt ended
	resultHigh
	finalLow // two bits: how the record stands for the group
	finalHigh
	copyFirm // an outcome of it holds, whatever becomes of a transaction that is open

	resultMask = resultLow | resultHigh
	finalMask  = finalLow | finalHigh
)

// Results of the last attempt: none or running are 0.
const (
	resultOK        = resultLow
	resultFailed    = resultHigh
	resultCancelled = resultLow | resultHigh
)

// How a record stands.
const (
	finalHandled = finalLow
	finalDead    = finalHigh
	finalSkipped = finalLow | finalHigh
)
