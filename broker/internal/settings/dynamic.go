package settings

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// throttles are the settings of replication's throttles, which exist only while brokers run.
var throttles = sorted([]Def{
	{Name: "follower.replication.throttled.rate", Kind: Long, max: maxLong},
	{Name: "leader.replication.throttled.rate", Kind: Long, max: maxLong},
	{Name: "replica.alter.log.dirs.io.max.bytes.per.second", Kind: Long, max: maxLong},
})

// CheckDynamic checks what was altered while the brokers run, for one broker or for all, in the order in which Kafka does, with its text. Names that
// Kafka has no setting for are not refused: they may be a plugin's.
func (b Broker) CheckDynamic(altered map[string]string, one bool) error {
	names := slices.Sorted(maps.Keys(altered))
	refuse := func(text string, is func(name string, d *Def, known, listener bool) bool) error {
		var refused []string
		for _, name := range names {
			base, listener := WithoutListener(name)
			d, known := Lookup(Brokers, base)
			if is(name, d, known, listener) {
				refused = append(refused, name)
			}
		}
		if len(refused) == 0 {
			return nil
		}
		return fmt.Errorf("%s: [%s]", text, strings.Join(refused, ", "))
	}
	if err := refuse("Cannot update these configs dynamically", func(_ string, d *Def, known, listener bool) bool {
		return known && !listener && d.ReadOnly
	}); err != nil {
		return err
	}
	if err := refuse("These security configs can be dynamically updated only per-listener using the listener prefix", func(_ string, d *Def, known, listener bool) bool {
		return known && !listener && d.Scope == OneListener
	}); err != nil {
		return err
	}
	for _, name := range names {
		base, _ := WithoutListener(name)
		d, known := Lookup(Brokers, base)
		if !known {
			d, known = Lookup(throttles, base)
		}
		if !known {
			continue
		}
		if err := d.Check(altered[name]); err != nil {
			return err
		}
	}
	if one {
		return b.checkReconfigured(altered)
	}
	if err := refuse("Cannot update these configs at default cluster level, broker id must be specified", func(name string, d *Def, known, listener bool) bool {
		if listener {
			return !known || name == "" || !slices.Contains([]string{"max.connections", "max.connection.creation.rate", "num.network.threads"}, d.Name)
		}
		return known && d.Scope != AllBrokers
	}); err != nil {
		return err
	}
	return b.checkReconfigured(altered)
}

// threads are the pools that can grow and shrink to half and double their size at most, at once.
var threads = []string{"background.threads", "num.io.threads", "num.network.threads", "num.recovery.threads.per.data.dir", "num.replica.fetchers"}

// checkReconfigured does what the parts of a broker check when a setting of theirs is altered.
func (b Broker) checkReconfigured(altered map[string]string) error {
	for _, name := range threads {
		v, ok := altered[name]
		if !ok {
			continue
		}
		n, _ := strconv.Atoi(strings.TrimSpace(v))
		d, _ := Lookup(Brokers, name)
		const text = "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation failed for %s=%d, value should %s the current value %d for configuration Invalid dynamic configuration"
		switch now := b.number(d); {
		case n > 2*now:
			return fmt.Errorf(text, name, n, "not be greater than double", now)
		case n < now/2:
			return fmt.Errorf(text, name, n, "be at least half", now)
		}
	}
	if v, ok := altered["log.cleaner.threads"]; ok {
		n, _ := strconv.Atoi(strings.TrimSpace(v))
		buffer, _ := Lookup(Brokers, "log.cleaner.dedupe.buffer.size")
		if n > 0 && b.With(altered).number(buffer)/n < 1<<20 {
			return fmt.Errorf("requirement failed: log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.")
		}
	}
	if v, ok := altered["max.connections.per.ip.overrides"]; ok {
		if _, err := ParseIPOverrides(v); err != nil {
			return err
		}
	}
	if v, ok := altered["metric.reporters"]; ok {
		for _, class := range SplitList(v) {
			if class != "org.apache.kafka.common.metrics.JmxReporter" {
				return fmt.Errorf("Invalid value org.apache.kafka.common.config.ConfigException: Validation of dynamic config update of Set(metric.reporters) failed with class class kafka.server.DynamicMetricsReporters for configuration Invalid dynamic configuration") //nolint:dupword // Kafka's own words
			}
		}
	}
	return nil
}

// ParseIPOverrides reads max.connections.per.ip.overrides: a list of host:count.
func ParseIPOverrides(value string) (map[string]int, error) {
	m := make(map[string]int)
	for _, pair := range SplitList(value) {
		i := strings.LastIndexByte(pair, ':')
		if i < 0 {
			return nil, fmt.Errorf("Error parsing configuration property 'max.connections.per.ip.overrides': begin 0, end -1, length %d", len(pair))
		}
		n, err := strconv.Atoi(strings.TrimSpace(pair[i+1:]))
		if err != nil {
			return nil, fmt.Errorf("Error parsing configuration property 'max.connections.per.ip.overrides': For input string: %q", strings.TrimSpace(pair[i+1:]))
		}
		m[strings.TrimSpace(pair[:i])] = n
	}
	return m, nil
}
