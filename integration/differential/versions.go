package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// span is a range of versions.
type span struct{ min, max int16 }

// served is what Apache Kafka 4.3.1 lists on a broker's client listener. The run fails where the cluster at hand lists something else.
var served = map[kmsg.Key]span{
	kmsg.Produce:                      {0, 13}, // of which Kafka refuses those before 3 (KAFKA-18659)
	kmsg.Fetch:                        {4, 18},
	kmsg.ListOffsets:                  {1, 11},
	kmsg.Metadata:                     {0, 13},
	kmsg.OffsetCommit:                 {2, 10},
	kmsg.OffsetFetch:                  {1, 10},
	kmsg.FindCoordinator:              {0, 6},
	kmsg.JoinGroup:                    {0, 9},
	kmsg.Heartbeat:                    {0, 4},
	kmsg.LeaveGroup:                   {0, 5},
	kmsg.SyncGroup:                    {0, 5},
	kmsg.DescribeGroups:               {0, 6},
	kmsg.ListGroups:                   {0, 5},
	kmsg.SASLHandshake:                {0, 1},
	kmsg.ApiVersions:                  {0, 4},
	kmsg.CreateTopics:                 {2, 7},
	kmsg.DeleteTopics:                 {1, 6},
	kmsg.DeleteRecords:                {0, 2},
	kmsg.InitProducerID:               {0, 5},
	kmsg.OffsetForLeaderEpoch:         {2, 4},
	kmsg.AddPartitionsToTxn:           {0, 5},
	kmsg.AddOffsetsToTxn:              {0, 4},
	kmsg.EndTxn:                       {0, 5},
	kmsg.WriteTxnMarkers:              {1, 2},
	kmsg.TxnOffsetCommit:              {0, 5},
	kmsg.DescribeACLs:                 {1, 3},
	kmsg.CreateACLs:                   {1, 3},
	kmsg.DeleteACLs:                   {1, 3},
	kmsg.DescribeConfigs:              {1, 4},
	kmsg.AlterConfigs:                 {0, 2},
	kmsg.AlterReplicaLogDirs:          {1, 2},
	kmsg.DescribeLogDirs:              {1, 5},
	kmsg.SASLAuthenticate:             {0, 2},
	kmsg.CreatePartitions:             {0, 3},
	kmsg.CreateDelegationToken:        {1, 3},
	kmsg.RenewDelegationToken:         {1, 2},
	kmsg.ExpireDelegationToken:        {1, 2},
	kmsg.DescribeDelegationToken:      {1, 3},
	kmsg.DeleteGroups:                 {0, 2},
	kmsg.ElectLeaders:                 {0, 2},
	kmsg.IncrementalAlterConfigs:      {0, 1},
	kmsg.AlterPartitionAssignments:    {0, 1},
	kmsg.ListPartitionReassignments:   {0, 0},
	kmsg.OffsetDelete:                 {0, 0},
	kmsg.DescribeClientQuotas:         {0, 1},
	kmsg.AlterClientQuotas:            {0, 1},
	kmsg.DescribeUserSCRAMCredentials: {0, 0},
	kmsg.AlterUserSCRAMCredentials:    {0, 0},
	kmsg.DescribeQuorum:               {0, 2},
	kmsg.UpdateFeatures:               {0, 2},
	kmsg.DescribeCluster:              {0, 2},
	kmsg.DescribeProducers:            {0, 0},
	kmsg.UnregisterBroker:             {0, 0},
	kmsg.DescribeTransactions:         {0, 0},
	kmsg.ListTransactions:             {0, 2},
	kmsg.ConsumerGroupHeartbeat:       {0, 1},
	kmsg.ConsumerGroupDescribe:        {0, 1},
	kmsg.ListConfigResources:          {0, 1},
	kmsg.DescribeTopicPartitions:      {0, 0},
	kmsg.ShareGroupHeartbeat:          {1, 1},
	kmsg.ShareGroupDescribe:           {1, 1},
	kmsg.ShareFetch:                   {1, 2},
	kmsg.ShareAcknowledge:             {1, 2},
	kmsg.AddRaftVoter:                 {0, 1},
	kmsg.RemoveRaftVoter:              {0, 0},
	kmsg.InitializeShareGroupState:    {0, 0},
	kmsg.ReadShareGroupState:          {0, 0},
	kmsg.WriteShareGroupState:         {0, 1},
	kmsg.DeleteShareGroupState:        {0, 0},
	kmsg.ReadShareGroupStateSummary:   {0, 1},
	kmsg.StreamsGroupHeartbeat:        {0, 0},
	kmsg.StreamsGroupDescribe:         {0, 0},
	kmsg.DescribeShareGroupOffsets:    {0, 1},
	kmsg.AlterShareGroupOffsets:       {0, 0},
	kmsg.DeleteShareGroupOffsets:      {0, 0},
}

// features are the feature levels that the Kafka cluster is made with. They are those of a new cluster of 4.3.1, but for Streams' own groups, which
// 4.3.1 turns on by itself and the reference broker does not have.
var features = map[string]int{
	"metadata.version":                 30,
	"group.version":                    1,
	"transaction.version":              2,
	"eligible.leader.replicas.version": 1,
	"share.version":                    1,
	"streams.version":                  0,
}

func servedKeys() []kmsg.Key {
	return slices.SortedFunc(maps.Keys(served), func(a, b kmsg.Key) int { return cmp.Compare(a, b) })
}

// checkServed compares what the cluster at hand lists with the tables.
func checkServed(resp *kmsg.ApiVersionsResponse) error {
	for _, k := range resp.ApiKeys {
		if got, want := (span{k.MinVersion, k.MaxVersion}), served[kmsg.Key(k.ApiKey)]; got != want {
			return fmt.Errorf("%s: Apache Kafka lists versions %d to %d, the table says %d to %d", kmsg.NameForKey(k.ApiKey), got.min, got.max, want.min, want.max)
		}
	}
	if len(resp.ApiKeys) != len(served) {
		return fmt.Errorf("Apache Kafka lists %d API keys, the table %d", len(resp.ApiKeys), len(served))
	}
	finalized := map[string]int{}
	for name, level := range features {
		if level > 0 {
			finalized[name] = level
		}
	}
	got := map[string]int{}
	for _, f := range resp.FinalizedFeatures {
		got[f.Name] = int(f.MaxVersionLevel)
	}
	if !maps.Equal(got, finalized) {
		return fmt.Errorf("Apache Kafka's feature levels are %v, pinned are %v", got, finalized)
	}
	return nil
}
