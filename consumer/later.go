package consumer

import "time"

// laterConfig is how a handler retries through the inbox.
type laterConfig struct {
	delays []time.Duration
	queue  int
	hold   bool
}

// maxLater is the longest delay of a retry through the inbox.
const maxLater = 7 * 24 * time.Hour

// RetryLater lets a record that failed its retries in place be tried again after longer delays, from minutes to 7 days: one attempt after each of them, in turn,
// then the dead-letter topic. Meanwhile it waits in the group's inbox, a topic, and takes neither memory nor its place at the source: its offset is committed.
// Attempts and delays outlast restarts and rebalances.
//
// Later records of its key stay behind it (guarantee G3): they go to the inbox as well, unless Queue says otherwise. So a key that fails for a day delays that
// key for a day and no other. Where the order does not matter, use Unordered.
//
// RetryLater needs dead letters, and is refused together with WithoutDeadLetters. It is off by default.
func RetryLater(delays ...time.Duration) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		if len(delays) == 0 {
			c.errs = append(c.errs, refuse("RetryLater: give a delay for each retry, or leave the option out"))
		}
		if err := checkLater("RetryLater", delays); err != nil {
			c.errs = append(c.errs, err)
		}
		c.later.delays = delays
	})
}

// FullQueue says what becomes of a record that may not wait in memory behind an earlier one of its key; see Queue.
type FullQueue uint8

const (
	// Spill, the default, hands it to the inbox, behind the one that waits there: the group goes on at the cost of one more write and read.
	Spill FullQueue = iota
	// Hold lets it wait in memory: nothing is written twice, and MaxInFlight slows the partition down when a key takes too much of it.
	Hold
)

// Queue sets how many records of a key wait in memory behind one that waits in the inbox, 0 by default, and what becomes of those beyond. What waits in memory
// is handled sooner once its turn comes; its offset is not committed, and it is fetched again after a restart.
func Queue(records int, full FullQueue) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		if records < 0 || full > Hold {
			c.errs = append(c.errs, refuse("Queue(%d, %d): give a number that is not negative, and Spill or Hold", records, full))
		}
		c.later.queue, c.later.hold = records, full == Hold
	})
}

// round is how often the record was put into the inbox to be tried again.
func (a *attempt) round() int {
	if a.wait == nil {
		return 0
	}
	return a.wait.round
}

// inPlace is how often the record has failed in place, this attempt included, and whether it may be tried again so: what comes back from the inbox after a retry
// there has one attempt.
func (a *attempt) inPlace() (failed int, again bool) {
	failed = a.l.attempts + 1
	if a.wait != nil {
		failed -= a.wait.attempts
	}
	return failed, a.round() == 0
}

// afterwards is when a record that is not tried again in place is tried again through the inbox, if it is.
func (a *attempt) afterwards(delays []time.Duration) (delay time.Duration, ok bool) {
	round := a.round()
	if a.p.topic.inbox == "" || round >= len(delays) {
		return 0, false
	}
	return delays[round], true
}
