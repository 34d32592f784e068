package groups

import (
	"log/slog"
	"time"
)

// newMemberJoinTimeout bounds how long the join of a member that has never
// been in a completed rebalance may wait: its client may be gone, and nothing
// else would tell (group.coordinator.new.member.join.timeout.ms).
const newMemberJoinTimeout = 5 * time.Minute

// Config says what the coordinator knows of the cluster, and its limits. The
// zero value has Kafka's defaults, except that a first rebalance does not wait
// for more members.
//
// The functions are called without a lock held, from the goroutine that calls
// [Manager.Handle]. They must be safe for concurrent use.
type Config struct {
	// TopicExists reports whether a partition exists; offsets of others are
	// refused with UNKNOWN_TOPIC_OR_PARTITION. Nil: every partition exists.
	TopicExists func(topic string, partition int32) bool
	// TopicID and TopicName translate for requests that carry topic ids
	// (OffsetCommit and OffsetFetch from version 10). Nil: no topic has an id.
	TopicID   func(name string) ([16]byte, bool)
	TopicName func(id [16]byte) (string, bool)

	// MaxMetadata is offset.metadata.max.bytes: how long a commit's metadata
	// may be, counted in UTF-16 code units as Kafka counts it, whatever the
	// setting is called. 0: 4096.
	MaxMetadata int
	// OffsetsRetention is how long offsets are kept that nobody uses: since their
	// commit, or since the group has lost its last member
	// (offsets.retention.minutes). 0: 7 days. Negative: for ever.
	OffsetsRetention time.Duration
	// OffsetsCheckInterval is how often expired offsets are looked for
	// (offsets.retention.check.interval.ms). 0: 10 minutes.
	OffsetsCheckInterval time.Duration
	// MinSession and MaxSession bound a member's session timeout
	// (group.min.session.timeout.ms, group.max.session.timeout.ms). 0: 6
	// seconds and 30 minutes.
	MinSession, MaxSession time.Duration
	// InitialRebalanceDelay is how long the first rebalance of an empty group
	// waits for more members, again after each that comes, up to the rebalance
	// timeout (group.initial.rebalance.delay.ms, 3 seconds in Kafka). 0: it
	// does not wait.
	InitialRebalanceDelay time.Duration
	// MaxSize is how many members a classic group may have (group.max.size). 0:
	// any number.
	MaxSize int
	// Topics lists all topics, for consumer groups: the coordinator assigns their
	// partitions itself. It is asked at the first heartbeat of such a group and
	// by [Manager.Changed]. Nil: consumer groups see no topics.
	Topics func() []Topic
	// Consumer has the settings of consumer groups.
	Consumer ConsumerConfig
	// ConsumerOf returns the settings of one consumer group, made of those for all
	// of them, which it is given; a size or a policy of its own is not looked at.
	// It is called with the coordinator's lock held, and must not call back. Nil: no group has settings of its own.
	ConsumerOf func(group string, all ConsumerConfig) ConsumerConfig
	// Share has the settings of share groups.
	Share ShareConfig
	// ShareOf is to share groups what ConsumerOf is to consumer groups. Nil: no
	// group has settings of its own.
	ShareOf func(group string, all ShareConfig) ShareConfig
	// ShareStates is the share coordinator. Nil: members of share groups are
	// assigned nothing.
	ShareStates ShareStates
	// Write is told what Kafka writes down, in order, before the request that
	// brought it about is answered. It must not call back. Nil: nobody is.
	Write func([]Entry)
	// Members has consumer groups and share groups written down with their members,
	// too: what is written is read again.
	Members bool
	// Changed is called after each request and timer, which may have changed what
	// [Manager.Group] and [Manager.Offsets] say. It must not block. Nil: nothing
	// is.
	Changed func()
	// Logger is told of rebalances, expired members and fenced ones. Nil: nobody
	// is.
	Logger *slog.Logger
}

// ConsumerConfig has the settings of groups of the consumer protocol (KIP-848),
// which are the broker's there and not the clients'. The zero value has Kafka's
// defaults, except that a new assignment is computed at once.
type ConsumerConfig struct {
	// Session is how long a member may be silent
	// (group.consumer.session.timeout.ms). 0: 45 seconds.
	Session time.Duration
	// Heartbeat is how often members are told to report
	// (group.consumer.heartbeat.interval.ms). 0: 5 seconds.
	Heartbeat time.Duration
	// AssignmentInterval is how long a computed assignment stands at least before
	// the next one (group.consumer.assignment.interval.ms, 1 second in Kafka
	// 4.3). 0: no time.
	AssignmentInterval time.Duration
	// MaxSize is how many members a group may have (group.consumer.max.size). 0:
	// any number.
	MaxSize int
	// Assignors are what members may ask for; the first is for those that do not
	// (group.consumer.assignors). Nil: uniform and range.
	Assignors []string
	// Migration says between which protocols a group with members may change.
	Migration Migration
}

// Migration is group.consumer.migration.policy.
type Migration int

// The policies. A group without members changes its protocol under any of them.
const (
	MigrateBothWays Migration = iota // bidirectional, Kafka's default
	MigrateForth                     // upgrade: from classic to consumer
	MigrateBack                      // downgrade: from consumer to classic
	MigrateNever                     // disabled
)

func (c Config) withDefaults() Config {
	if c.TopicExists == nil {
		c.TopicExists = func(string, int32) bool { return true }
	}
	if c.TopicID == nil {
		c.TopicID = func(string) ([16]byte, bool) { return [16]byte{}, false }
	}
	if c.TopicName == nil {
		c.TopicName = func([16]byte) (string, bool) { return "", false }
	}
	if c.MaxMetadata == 0 {
		c.MaxMetadata = 4096
	}
	if c.OffsetsRetention == 0 {
		c.OffsetsRetention = 7 * 24 * time.Hour
	}
	if c.OffsetsCheckInterval == 0 {
		c.OffsetsCheckInterval = 10 * time.Minute
	}
	if c.MinSession == 0 {
		c.MinSession = 6 * time.Second
	}
	if c.MaxSession == 0 {
		c.MaxSession = 30 * time.Minute
	}
	if len(c.Consumer.Assignors) == 0 {
		c.Consumer.Assignors = []string{uniformName, rangeName}
	}
	if c.Consumer.Session == 0 {
		c.Consumer.Session = 45 * time.Second
	}
	if c.Consumer.Heartbeat == 0 {
		c.Consumer.Heartbeat = 5 * time.Second
	}
	c.Share = c.Share.withDefaults()
	if c.ShareOf == nil {
		c.ShareOf = func(_ string, all ShareConfig) ShareConfig { return all }
	}
	if c.ConsumerOf == nil {
		c.ConsumerOf = func(_ string, all ConsumerConfig) ConsumerConfig { return all }
	}
	if c.Changed == nil {
		c.Changed = func() {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
