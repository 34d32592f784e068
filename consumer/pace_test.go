package consumer_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/consumer"
)

func TestG4AHandlerThatWasQuickAndBlocksDelaysOtherKeysByAMillisecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		const quick = 500
		for i := range quick {
			w.put(fmt.Sprintf("k%d=quick", i))
		}
		got := newSeen(t)
		var blocked atomic.Int64
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			switch m.Value {
			case "slow":
				blocked.Store(time.Now().UnixNano())
				time.Sleep(10 * time.Second)
			case "behind":
				if late := time.Duration(time.Now().UnixNano() - blocked.Load()); late > 2*time.Millisecond {
					t.Errorf("%s waited %v for another key", m.Record.Key, late)
				}
			}
			got.add(m.Value)
			return nil
		}))
		got.wait(quick)
		stall := make([]string, 0, 41)
		stall = append(stall, "s=slow")
		for i := range 40 {
			stall = append(stall, fmt.Sprintf("b%d=behind", i))
		}
		w.putTogether(stall...)
		got.wait(quick + len(stall))
		r.cleanly()
	})
}
