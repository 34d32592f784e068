package consumer_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/consumer"
)

// TestG13MemberThatIsBackInItsGroupIsWell: to lose one's place is a reason to be unwell, and to have it again ends that. The second member has no partition.
func TestG13MemberThatIsBackInItsGroupIsWell(t *testing.T) {
	for name, protocol := range map[string]consumer.GroupProtocol{"classic": consumer.ClassicProtocol, "consumer": consumer.ConsumerProtocol} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.put("a=1")
				got := newSeen(t)
				handle := func(_ context.Context, m *consumer.Message[string]) error {
					got.add(m.Value)
					return nil
				}
				groups := []*consumer.Group{w.group(handle, consumer.Protocol(protocol)), w.group(handle, consumer.Protocol(protocol))}
				runs := []*run{start(t, groups[0]), start(t, groups[1])}
				got.wait(1)
				waitFor(t, "both are in the group", func() bool { return len(w.Members("g")) == 2 })
				time.Sleep(10 * time.Second)
				gone := map[string]bool{}
				for _, m := range w.Members("g") {
					gone[m.ID] = true
					if err := w.ExpireMember("g", m.ID); err != nil {
						t.Fatal(err)
					}
				}
				waitFor(t, "both are back", func() bool {
					back := 0
					for _, m := range w.Members("g") {
						if !gone[m.ID] {
							back++
						}
					}
					return back == 2
				})
				w.put("a=2")
				got.wait(2)
				time.Sleep(10 * time.Second)
				for i, g := range groups {
					if h := g.Health(); !h.OK {
						t.Errorf("member %d: %+v", i, h)
					}
				}
				for _, r := range runs {
					r.cleanly()
				}
			})
		})
	}
}
