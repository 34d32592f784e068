// Datadir holds the broker's data directory to Apache Kafka: what `sordini broker --data` has written, with its process killed in between, is dumped with
// Kafka's own DumpLogSegments, which checks indexes, checksums and producer snapshots against the logs, and then a broker of Apache Kafka is started on
// it, as if it had written the directory itself, and has to tell clients what the reference broker told them.
//
//	go run ./datadir
package main
