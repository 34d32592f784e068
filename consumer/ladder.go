package consumer

import (
	"errors"
	"slices"
	"time"
)

// Ladder is what becomes of a record that fails, rung by rung: it is tried again in place, then through the group's inbox, then it is dead-lettered. The zero
// value is the default: five retries in place, none through the inbox.
type Ladder struct {
	Retry RetryPolicy     // in place
	Later []time.Duration // one attempt through the inbox after each of these, in turn, from minutes to 7 days; see RetryLater
}

// OnError gives failures for which match reports true a ladder of their own, in place of the one that Retry and RetryLater set: a timeout may be worth a day, and
// a record that a rule of the business refuses nothing. Of several that match the first counts, those of a handler before those of its group. The error that an
// attempt ended with decides over the next rung; attempts count, whatever they failed with. Permanent, Skip and RetryAfter say more than a class does, and
// are looked at first.
//
// match is given the handler's error as it is (errors.Is and errors.As work), is called by several goroutines at once, and may neither block nor panic.
//
//	consumer.OnError(func(err error) bool { return errors.Is(err, context.DeadlineExceeded) },
//		consumer.Ladder{Retry: consumer.RetryPolicy{Retries: 2}, Later: []time.Duration{5 * time.Minute, time.Hour, 24 * time.Hour}})
func OnError(match func(error) bool, l Ladder) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		err := errors.Join(l.Retry.check(), checkLater("OnError", l.Later))
		if match == nil {
			err = refuse("OnError: match is nil; use Retry and RetryLater for what is true of every error")
		}
		if err != nil {
			c.errs = append(c.errs, err)
		}
		l.Retry, l.Later = l.Retry.defaults(), slices.Clone(l.Later)
		c.ladders = append(slices.Clip(c.ladders), errorLadder{match, l})
	})
}

// errorLadder is the ladder of a class of errors.
type errorLadder struct {
	match func(error) bool
	Ladder
}

// ladder is the one of an error.
func (c *handlerConfig) ladder(err error) Ladder {
	for _, l := range c.ladders {
		if l.match(err) {
			return l.Ladder
		}
	}
	return Ladder{c.retry, c.later.delays}
}

// goesLater says whether any ladder leads through the inbox.
func (c *handlerConfig) goesLater() bool {
	return len(c.later.delays) > 0 || slices.ContainsFunc(c.ladders, func(l errorLadder) bool { return len(l.Later) > 0 })
}

// checkLater says what is wrong with delays of retries through the inbox.
func checkLater(option string, delays []time.Duration) error {
	for _, d := range delays {
		if d <= 0 || d > maxLater {
			return refuse("%s(%v): a delay must be positive and at most %v", option, d, maxLater)
		}
	}
	return nil
}
