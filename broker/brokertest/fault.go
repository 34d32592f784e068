package brokertest

import "github.com/sordini-go/sordini/broker"

// Inject puts a fault into force, as [broker.Cluster.Inject] does. It ends the test at once when the fault can not happen, and is to be called from the
// test's own goroutine.
func (c *Cluster) Inject(f broker.Fault) *broker.Injected {
	c.t.Helper()
	in, err := c.Cluster.Inject(f)
	if err != nil {
		c.t.Fatalf("brokertest: %v", err)
	}
	return in
}
