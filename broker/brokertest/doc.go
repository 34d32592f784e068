// Package brokertest starts a Kafka cluster for the length of a test.
//
//	func TestOrders(t *testing.T) {
//		cluster := brokertest.New(t, brokertest.Topic("orders", 12))
//		p, err := producer.New(cluster.SDK())
//		…
//	}
//
// The cluster is closed when the test ends, its ports are free then. Its log and a dump of what it held go to t.Log when the test has failed, and
// nowhere otherwise. Inside a testing/synctest bubble it runs on an in-memory network, so that virtual time passes.
package brokertest
