// Package storage holds the log of one replica: batches as they were received, in segments, with the leader epochs and the producers' state that
// Kafka keeps beside a log.
//
// A [Log] has no lock. It is owned by the partition that it belongs to, whose mutex guards it together with the leadership, because an append has
// to see both at one moment. What a read returns are slices of the batches themselves; they are never written after they were appended, so they may
// be sent without the lock.
package storage
