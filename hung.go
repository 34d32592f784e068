package sordini

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// suspicion is how long a broker that did not answer in time is left alone while another is there to ask.
const suspicion = 2 * time.Second

// hung remembers which brokers of a client did not answer in time. franz-go chooses the broker for a request that may go to any of them without looking at
// what happened before, three times in a row the same one if it comes so, and each time costs requestTimeout. So a broker that hangs is not dialled
// again for a moment, unless nothing else is left: franz-go then goes to the next at once, and looks for another coordinator or leader.
type hung struct {
	mu    sync.Mutex
	until map[string]time.Time // by address; the zero time for one that answers
}

// OnBrokerRead is franz-go's hook: called after each response, and after each failure to read one.
func (h *hung) OnBrokerRead(meta kgo.BrokerMetadata, _ int16, _ int, _, _ time.Duration, err error) {
	address := net.JoinHostPort(meta.Host, strconv.Itoa(int(meta.Port)))
	var until time.Time
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		until = time.Now().Add(suspicion)
	case err != nil:
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if before, known := h.until[address]; known && before.Equal(until) {
		return
	}
	if h.until == nil {
		h.until = map[string]time.Time{}
	}
	h.until[address] = until
}

// refuse returns an error where address should not be dialled now.
func (h *hung) refuse(network, address string) error {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !now.Before(h.until[address]) {
		return nil
	}
	for other, until := range h.until {
		if other != address && until.IsZero() {
			return &net.OpError{Op: "dial", Net: network, Addr: hostPort(address), Err: fmt.Errorf("it answered nothing within %s, and is left alone for %s", requestTimeout, suspicion)}
		}
	}
	return nil
}
