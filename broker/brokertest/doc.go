// Package brokertest starts a Kafka cluster for the length of a test.
//
//	func TestOrders(t *testing.T) {
//		cluster := brokertest.New(t, brokertest.Topic("orders", 12))
//		p, err := producer.New(cluster.SDK())
//		…
//	}
//
// A test waits for what it is about rather than for time to pass: WaitRecords, WaitCommitted, WaitGroup, WaitLag, WaitLeader, WaitInSync and the other
// methods of [broker.Cluster] end when it is so, and otherwise say what was there instead.
//
//	cluster := brokertest.New(t, brokertest.TLS(), brokertest.User("alice", "secret"), brokertest.ACLs(…))
//	g, err := consumer.New(cluster.SDKAs("alice"), "billing")
//	…
//	err = cluster.WaitLag(ctx, "billing", 0)
//
// With [DataDir] it outlives [Cluster.Restart], with all that was written and all members of groups.
//
// The cluster is closed when the test ends, its ports are free then. Its log and a dump of what it held go to t.Log when the test has failed, and
// nowhere otherwise. Inside a testing/synctest bubble it runs on an in-memory network, so that virtual time passes.
package brokertest
