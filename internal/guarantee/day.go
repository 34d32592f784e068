package guarantee

import (
	"context"
	"fmt"
	"time"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/history"
)

// Day is a long day of a cluster in virtual time: every hour has records, groups and a history of its own, which the checker judges at its end; what runs
// through all of them is a compacted topic. Meanwhile members come, go and die, leaders and coordinators move, brokers die, hang and stop; retention takes
// what the hour's groups have long handled.
type Day struct {
	Hours int

	// Hour is told when an hour has been judged and its topics are gone, with what the checker counted.
	Hour func(hour int, report history.Report)
}

// The load of an hour: every dayTick each source sends dayRecords records.
const (
	dayTick    = 20 * time.Second
	dayRecords = 5
	dayKeys    = 40
)

// Run runs it on the target, which nobody else may use at the same time.
func (d Day) Run(t T, target *Target) {
	t.Helper()
	p := newPrices(t, target)
	defer p.close()
	for n := range d.Hours {
		hour := &hour{scene: newScene(t, target), prices: p}
		hour.report = func(r history.Report) {
			if d.Hour != nil {
				defer d.Hour(n, r)
			}
			if !r.OK() {
				t.Errorf("hour %d: %v", n, r.Err())
			}
			hour.scene.forget()
			hour.scene.close()
			hour.scene, hour.members = nil, nil
		}
		hour.run()
		if t.Failed() || t.Context().Err() != nil {
			return
		}
	}
}

// hour is one hour of the day.
type hour struct {
	*scene
	prices *prices

	orders, copies *topic
	src            *source
	classic        []*member
	consumers      []*member // of KIP-848's protocol
	copiers        []*member // transactional
	groups         [3]string
	down           func()
}

func (h *hour) run() {
	defer func() {
		if h.scene != nil { // the test has ended early
			h.close()
		}
	}()
	// A segment lasts five minutes and its records fifteen, so that retention takes most of an hour's records within it.
	h.orders, h.copies = h.topic(6, "retention.ms", "900000", "segment.ms", "300000"), h.topic(6)
	h.groups = [3]string{h.group("classic"), h.group("consumer"), h.group("copy")}
	for _, g := range h.groups {
		h.expect(g, history.KeyOrder, h.orders)
	}
	h.stream()
	h.src = h.source()
	for range 2 {
		h.join(&h.classic)
		h.join(&h.consumers)
	}
	h.join(&h.copiers)

	began := time.Now()
	for tick := 0; time.Since(began) < time.Hour; tick++ {
		h.send(tick)
		h.prices.send(h.t.Context())
		if minute := int(time.Since(began) / time.Minute); tick%3 == 0 {
			h.happen(minute)
		}
		if next := began.Add(time.Duration(tick+1) * dayTick); time.Until(next) > 0 {
			h.hold(time.Until(next))
		}
	}
	h.settle()
}

// send sends one tick's records and waits for their acknowledgements.
func (h *hour) send(tick int) {
	items := make([]Item, dayRecords)
	for i := range items {
		var do string
		switch (tick*dayRecords + i) % 100 {
		case 7, 42:
			do = "fail:2"
		case 50:
			do = "skip"
		case 83:
			do = "permanent"
		}
		items[i] = h.item(fmt.Sprintf("k%d", (tick*dayRecords+i)%dayKeys), do)
	}
	h.src.sendAll(h.orders, items...)
}

// join starts a member of the group that list is about.
func (h *hour) join(list *[]*member) {
	var m *member
	switch list {
	case &h.classic:
		m = h.member(h.groups[0], []*topic{h.orders}, standard, quick(3))
	case &h.consumers:
		m = h.member(h.groups[1], []*topic{h.orders}, standard, quick(3), consumer.Protocol(consumer.ConsumerProtocol))
	case &h.copiers:
		m = h.copier(h.groups[2], h.orders, h.copies, quick(3), consumer.TransactionalInstance(fmt.Sprintf("i%d", len(h.members))))
	}
	*list = append(*list, m)
}

// leave stops a group's oldest member, die kills it; another one has come before.
func (h *hour) leave(list *[]*member) {
	h.join(list)
	(*list)[0].stop()
	*list = (*list)[1:]
}

func (h *hour) die(list *[]*member) {
	h.join(list)
	(*list)[0].kill()
	*list = (*list)[1:]
}

// happen does what happens in that minute of every hour.
func (h *hour) happen(minute int) {
	broker := 1 + int32(minute/4)%3
	faults := h.target.Faults
	switch minute {
	case 4:
		h.leave(&h.classic)
	case 8:
		h.die(&h.classic)
	case 12:
		h.leave(&h.consumers)
	case 16:
		h.die(&h.consumers)
	case 20:
		h.leave(&h.copiers)
	case 24:
		h.die(&h.copiers)
	case 28:
		for p := range int32(h.orders.partitions) {
			to := h.other(h.leader(h.orders, p))
			h.do("move a leader", func(ctx context.Context) error { return faults.MoveLeader(ctx, h.orders.Name, p, to) })
		}
	case 32:
		for _, g := range h.groups {
			h.do("move a coordinator", func(ctx context.Context) error {
				from, err := faults.Coordinator(ctx, g)
				if err != nil {
					return err
				}
				return faults.MoveCoordinator(ctx, g, h.other(from))
			})
		}
	case 36:
		h.down = h.downDuring("kill a broker", broker, faults.Kill)
	case 44:
		h.down = h.pausedDuring(broker)
	case 50:
		h.down = h.downDuring("stop a broker", broker, faults.Stop)
	case 39, 46, 53:
		h.down()
	}
}

// settle waits until everything has ended, looks whether retention was at work, and has the hour judged.
func (h *hour) settle() {
	for _, g := range h.groups[:2] {
		h.awaitAllEnded(g, h.orders)
		h.awaitCommitted(g, h.orders)
	}
	h.awaitPosition(h.groups[2], h.orders)
	ctx, cancel := h.patience()
	starts := h.offsets(ctx, []string{h.orders.Name}, -2, readUncommitted)
	cancel()
	for at, start := range starts {
		if start == 0 {
			h.t.Errorf("retention has taken nothing of %s[%d] in an hour", at.topic, at.partition)
		}
	}
	h.prices.check(h.t)
	h.judge()
}
