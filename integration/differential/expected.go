package main

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxExpectations is how many differences may be listed.
const maxExpectations = 15

// later are the API keys that come with the last broker issue: share groups, Streams' own groups, delegation tokens, voters of the metadata quorum.
var later = []kmsg.Key{
	kmsg.ShareGroupHeartbeat, kmsg.ShareGroupDescribe, kmsg.ShareFetch, kmsg.ShareAcknowledge, kmsg.DescribeShareGroupOffsets, kmsg.AlterShareGroupOffsets,
	kmsg.DeleteShareGroupOffsets, kmsg.InitializeShareGroupState, kmsg.ReadShareGroupState, kmsg.WriteShareGroupState, kmsg.DeleteShareGroupState,
	kmsg.ReadShareGroupStateSummary, kmsg.StreamsGroupHeartbeat, kmsg.StreamsGroupDescribe, kmsg.CreateDelegationToken, kmsg.RenewDelegationToken,
	kmsg.ExpireDelegationToken, kmsg.DescribeDelegationToken, kmsg.AddRaftVoter, kmsg.RemoveRaftVoter,
}

// isLater matches everything about the keys of the last broker issue: their answers, and that ApiVersions does not list them or their features.
func isLater(d difference) bool {
	for _, k := range later {
		if d.Key == k.Int16() || d.Key == kmsg.ApiVersions.Int16() && strings.HasPrefix(d.Path, fmt.Sprintf("ApiKeys[%d]", k)) {
			return true
		}
	}
	for _, f := range []string{"share.version", "streams.version", "kraft.version"} {
		if d.Key == kmsg.ApiVersions.Int16() && strings.HasPrefix(d.Path, "SupportedFeatures["+f+"]") {
			return true
		}
	}
	return false
}

// expectations are all differences between the reference broker and Apache Kafka that are known and meant to be.
var expectations = []expectation{
	{Why: "share groups, Streams' own groups, delegation tokens, voters of the metadata quorum: they come with the last broker issue", Match: isLater},
}
