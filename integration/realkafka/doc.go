// Package realkafka runs Apache Kafka on loopback: N brokers in KRaft mode, each broker and controller in one process, from the jars on Maven Central.
// It needs Java 17 or later and, the first time, Maven; nothing else.
//
//	c, err := realkafka.Start(ctx, realkafka.Config{Brokers: 3})
//	defer c.Close()
//	cluster := sordini.Cluster{Brokers: c.Addrs()}
//
// What it starts it ends: Close stops every broker and removes the data, and a broker whose starter died, however it died, is killed at once (each has
// a guard that waits for the starter's end of a pipe to close).
//
// The brokers are set up for tests of faults, not for speed: session and lag timeouts of seconds, few threads, a small heap and the first compiler tier
// only. Topics get replication factor 3 and min.insync.replicas 2 where there are three brokers.
package realkafka
