package guarantee_test

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/internal/guarantee"
)

var (
	chaosSeed    = flag.Uint64("chaos.seed", 0, "seed of the random fault run; a random one when 0")
	chaosRecords = flag.Int("chaos.records", 2000, "records of the random fault run")
	chaosFaults  = flag.Int("chaos.faults", 12, "faults of the random fault run")
	chaosWork    = flag.String("chaos.work", "", "kinds of work of the random fault run, separated by commas; all when empty")
	chaosHistory = flag.String("chaos.history", "", "folder that the history of the random fault run is written to, as lines of JSON")
)

// TestChaos runs random records, members and faults against the checker: in virtual time with -tags synctests (see virtual), else in real time, with shorter
// faults.
func TestChaos(t *testing.T) {
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	c := guarantee.Chaos{Seed: seed, Records: *chaosRecords, Faults: *chaosFaults}
	if *chaosWork != "" {
		c.Work = strings.Split(*chaosWork, ",")
	}
	if *chaosHistory != "" {
		c.History = func(round int) (io.WriteCloser, error) {
			return os.Create(fmt.Sprintf("%s/round-%d.jsonl", *chaosHistory, round+1))
		}
	}
	run := func(t *testing.T, patience time.Duration) {
		var result guarantee.Result
		c.Run(t, onBrokers(t, patience), &result)
		if !t.Failed() && (result.Accepted == 0 || result.Handled+result.DeadLettered+result.Skipped < result.Accepted) {
			t.Errorf("not every record has ended: %s", &result)
		}
	}
	if !virtual {
		t.Parallel()
		c.Calm = 200 * time.Millisecond
		run(t, 2*time.Minute)
		return
	}
	synctest.Test(t, func(t *testing.T) { run(t, time.Hour) })
}
