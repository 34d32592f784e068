package guarantee

import (
	"fmt"
	"math/rand/v2"
)

// keyedWork is what most services do: key order, retries in place, dead letters.
var keyedWork = kind{name: "keyed", fate: ordinaryFate}

// ordinaryFate lets most items work at once. Of 1,000, 40 fail a few times, 23 die, 10 are skipped, 12 are slow, and of 100,000 one kills its process.
func ordinaryFate(rng *rand.Rand, it *Item) {
	switch p := rng.IntN(20_000); {
	case p < 800:
		it.Do = fmt.Sprintf("fail:%d", 1+rng.IntN(3))
	case p < 1000:
		it.Do = "permanent"
	case p < 1200:
		it.Do = "skip"
	case p < 1260:
		it.Do = "panic"
	case p < 1300:
		it.Do = "fail"
	case p < 1500:
		it.Slow = 1 + rng.IntN(50)
	case p < 1530:
		it.Slow = 200 + rng.IntN(1000)
	case p < 1540:
		it.Slow = -1 - rng.IntN(500)
	case p < 1541 && rng.IntN(5) == 0:
		it.Crash = fmt.Sprintf("crash:%d", 1+rng.IntN(2))
	}
}
