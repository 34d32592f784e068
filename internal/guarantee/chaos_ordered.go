package guarantee

import (
	"math/rand/v2"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/history"
)

// partitionWork keeps the order of each partition, whatever the keys are.
var partitionWork = kind{
	name: "partition", order: history.PartitionOrder, fate: fewSlow,
	options: func(*load) []consumer.Option { return []consumer.Option{consumer.Ordering(consumer.ByPartition)} },
}

// unorderedWork keeps no order.
var unorderedWork = kind{
	name: "unordered", order: history.Unordered, fate: ordinaryFate,
	options: func(*load) []consumer.Option { return []consumer.Option{consumer.Ordering(consumer.Unordered)} },
}

// fewSlow is ordinaryFate without most of what takes time: one lane has to do it all.
func fewSlow(rng *rand.Rand, it *Item) {
	ordinaryFate(rng, it)
	if it.Slow != 0 {
		it.Slow = 1
	}
	if rng.IntN(5) > 0 {
		it.Do = ""
	}
}
