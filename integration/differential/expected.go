package main

import "github.com/twmb/franz-go/pkg/kmsg"

// maxExpectations is how many differences may be listed.
const maxExpectations = 15

// expectations are all differences between the reference broker and Apache Kafka that are known and meant to be.
var expectations = []expectation{
	{
		Why: "share groups, Streams' own groups, delegation tokens, voters of the metadata quorum: they come with the last broker issue",
		Keys: []kmsg.Key{
			kmsg.ShareGroupHeartbeat, kmsg.ShareGroupDescribe, kmsg.ShareFetch, kmsg.ShareAcknowledge, kmsg.DescribeShareGroupOffsets, kmsg.AlterShareGroupOffsets,
			kmsg.DeleteShareGroupOffsets, kmsg.InitializeShareGroupState, kmsg.ReadShareGroupState, kmsg.WriteShareGroupState, kmsg.DeleteShareGroupState,
			kmsg.ReadShareGroupStateSummary, kmsg.StreamsGroupHeartbeat, kmsg.StreamsGroupDescribe, kmsg.CreateDelegationToken, kmsg.RenewDelegationToken,
			kmsg.ExpireDelegationToken, kmsg.DescribeDelegationToken, kmsg.AddRaftVoter, kmsg.RemoveRaftVoter,
		},
	},
}
