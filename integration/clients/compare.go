package main

import (
	"encoding/json"
	"fmt"
	"regexp"
)

// address is what differs between two clusters without anybody having done anything wrong.
var address = regexp.MustCompile(`(127\.0\.0\.1|localhost)(:|', )\d+`)

// normalise puts an observation into a form in which two can be compared: object keys in order, addresses without their port.
func normalise(saw json.RawMessage) string {
	var v any
	if err := json.Unmarshal(saw, &v); err != nil {
		return fmt.Sprintf("not JSON: %s", saw)
	}
	out, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("not JSON: %s", saw)
	}
	return address.ReplaceAllString(string(out), "ADDRESS")
}

// compare counts what a script saw on both clusters, and reports where that differs.
func compare(script string, reference, kafka transcripts, c *checks) {
	for name, t := range map[string]transcripts{"the reference broker": reference, "Apache Kafka": kafka} {
		if why, failed := t.failed[script]; failed {
			c.that(false, "%s on %s %s", script, name, why)
		}
	}
	ours, theirs := reference.steps[script], kafka.steps[script]
	c.that(len(ours) > 0 || reference.failed[script] != "", "%s saw nothing", script)
	steps := max(len(ours), len(theirs))
	if reference.failed[script] != "" || kafka.failed[script] != "" {
		steps = min(len(ours), len(theirs)) // what it did not come to has been told
	}
	for i := range steps {
		var our, their seen
		if i < len(ours) {
			our = ours[i]
		}
		if i < len(theirs) {
			their = theirs[i]
		}
		c.that(our == their, "%s, step %d:\n  on Apache Kafka          %s: %s\n  on the reference broker  %s: %s", script, i+1, their.step, their.saw, our.step, our.saw)
	}
}
