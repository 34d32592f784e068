package settings

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Groups defines the settings of a group (KIP-848, KIP-932, KIP-1071), sorted by name. Those of Streams' groups have no effect.
var Groups = sorted([]Def{
	groupDef("consumer.assignment.interval.ms", Def{Kind: Int, Default: "1000", max: maxInt}),
	groupDef("consumer.heartbeat.interval.ms", Def{Kind: Int, Default: "5000", min: 1, max: maxInt}),
	groupDef("consumer.session.timeout.ms", Def{Kind: Int, Default: "45000", min: 1, max: maxInt}),
	groupDef("share.assignment.interval.ms", Def{Kind: Int, Default: "1000", max: maxInt}),
	{Name: "share.auto.offset.reset", Kind: String, Default: "latest"},
	groupDef("share.delivery.count.limit", Def{Kind: Int, Default: "5", min: 2, max: maxInt}),
	groupDef("share.heartbeat.interval.ms", Def{Kind: Int, Default: "5000", min: 1, max: maxInt}),
	{Name: "share.isolation.level", Kind: String, Default: "read_uncommitted", oneOf: []string{"read_committed", "read_uncommitted"}},
	groupDef("share.partition.max.record.locks", Def{Kind: Int, Default: "2000", min: 100, max: maxInt}),
	groupDef("share.record.lock.duration.ms", Def{Kind: Int, Default: "30000", min: 1000, max: maxInt}),
	{Name: "share.renew.acknowledge.enable", Kind: Boolean, Default: "true"},
	groupDef("share.session.timeout.ms", Def{Kind: Int, Default: "45000", min: 1, max: maxInt}),
	groupDef("streams.assignment.interval.ms", Def{Kind: Int, Default: "1000", Inert: true, max: maxInt}),
	groupDef("streams.heartbeat.interval.ms", Def{Kind: Int, Default: "5000", Inert: true, min: 1, max: maxInt}),
	groupDef("streams.initial.rebalance.delay.ms", Def{Kind: Int, Default: "3000", Inert: true, max: maxInt}),
	groupDef("streams.num.standby.replicas", Def{Kind: Int, Default: "0", Inert: true, max: maxInt}),
	groupDef("streams.session.timeout.ms", Def{Kind: Int, Default: "45000", Inert: true, min: 1, max: maxInt}),
})

// groupDef names a setting that falls back to the broker's of the same name.
func groupDef(name string, d Def) Def {
	d.Name, d.Synonyms = name, []string{"group." + name}
	return d
}

// GroupValues returns what is known of a group's setting, most important first.
func GroupValues(d *Def, overrides map[string]string, b Broker) (vs []Value) {
	if v, ok := overrides[d.Name]; ok {
		vs = append(vs, Value{Name: d.Name, Value: d.Canonical(v), Source: FromGroup})
	}
	for _, s := range d.Synonyms {
		vs = append(vs, b.Values(s)...)
	}
	if len(d.Synonyms) == 0 {
		vs = append(vs, Value{Name: d.Name, Value: d.Default, Source: FromDefault})
	}
	return vs
}

// groupBounds are the settings that a broker bounds by a .min. and a .max. setting of its own, in the order in which Kafka looks at them.
var groupBounds = []string{
	"consumer.heartbeat.interval.ms", "consumer.session.timeout.ms", "consumer.assignment.interval.ms",
	"share.heartbeat.interval.ms", "share.session.timeout.ms", "share.record.lock.duration.ms", "share.delivery.count.limit",
	"share.partition.max.record.locks", "share.assignment.interval.ms",
	"streams.heartbeat.interval.ms", "streams.session.timeout.ms", "streams.num.standby.replicas", "streams.assignment.interval.ms",
}

// CheckGroup checks the settings of a group's own. The errors' text is Kafka's.
func CheckGroup(overrides map[string]string, b Broker) error {
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		d, ok := Lookup(Groups, name)
		if !ok {
			return &UnknownError{Of: "group", Name: name}
		}
		if err := d.Check(overrides[name]); err != nil {
			return err
		}
	}
	if v, ok := overrides["share.auto.offset.reset"]; ok && v != "latest" && v != "earliest" && !strings.HasPrefix(v, "by_duration:P") {
		return &ValueError{Name: "share.auto.offset.reset", Value: v, Reason: "Invalid value `" + v +
			"` for configuration share.auto.offset.reset. The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'."}
	}
	for _, name := range groupBounds {
		protocol, rest, _ := strings.Cut(name, ".")
		if _, given := overrides[name]; !given && rest == "assignment.interval.ms" {
			continue
		}
		n := GroupInt(name, overrides, b)
		lowest, highest := "group."+protocol+".min."+rest, "group."+protocol+".max."+rest
		if name == "streams.num.standby.replicas" {
			lowest, highest = "", "group.streams.max.standby.replicas"
		}
		if d, ok := Lookup(Brokers, lowest); ok && n < b.number(d) {
			return fmt.Errorf("%s must be greater than or equal to %s", name, lowest)
		}
		if d, ok := Lookup(Brokers, highest); ok && n > b.number(d) {
			return fmt.Errorf("%s must be less than or equal to %s", name, highest)
		}
	}
	for _, protocol := range []string{"consumer", "share", "streams"} {
		session, heartbeat := protocol+".session.timeout.ms", protocol+".heartbeat.interval.ms"
		if GroupInt(session, overrides, b) <= GroupInt(heartbeat, overrides, b) {
			return fmt.Errorf("%s must be greater than %s", session, heartbeat)
		}
	}
	return nil
}

// GroupInt returns the value of a group's setting that is a number. The name must be one of [Groups].
func GroupInt(name string, overrides map[string]string, b Broker) int {
	if v, ok := overrides[name]; ok {
		n, _ := strconv.Atoi(strings.TrimSpace(v))
		return n
	}
	d, _ := Lookup(Groups, name)
	if bd, ok := Lookup(Brokers, d.Synonyms[0]); ok {
		return b.number(bd)
	}
	n, _ := strconv.Atoi(d.Default)
	return n
}

// GroupString returns the value of a group's setting that has no synonym among the broker's. The name must be one of [Groups].
func GroupString(name string, overrides map[string]string) string {
	d, _ := Lookup(Groups, name)
	if v, ok := overrides[name]; ok {
		return d.Canonical(v)
	}
	return d.Default
}

// number reads any of the broker's settings that is a number, also one without effect.
func (b Broker) number(d *Def) int {
	v, _ := b.find(d)
	n, _ := strconv.Atoi(strings.TrimSpace(v))
	return n
}
