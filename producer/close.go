package producer

import (
	"context"
	"fmt"
	"time"
)

// Close sends what is buffered, waits for its acknowledgement and closes the producer's connections, within [CloseTimeout] whatever the cluster and any
// context do (guarantee G12). Sends that come later fail with [ErrClosed], and so do those that still wait for room.
//
// It returns nil when every record that was accepted was acknowledged or had failed before. Otherwise its error says how many records were not sent and
// how many have an unknown outcome; each of them has also been answered on its own. Further calls wait for the first and return the same.
func (p *Producer) Close() error {
	p.closeOnce.Do(func() { p.closeErr = p.close() })
	return p.closeErr
}

func (p *Producer) close() error {
	began := time.Now()
	end := began.Add(p.cfg.closeTimeout - min(p.cfg.closeTimeout/20, 250*time.Millisecond)) // closing connections takes a moment too
	giveUp := end.Add(-min(p.cfg.closeTimeout/5, time.Second))

	p.shutting.Store(true)
	close(p.shut)
	if p.outstanding.Load() == 0 {
		p.drainedOnce.Do(func() { close(p.drained) })
	}
	if p.cfg.linger > 0 {
		p.background(func() {
			ctx, cancel := context.WithDeadline(p.ctx, giveUp)
			defer cancel()
			_ = p.cl.Flush(ctx) // only for its ending the linger; what becomes of the records is said by their promises
		})
	}
	var unknownOutcome int
	if !until(p.drained, giveUp) {
		p.closing.Store(true)
		p.drop()
		if !until(p.drained, end) {
			unknownOutcome = p.abandon()
		}
	}
	if p.tx != nil {
		p.tx.close(giveUp, p.cancel)
	}
	p.cancel()
	stuck := p.closeClient(began.Add(p.cfg.closeTimeout))
	notSent := int(p.notSent.Load())
	switch {
	case notSent == 0 && unknownOutcome == 0 && stuck == "":
		return nil
	case notSent == 0 && unknownOutcome == 0:
		return fmt.Errorf("close the producer: %s", stuck)
	}
	err := fmt.Errorf("close the producer: %d records were not sent and %d have an unknown outcome after %s; raise producer.CloseTimeout where the cluster needs longer",
		notSent, unknownOutcome, p.cfg.closeTimeout)
	switch {
	case unknownOutcome > 0 && notSent > 0:
		return fmt.Errorf("%w: %w: %w", err, ErrOutcomeUnknown, ErrNotWritten)
	case unknownOutcome > 0:
		return fmt.Errorf("%w: %w", err, ErrOutcomeUnknown)
	}
	return fmt.Errorf("%w: %w", err, ErrNotWritten)
}

// drop gives up what is still ours and asks franz-go for what it has.
func (p *Producer) drop() {
	var told answers
	var gone []*call
	p.eachTopic(func(t *topic) { t.drop(&told, &gone) })
	p.notSent.Add(int64(len(gone)))
	p.cl.ForceMetadataRefresh()
	p.finish(told, gone)
}

// abandon answers what franz-go could not give back and returns how many records that is.
func (p *Producer) abandon() (n int) {
	var told answers
	p.eachTopic(func(t *topic) {
		for _, part := range t.every() {
			n += part.abandonGiven(&told)
		}
	})
	told.tell()
	return n
}

// closeClient closes franz-go's client, which fails what it still has, and waits for all that runs in the background. What does not end by then is named.
func (p *Producer) closeClient(deadline time.Time) (stuck string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.alarm.stop()
		p.cl.Close()
		p.backgroundMu.Lock()
		p.ended = true
		p.backgroundMu.Unlock()
		p.wg.Wait()
		<-p.drained
	}()
	if !until(done, deadline) {
		return "its connections are still being closed"
	}
	if !until(p.calls.idle(), deadline) {
		return "a callback of SendAsync is still running"
	}
	return ""
}

// background runs do on a goroutine that Close waits for, unless it is too late for that; then it returns false.
func (p *Producer) background(do func()) bool {
	p.backgroundMu.Lock()
	defer p.backgroundMu.Unlock()
	if p.ended {
		return false
	}
	p.wg.Go(do)
	return true
}

// until waits for a channel to close, no longer than until the deadline.
func until(ch <-chan struct{}, deadline time.Time) bool {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-ch:
		return true
	case <-timer.C:
		select {
		case <-ch:
			return true
		default:
			return false
		}
	}
}
