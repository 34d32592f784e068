package main

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxExpectations is how many differences may be listed.
const maxExpectations = 15

// later are the API keys that come with the last broker issue: Streams' own groups, delegation tokens, voters of the metadata quorum.
var later = []kmsg.Key{
	kmsg.StreamsGroupHeartbeat, kmsg.StreamsGroupDescribe, kmsg.CreateDelegationToken, kmsg.RenewDelegationToken,
	kmsg.ExpireDelegationToken, kmsg.DescribeDelegationToken, kmsg.AddRaftVoter, kmsg.RemoveRaftVoter,
}

// isLater matches everything about the keys of the last broker issue: their answers, and that ApiVersions does not list them or their features.
func isLater(d difference) bool {
	for _, k := range later {
		if d.Key == k.Int16() || d.Key == kmsg.ApiVersions.Int16() && strings.HasPrefix(d.Path, fmt.Sprintf("ApiKeys[%d]", k)) {
			return true
		}
	}
	for _, f := range []string{"streams.version", "kraft.version"} {
		if d.Key == kmsg.ApiVersions.Int16() && strings.HasPrefix(d.Path, "SupportedFeatures["+f+"]") {
			return true
		}
	}
	return false
}

// expectations are all differences between the reference broker and Apache Kafka that are known and meant to be.
var expectations = []expectation{
	{Why: "Streams' own groups, delegation tokens, voters of the metadata quorum: they come with the last broker issue", Match: isLater},
	{
		Why: "Kafka answers whatever comes in the middle of an authentication with ILLEGAL_SASL_STATE in each place of its answer that has a code, and ends the connection; " +
			"the reference broker answers what has one code for all, without a text, and ends the connection",
		Match: func(d difference) bool {
			return d.Scenario == "handshakes" && strings.HasPrefix(d.What, midway) && strings.HasSuffix(d.What, ": request") &&
				(d.Ours == absent || d.Ours == connectionEnded || d.Ours == "null")
		},
	},
	{
		Why:   "a string that is no UTF-8 comes back as its own bytes; Java's strings cannot hold them, and Kafka answers U+FFFD in their place",
		Match: func(d difference) bool { return d.Scenario == "frames" && d.What == "name that is no UTF-8" },
	},
	{
		Why: "a fetch that is limited to a few bytes ends with a whole batch; Kafka sends bytes of a file, and so the beginning of the next one, which clients throw away",
		Match: func(d difference) bool {
			return d.Scenario == "fetch" && strings.HasSuffix(d.Path, ".RecordBatches.rest")
		},
	},
	{
		Why: "before version 15 of Fetch a replica's state is an unknown tag, which is passed over; Kafka's parser ends the connection for it",
		Match: func(d difference) bool {
			return d.Scenario == "fetch" && d.Version < 15 && (d.What == "as a replica that is not there" || d.What == "as a debugger")
		},
	},
}
