package broker

import (
	"fmt"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
)

// disk is what a broker writes its logs to. It does not exist: it only may be full.
type disk struct {
	limit  int64        // bytes; 0: none
	used   atomic.Int64 // what was held when it was last counted, and what has been appended since
	full   atomic.Bool  // somebody else has taken what was left
	failed atomic.Bool  // a write has failed, and the broker has given the directory up
}

// size is how large the disk is. One without a limit has 1 TiB.
func (d *disk) size() int64 {
	if d.limit > 0 {
		return d.limit
	}
	return 1 << 40
}

// hasRoom says whether so many bytes may fit.
func (d *disk) hasRoom(bytes int) bool {
	return !d.full.Load() && (d.limit == 0 || d.used.Load()+int64(bytes) <= d.limit)
}

// FillDisk takes what is left of a broker's disk. The next record that is to be written to it fails: the broker then gives its log directory up, as
// Kafka does when a write fails. Every partition of it is offline on that broker from then on (KAFKA_STORAGE_ERROR), others lead them, and they come
// back when the broker has been started again, with [Cluster.KillBroker] and [Cluster.StartBroker]. Unlike a Kafka broker whose only directory fails,
// it goes on running, as one with a second directory does. It fails with [ErrUnknownBroker].
func (c *Cluster) FillDisk(broker int32) error { return c.setFull(broker, true) }

// FreeDisk gives back what FillDisk has taken. A directory that has been given up stays so until the broker is started again. It fails with
// [ErrUnknownBroker].
func (c *Cluster) FreeDisk(broker int32) error { return c.setFull(broker, false) }

func (c *Cluster) setFull(broker int32, full bool) error {
	n := c.node(broker)
	if n == nil {
		return fmt.Errorf("disk of broker %d: %w", broker, ErrUnknownBroker)
	}
	n.disk.full.Store(full)
	c.log.Info("disk changed", "broker", broker, "full", full)
	return nil
}

// reserve says whether the broker can write so many bytes. Where it cannot it gives its directory up. No lock must be held.
func (n *node) reserve(bytes int) error {
	switch {
	case n.disk.failed.Load():
		return kerr.KafkaStorageError
	case n.disk.hasRoom(bytes):
		return nil
	}
	n.countDisk()
	if n.disk.hasRoom(bytes) {
		return nil
	}
	n.failDisk()
	return because(kerr.KafkaStorageError, fmt.Errorf("no space left for %d bytes", bytes))
}

// countDisk counts what the broker holds: appends only add to it.
func (n *node) countDisk() {
	used := int64(0)
	for _, p := range n.cluster.everyPartition() {
		size, _ := p.heldBy(n.id)
		used += size
	}
	n.disk.used.Store(used)
}

// failDisk gives the directory up: the controller elects other leaders for what is in it. No lock must be held.
func (n *node) failDisk() {
	if n.disk.failed.Swap(true) {
		return
	}
	n.cluster.log.Error("log directory failed: no space left", "broker", n.id, "directory", n.logDir())
	for _, p := range n.cluster.everyPartition() {
		p.leave(n.id)
	}
}

// offlineLocked says whether the broker has given up the directory that its copy of the partition is in.
func (p *partition) offlineLocked(broker int32) bool {
	n := p.cluster.node(broker)
	return n != nil && n.disk.failed.Load() && p.copyLocked(broker) != nil
}

// wroteLocked counts what was appended to a broker's log, and reports false where there is no room for it.
func (n *node) wroteLocked(bytes int) bool {
	if n.disk.failed.Load() {
		return false
	}
	if !n.disk.hasRoom(bytes) {
		n.cluster.timers.after(0, func() { _ = n.reserve(bytes) }) // it needs the lock that is held
		return false
	}
	n.disk.used.Add(int64(bytes))
	return true
}
