// Package guarantee is the guarantee suite: scenarios, one or more for each guarantee of the design, written once against a sordini.Cluster and a small
// interface of faults. The tests of this package run them on the reference broker in virtual time; the integration module runs them on three brokers of
// Apache Kafka behind a proxy.
//
//	for _, s := range guarantee.Scenarios(guarantee.Reference) {
//		t.Run(s.Name, func(t *testing.T) { s.Run(t, target) })
//	}
//
// A scenario uses the SDK as a service does: producer.To and consumer.Handle. Everything that happens is written into a history (internal/history): what
// sends returned, what the groups did (consumer.Observe), and in the end what a reader that shares no code with either finds in the topics and their dead
// letters. The checker then judges the whole, whatever the scenario itself looked at: a scenario of G4 that loses a record fails, too.
//
// What a target can not do fails the scenario; nothing is skipped.
package guarantee
