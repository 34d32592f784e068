package settings

import (
	"math"
	"strconv"
)

const (
	maxInt   = math.MaxInt32
	maxLong  = math.MaxInt64
	maxLongS = "9223372036854775807"
	maxIntS  = "2147483647"
)

var (
	policies       = []string{"compact", "delete"}
	timestampTypes = []string{"CreateTime", "LogAppendTime"}
	assignors      = []string{"uniform", "range"}
	migrations     = []string{"bidirectional", "upgrade", "downgrade", "disabled"}
	compressions   = []string{"uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"}
)

// Topics defines the settings of a topic, sorted by name. Defaults and bounds were read off Apache Kafka 4.3.1.
var Topics = sorted([]Def{
	{Name: "cleanup.policy", Kind: List, Default: "delete", Synonyms: []string{"log.cleanup.policy"}, oneOf: policies},
	{Name: "compression.gzip.level", Kind: Int, Default: "-1", Synonyms: []string{"compression.gzip.level"}, min: 1, max: 9, orMinusOne: true},
	{Name: "compression.lz4.level", Kind: Int, Default: "9", Synonyms: []string{"compression.lz4.level"}, min: 1, max: 17},
	{Name: "compression.type", Kind: String, Default: "producer", Synonyms: []string{"compression.type"}, oneOf: compressions},
	{Name: "compression.zstd.level", Kind: Int, Default: "3", Synonyms: []string{"compression.zstd.level"}, min: -131072, max: 22},
	{Name: "delete.retention.ms", Kind: Long, Default: "86400000", Synonyms: []string{"log.cleaner.delete.retention.ms"}, max: maxLong},
	{Name: "file.delete.delay.ms", Kind: Long, Default: "60000", Synonyms: []string{"log.segment.delete.delay.ms"}, max: maxLong},
	{Name: "flush.messages", Kind: Long, Default: maxLongS, Synonyms: []string{"log.flush.interval.messages"}, min: 1, max: maxLong},
	{Name: "flush.ms", Kind: Long, Default: maxLongS, Synonyms: []string{"log.flush.interval.ms"}, max: maxLong},
	{Name: "follower.replication.throttled.replicas", Kind: List, replicas: true},
	{Name: "index.interval.bytes", Kind: Int, Default: "4096", Synonyms: []string{"log.index.interval.bytes"}, max: maxInt},
	{Name: "leader.replication.throttled.replicas", Kind: List, replicas: true},
	{Name: "local.retention.bytes", Kind: Long, Default: "-2", Synonyms: []string{"log.local.retention.bytes"}, min: -2, max: maxLong},
	{Name: "local.retention.ms", Kind: Long, Default: "-2", Synonyms: []string{"log.local.retention.ms"}, min: -2, max: maxLong},
	{Name: "max.compaction.lag.ms", Kind: Long, Default: maxLongS, Synonyms: []string{"log.cleaner.max.compaction.lag.ms"}, min: 1, max: maxLong},
	{Name: "max.message.bytes", Kind: Int, Default: "1048588", Synonyms: []string{"message.max.bytes"}, max: maxInt},
	{Name: "message.timestamp.after.max.ms", Kind: Long, Default: "3600000", Synonyms: []string{"log.message.timestamp.after.max.ms"}, max: maxLong},
	{Name: "message.timestamp.before.max.ms", Kind: Long, Default: maxLongS, Synonyms: []string{"log.message.timestamp.before.max.ms"}, max: maxLong},
	{Name: "message.timestamp.type", Kind: String, Default: "CreateTime", Synonyms: []string{"log.message.timestamp.type"}, oneOf: timestampTypes},
	{Name: "min.cleanable.dirty.ratio", Kind: Double, Default: "0.5", Synonyms: []string{"log.cleaner.min.cleanable.ratio"}, max: 1},
	{Name: "min.compaction.lag.ms", Kind: Long, Default: "0", Synonyms: []string{"log.cleaner.min.compaction.lag.ms"}, max: maxLong},
	{Name: "min.insync.replicas", Kind: Int, Default: "1", Synonyms: []string{"min.insync.replicas"}, min: 1, max: maxInt},
	{Name: "preallocate", Kind: Boolean, Default: "false", Synonyms: []string{"log.preallocate"}},
	{Name: "remote.log.copy.disable", Kind: Boolean, Default: "false"},
	{Name: "remote.log.delete.on.disable", Kind: Boolean, Default: "false"},
	{Name: "remote.storage.enable", Kind: Boolean, Default: "false"},
	{Name: "retention.bytes", Kind: Long, Default: "-1", Synonyms: []string{"log.retention.bytes"}},
	{Name: "retention.ms", Kind: Long, Default: "604800000", Synonyms: []string{"log.retention.ms"}, min: -1, max: maxLong},
	{Name: "segment.bytes", Kind: Int, Default: "1073741824", Synonyms: []string{"log.segment.bytes"}, min: 1 << 20, max: maxInt},
	{Name: "segment.index.bytes", Kind: Int, Default: "10485760", Synonyms: []string{"log.index.size.max.bytes"}, min: 4, max: maxInt},
	{Name: "segment.jitter.ms", Kind: Long, Default: "0", Synonyms: []string{"log.roll.jitter.ms"}, max: maxLong},
	{Name: "segment.ms", Kind: Long, Default: "604800000", Synonyms: []string{"log.roll.ms"}, min: 1, max: maxLong},
	{Name: "unclean.leader.election.enable", Kind: Boolean, Default: "false", Synonyms: []string{"unclean.leader.election.enable"}},
})

