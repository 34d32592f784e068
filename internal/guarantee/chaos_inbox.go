package guarantee

import (
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/consumer"
)

// inboxWork retries through the inbox what failed twice.
var inboxWork = kind{
	name: "inbox",
	fate: func(rng *rand.Rand, it *Item) {
		if ordinaryFate(rng, it); rng.IntN(50) == 0 {
			it.Do = "fail:3"
		}
	},
	options: func(l *load) []consumer.Option {
		full := consumer.Spill
		if l.rng.IntN(3) == 0 {
			full = consumer.Hold
		}
		return []consumer.Option{quick(1), consumer.RetryLater(100*time.Millisecond, 500*time.Millisecond, 2*time.Second), consumer.Queue(l.rng.IntN(4), full)}
	},
	faults: func(l *load, verbs map[string]func()) {
		inbox := l.inbox(l.topic, l.group)
		verbs["a handoff is refused"] = l.some(Fault{API: kmsg.Produce, Topic: inbox, Do: Refuse, Code: kerr.TopicAuthorizationFailed.Code})
		verbs["a handoff has to be sent again"] = l.some(Fault{API: kmsg.Produce, Topic: inbox, Do: Refuse, Code: kerr.NotEnoughReplicas.Code})
		verbs["a handoff is dropped"] = l.some(Fault{API: kmsg.Produce, Topic: inbox, Do: DropRequest})
		verbs["a handoff's answer is lost"] = l.some(Fault{API: kmsg.Produce, Topic: inbox, Do: DropResponse})
		verbs["an inbox's fetch is dropped"] = l.some(Fault{API: kmsg.Fetch, Topic: inbox, Do: DropRequest})
		verbs["an inbox's fetch is cut"] = l.some(Fault{API: kmsg.Fetch, Topic: inbox, Do: CutResponse, CutAfter: 1 + l.rng.IntN(2000)})
		verbs["an inbox's fetches stall"] = l.whilst(Fault{API: kmsg.Fetch, Topic: inbox, Do: Stall}, l.upTo(3))
		if l.down == nil {
			verbs["an inbox's leader moves"] = func() { l.moveALeader(inbox, l.rng.Int32N(chaosPartitions)) }
		}
	},
}
