package consumer

import (
	"errors"
	"fmt"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

// TakeOverParallelConsumer lets the group go on where Confluent's parallel-consumer (0.5, or a fork of it) was stopped: what that wrote into the metadata of its
// commits is believed, so that records which it had handled beyond a committed offset are not handled again. Stop its members first, then start this group
// under the same name; once every partition was committed, the option has no effect any more.
//
// It is off by default, because that format says neither of which topic nor of which offset it is: where the commit was moved by a tool that keeps metadata, was
// copied by a mirror, or is of a topic that was recreated since, records would be taken for handled that were not. Without it such metadata is ignored and
// reported, and at most some records are handled twice.
func TakeOverParallelConsumer() Option {
	return groupOption(func(c *config) { c.parallelConsumer = true })
}

// resume decides where a partition goes on and what of the commit's metadata is believed. begins says that the fence's incarnation is not among that, but at
// most one that the next has to be above. why says why metadata that was there is not believed.
func (e *engine) resume(topic *topicPlan, c committed, log span) (start position, meta commitmeta.Metadata, begins bool, why error) {
	if c.offset < 0 {
		return position{log.first, -1}, commitmeta.Metadata{}, true, nil
	}
	start = position{c.offset, c.epoch}
	var inherit commitmeta.Completed
	meta, err := commitmeta.Decode(c.metadata)
	if err == nil {
		err = meta.Matches(topic.id, c.offset, c.epoch)
	}
	switch {
	case err == nil:
		return start, meta, meta.Incarnation == 0, nil
	case errors.Is(err, commitmeta.ErrTopicRecreated):
		// The offset belongs to a topic that is gone. What the new one holds below it would never be handled.
		start = position{log.start, -1}
	case errors.Is(err, commitmeta.ErrEmpty):
		err = nil // a tool or another client committed: nothing is wrong with that
	case errors.Is(err, commitmeta.ErrForeign) && e.g.cfg.parallelConsumer:
		inherit, err = inherited(c, log, err)
	}
	return start, commitmeta.Metadata{Completed: inherit, Incarnation: meta.Incarnation}, true, err
}

// inherited is the completion map that parallel-consumer left in a commit. err is what else is known of the metadata.
func inherited(c committed, log span, err error) (commitmeta.Completed, error) {
	done, failed := commitmeta.DecodeParallelConsumer(c.metadata, c.offset)
	switch {
	case errors.Is(failed, commitmeta.ErrForeign):
		return commitmeta.Completed{}, err
	case failed != nil:
		return commitmeta.Completed{}, failed
	case done.End() > log.end:
		return commitmeta.Completed{}, fmt.Errorf("%w: parallel-consumer's map goes on to offset %d, and the log ends at %d: the commit is of another topic, or was moved", commitmeta.ErrCorrupt, done.End(), log.end)
	}
	return done, nil
}

// disbelieved reports that metadata which was there is ignored, for as long as the member has the partition.
func (e *engine) disbelieved(at tp, c committed, start position, why error) {
	if why == nil {
		return
	}
	hint := ""
	if _, err := commitmeta.DecodeParallelConsumer(c.metadata, c.offset); err == nil && !e.g.cfg.parallelConsumer {
		hint = "; to take over a group of parallel-consumer give consumer.TakeOverParallelConsumer"
	}
	e.log.Warn("commit metadata is ignored", "partition", at.String(), "committed", c.offset, "resume", start.offset, "reason", why)
	e.report("metadata "+at.String(), Reason{
		Code: "metadata-ignored", Notice: true, Topic: at.topic, Partition: at.partition, Offset: start.offset,
		Summary: fmt.Sprintf("what the commit at offset %d says beside it is not believed, so records that were handled beyond it are handled again: %v%s", c.offset, why, hint),
	})
}