// Brokers defines the settings of a broker, sorted by name: those that the reference broker acts upon, which stand here, those that topics fall back
// to, and all others that Kafka 4.3.1 lists, which have no effect (see [Def]'s Inert).
var Brokers = listed(append(synonymDefs(), []Def{
	{Name: "add.partitions.to.txn.retry.backoff.max.ms", Kind: Int, Default: "100", ReadOnly: true, max: maxInt},
	{Name: "auto.create.topics.enable", Kind: Boolean, Default: "true", ReadOnly: true},
	{Name: "auto.leader.rebalance.enable", Kind: Boolean, Default: "true", ReadOnly: true},
	{Name: "broker.session.timeout.ms", Kind: Int, Default: "9000", ReadOnly: true, min: 1, max: maxInt},
	{Name: "connection.failed.authentication.delay.ms", Kind: Int, Default: "100", ReadOnly: true, max: maxInt},
	{Name: "connections.max.idle.ms", Kind: Long, Default: "600000", ReadOnly: true},
	{Name: "connections.max.reauth.ms", Kind: Long, Default: "0", ReadOnly: true},
	{Name: "default.replication.factor", Kind: Int, Default: "1", ReadOnly: true, min: 1, max: maxInt},
	{Name: "delegation.token.expiry.check.interval.ms", Kind: Long, Default: "3600000", ReadOnly: true, min: 1, max: maxLong},
	{Name: "delegation.token.expiry.time.ms", Kind: Long, Default: "86400000", ReadOnly: true, min: 1, max: maxLong},
	{Name: "delegation.token.max.lifetime.ms", Kind: Long, Default: "604800000", ReadOnly: true, min: 1, max: maxLong},
	{Name: "delegation.token.secret.key", Kind: Password, Unset: true, ReadOnly: true},
	{Name: "delete.topic.enable", Kind: Boolean, Default: "true", ReadOnly: true},
	{Name: "fetch.max.bytes", Kind: Int, Default: "57671680", ReadOnly: true, min: 1024, max: maxInt},
	{Name: "group.consumer.assignment.interval.ms", Kind: Int, Default: "1000", ReadOnly: true, max: maxInt},
	{Name: "group.consumer.assignors", Kind: List, Default: "uniform,range", ReadOnly: true, oneOf: assignors},
	{Name: "group.consumer.heartbeat.interval.ms", Kind: Int, Default: "5000", ReadOnly: true, min: 1, max: maxInt},
	{Name: "group.consumer.max.size", Kind: Int, Default: maxIntS, ReadOnly: true, min: 1, max: maxInt},
	{Name: "group.consumer.migration.policy", Kind: String, Default: "bidirectional", ReadOnly: true, oneOf: migrations},
	{Name: "group.consumer.session.timeout.ms", Kind: Int, Default: "45000", ReadOnly: true, min: 1, max: maxInt},
	{Name: "group.initial.rebalance.delay.ms", Kind: Int, Default: "3000", ReadOnly: true, max: maxInt},
	{Name: "group.max.session.timeout.ms", Kind: Int, Default: "1800000", ReadOnly: true, max: maxInt},
	{Name: "group.max.size", Kind: Int, Default: maxIntS, ReadOnly: true, min: 1, max: maxInt},
	{Name: "group.min.session.timeout.ms", Kind: Int, Default: "6000", ReadOnly: true, max: maxInt},
	{Name: "group.share.assignment.interval.ms", Kind: Int, Default: "1000", max: maxInt},
	{Name: "group.share.delivery.count.limit", Kind: Int, Default: "5", ReadOnly: true, min: 2, max: 10},
	{Name: "group.share.heartbeat.interval.ms", Kind: Int, Default: "5000", ReadOnly: true, min: 1, max: maxInt},
	{Name: "group.share.max.share.sessions", Kind: Int, Default: "2000", ReadOnly: true, min: 1, max: maxInt},
	{Name: "group.share.max.size", Kind: Int, Default: "200", ReadOnly: true, min: 1, max: 1000},
	{Name: "group.share.partition.max.record.locks", Kind: Int, Default: "2000", ReadOnly: true, min: 100, max: 10000},
	{Name: "group.share.record.lock.duration.ms", Kind: Int, Default: "30000", ReadOnly: true, min: 1000, max: 3600000},
	{Name: "group.share.session.timeout.ms", Kind: Int, Default: "45000", ReadOnly: true, min: 1, max: maxInt},
	{Name: "leader.imbalance.check.interval.seconds", Kind: Long, Default: "300", ReadOnly: true, min: 1, max: maxLong},
	{Name: "log.cleaner.backoff.ms", Kind: Long, Default: "15000", max: maxLong},
	{Name: "log.retention.check.interval.ms", Kind: Long, Default: "300000", ReadOnly: true, min: 1, max: maxLong},
	{Name: "log.retention.hours", Kind: Int, Default: "168", ReadOnly: true},
	{Name: "log.retention.minutes", Kind: Int, Unset: true, ReadOnly: true},
	{Name: "log.roll.hours", Kind: Int, Default: "168", ReadOnly: true, min: 1, max: maxInt},
	{Name: "max.connection.creation.rate", Kind: Int, Default: maxIntS, max: maxInt},
	{Name: "max.connections", Kind: Int, Default: maxIntS, max: maxInt},
	{Name: "max.connections.per.ip", Kind: Int, Default: maxIntS, max: maxInt},
	{Name: "max.connections.per.ip.overrides", Kind: String},
	{Name: "max.incremental.fetch.session.cache.slots", Kind: Int, Default: "1000", ReadOnly: true, max: maxInt},
	{Name: "num.partitions", Kind: Int, Default: "1", ReadOnly: true, min: 1, max: maxInt},
	{Name: "offset.metadata.max.bytes", Kind: Int, Default: "4096", ReadOnly: true},
	{Name: "offsets.retention.check.interval.ms", Kind: Long, Default: "600000", ReadOnly: true, min: 1, max: maxLong},
	{Name: "offsets.retention.minutes", Kind: Int, Default: "10080", ReadOnly: true, min: 1, max: maxInt},
	{Name: "offsets.topic.num.partitions", Kind: Int, Default: "50", ReadOnly: true, min: 1, max: maxInt},
	{Name: "offsets.topic.segment.bytes", Kind: Int, Default: strconv.Itoa(100 << 20), ReadOnly: true, min: 1, max: maxInt},
	{Name: "producer.id.expiration.ms", Kind: Int, Default: "86400000", min: 1, max: maxInt},
	{Name: "replica.lag.time.max.ms", Kind: Long, Default: "30000", ReadOnly: true, max: maxLong},
	{Name: "replica.selector.class", Kind: String, Unset: true, ReadOnly: true},
	{Name: "sasl.server.max.receive.size", Kind: Int, Default: strconv.Itoa(512 << 10), ReadOnly: true, max: maxInt},
	{Name: "share.coordinator.snapshot.update.records.per.snapshot", Kind: Int, Default: "500", ReadOnly: true, max: 500},
	{Name: "share.coordinator.state.topic.min.isr", Kind: Short, Default: "2", ReadOnly: true, min: 1, max: math.MaxInt16},
	{Name: "share.coordinator.state.topic.num.partitions", Kind: Int, Default: "50", ReadOnly: true, min: 1, max: maxInt},
	{Name: "share.coordinator.state.topic.segment.bytes", Kind: Int, Default: strconv.Itoa(100 << 20), ReadOnly: true, min: 1, max: maxInt},
	{Name: "transaction.abort.timed.out.transaction.cleanup.interval.ms", Kind: Int, Default: "10000", ReadOnly: true, min: 1, max: maxInt},
	{Name: "transaction.max.timeout.ms", Kind: Int, Default: "900000", ReadOnly: true, min: 1, max: maxInt},
	{Name: "transaction.partition.verification.enable", Kind: Boolean, Default: "true"},
	{Name: "transaction.remove.expired.transaction.cleanup.interval.ms", Kind: Int, Default: "3600000", ReadOnly: true, min: 1, max: maxInt},
	{Name: "transaction.state.log.min.isr", Kind: Int, Default: "2", ReadOnly: true, min: 1, max: maxInt},
	{Name: "transaction.state.log.num.partitions", Kind: Int, Default: "50", ReadOnly: true, min: 1, max: maxInt},
	{Name: "transaction.state.log.segment.bytes", Kind: Int, Default: strconv.Itoa(100 << 20), ReadOnly: true, min: 1, max: maxInt},
	{Name: "transactional.id.expiration.ms", Kind: Int, Default: "604800000", ReadOnly: true, min: 1, max: maxInt},
	{Name: "socket.request.max.bytes", Kind: Int, Default: strconv.Itoa(100 << 20), ReadOnly: true, min: 1, max: maxInt},
	{Name: "ssl.principal.mapping.rules", Kind: String, Default: "DEFAULT", ReadOnly: true},
}...))

// synonymDefs are the broker's settings that a topic's falls back to: same kind, same default, same bounds.
func synonymDefs() (defs []Def) {
	unset := map[string]bool{"log.retention.ms": true, "log.roll.ms": true, "log.roll.jitter.ms": true, "log.flush.interval.ms": true}
	for _, t := range Topics {
		for _, s := range t.Synonyms {
			d := t
			d.Name, d.Synonyms = s, nil
			if unset[s] {
				d.Default, d.Unset = "", true
			}
			defs = append(defs, d)
		}
	}
	return defs
}
