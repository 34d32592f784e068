// Datadir holds the broker's data directory to Apache Kafka: what `sordini broker --data` has written, with its process killed in between, is dumped with
// Kafka's own DumpLogSegments, which checks indexes, checksums and producer snapshots against the logs, and then a broker of Apache Kafka is started on
// it, as if it had written the directory itself, and has to tell clients what the reference broker told them.
//
// Before that it fills a disk: a file system of 12 MB, which it mounts and has to be root for. Producers write until it is full; what they are answered
// then, that what was acknowledged is there, that writes are taken again when there is room, and what is left after a kill is looked at.
//
//	go run ./datadir
package main
