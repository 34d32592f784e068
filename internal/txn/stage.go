package txn

import (
	"errors"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Key finds in a context whether a transaction is around it: a [Handlers], or what a publisher puts there that sends in one.
type Key struct{}

// Handlers is the value of [Key] in the context of a transactional handler.
type Handlers struct{}

// ErrEnded is the error of what is sent in a transaction that is over, or whose handler has returned.
var ErrEnded = errors.New("the transaction is over: its handler has returned, or it was committed or aborted")

// Output is a record that is to be part of a transaction.
type Output struct {
	Record *kgo.Record
	Limit  int32 // of a batch of its topic in bytes, as Client.Limit takes it; 0 is Kafka's default
}

// Stage collects outputs. Its zero value is empty and open. It is safe for concurrent use.
type Stage struct {
	mu     sync.Mutex // guards what follows
	outs   []Output
	bytes  int64
	sends  int // that were begun and have no answer
	idle   chan struct{}
	failed error // the first send that failed and that nobody waited for
	closed bool
}

// Begin announces a send whose answer nobody waits for. It is refused when the stage is closed.
func (s *Stage) Begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrEnded
	}
	s.sends++
	return nil
}

// End is the answer of a send that was announced.
func (s *Stage) End(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = err
	}
	if s.sends--; s.sends == 0 && s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
}

// Add takes an output in. It is refused when the stage is closed.
func (s *Stage) Add(o Output) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrEnded
	}
	s.outs = append(s.outs, o)
	s.bytes += int64(len(o.Record.Key) + len(o.Record.Value))
	return nil
}

// Size is how many outputs are staged, and the bytes of their keys and values.
func (s *Stage) Size() (records int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.outs), s.bytes
}

// Settle waits for the sends that were announced, closes the stage and returns the first error among them.
func (s *Stage) Settle() error {
	s.mu.Lock()
	for s.sends > 0 {
		if s.idle == nil {
			s.idle = make(chan struct{})
		}
		idle := s.idle
		s.mu.Unlock()
		<-idle
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	s.closed = true
	return s.failed
}

// Close refuses what comes later.
func (s *Stage) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// Outputs returns what was staged, in the order of the sends, and the bytes of its keys and values. The stage is closed.
func (s *Stage) Outputs() ([]Output, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.outs, s.bytes
}

// StageOf opens a *producer.Tx for a handler and returns its stage. Package producer sets it.
var StageOf func(tx any) *Stage
