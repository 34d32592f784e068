package broker

import (
	"regexp"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// api is one request that the brokers serve, in the versions that Apache Kafka 4.3 serves.
type api struct {
	min, max int16
	keeps    bool // the handler keeps slices of the frame
	handle   func(*request) answer
	unlisted bool // served, but not named by ApiVersions
}

// apis is filled by init, because the handler of ApiVersions reads it.
var apis [128]api

func init() {
	for key, a := range map[kmsg.Key]served{
		kmsg.Produce:      {3, 13, true, handleProduce},
		kmsg.Fetch:        {4, 18, false, handleFetch},
		kmsg.ListOffsets:  {1, 11, false, handleListOffsets},
		kmsg.Metadata:     {0, 13, false, handleMetadata},
		kmsg.ApiVersions:  {0, 4, false, handleApiVersions},
		kmsg.CreateTopics: {2, 7, false, handleCreateTopics},

		kmsg.ElectLeaders:               {0, 2, false, handleElectLeaders},
		kmsg.AlterPartitionAssignments:  {0, 1, false, handleAlterPartitionReassignments},
		kmsg.ListPartitionReassignments: {0, 0, false, handleListPartitionReassignments},
		kmsg.DescribeQuorum:             {0, 2, false, handleDescribeQuorum},
		kmsg.UnregisterBroker:           {0, 0, false, handleUnregisterBroker},
		kmsg.AddRaftVoter:               {0, 1, false, handleAddRaftVoter},
		kmsg.RemoveRaftVoter:            {0, 0, false, handleRemoveRaftVoter},

		kmsg.InitProducerID:          {0, 5, false, handleInitProducerID},
		kmsg.AddPartitionsToTxn:      {0, 5, false, handleAddPartitionsToTxn},
		kmsg.AddOffsetsToTxn:         {0, 4, false, handleAddOffsetsToTxn},
		kmsg.EndTxn:                  {0, 5, false, handleEndTxn},
		kmsg.WriteTxnMarkers:         {1, 2, false, handleWriteTxnMarkers},
		kmsg.TxnOffsetCommit:         {0, 5, false, handleTxnOffsetCommit},
		kmsg.DescribeProducers:       {0, 0, false, handleDescribeProducers},
		kmsg.DescribeTransactions:    {0, 0, false, handleDescribeTransactions},
		kmsg.ListTransactions:        {0, 2, false, handleListTransactions},
		kmsg.OffsetForLeaderEpoch:    {2, 4, false, handleOffsetForLeaderEpoch},
		kmsg.DeleteTopics:            {1, 6, false, handleDeleteTopics},
		kmsg.CreatePartitions:        {0, 3, false, handleCreatePartitions},
		kmsg.DeleteRecords:           {0, 2, false, handleDeleteRecords},
		kmsg.DescribeLogDirs:         {1, 5, false, handleDescribeLogDirs},
		kmsg.AlterReplicaLogDirs:     {1, 2, false, handleAlterReplicaLogDirs},
		kmsg.DescribeConfigs:         {1, 4, false, handleDescribeConfigs},
		kmsg.AlterConfigs:            {0, 2, false, handleAlterConfigs},
		kmsg.IncrementalAlterConfigs: {0, 1, false, handleIncrementalAlterConfigs},
		kmsg.SASLHandshake:           {0, 1, false, handleSASLHandshake},
		kmsg.SASLAuthenticate:        {0, 2, false, handleSASLAuthenticate},
		kmsg.DescribeACLs:            {1, 3, false, handleDescribeACLs},
		kmsg.CreateACLs:              {1, 3, false, handleCreateACLs},
		kmsg.DeleteACLs:              {1, 3, false, handleDeleteACLs},

		kmsg.CreateDelegationToken:        {1, 3, false, handleCreateDelegationToken},
		kmsg.RenewDelegationToken:         {1, 2, false, handleRenewDelegationToken},
		kmsg.ExpireDelegationToken:        {1, 2, false, handleExpireDelegationToken},
		kmsg.DescribeDelegationToken:      {1, 3, false, handleDescribeDelegationToken},
		kmsg.DescribeUserSCRAMCredentials: {0, 0, false, handleDescribeUserSCRAMCredentials},
		kmsg.AlterUserSCRAMCredentials:    {0, 0, false, handleAlterUserSCRAMCredentials},

		kmsg.DescribeClientQuotas:      {0, 1, false, handleDescribeClientQuotas},
		kmsg.AlterClientQuotas:         {0, 1, false, handleAlterClientQuotas},
		kmsg.UpdateFeatures:            {0, 2, false, handleUpdateFeatures},
		kmsg.GetTelemetrySubscriptions: {0, 0, false, handleGetTelemetrySubscriptions},
		kmsg.PushTelemetry:             {0, 0, false, handlePushTelemetry},

		kmsg.ListConfigResources:     {0, 1, false, handleListConfigResources},
		kmsg.DescribeCluster:         {0, 2, false, handleDescribeCluster},
		kmsg.DescribeTopicPartitions: {0, 0, false, handleDescribeTopicPartitions},

		kmsg.FindCoordinator: {0, 6, false, handleFindCoordinator},
		kmsg.OffsetCommit:    {2, 10, false, handleGroup},
		kmsg.OffsetFetch:     {1, 10, false, handleOffsetFetch},
		kmsg.JoinGroup:       {0, 9, true, handleGroup},
		kmsg.Heartbeat:       {0, 4, false, handleGroup},
		kmsg.LeaveGroup:      {0, 5, false, handleGroup},
		kmsg.SyncGroup:       {0, 5, true, handleGroup},
		kmsg.DescribeGroups:  {0, 6, false, handleDescribeGroups},
		kmsg.ListGroups:      {0, 5, false, handleListGroups},
		kmsg.DeleteGroups:    {0, 2, false, handleDeleteGroups},
		kmsg.OffsetDelete:    {0, 0, false, handleGroup},

		kmsg.ConsumerGroupHeartbeat: {0, 1, false, handleGroup},
		kmsg.ConsumerGroupDescribe:  {0, 1, false, handleConsumerGroupDescribe},

		kmsg.ShareGroupHeartbeat:        {1, 1, false, handleGroup},
		kmsg.ShareGroupDescribe:         {1, 1, false, handleShareGroupDescribe},
		kmsg.ShareFetch:                 {1, 2, false, handleShareFetch},
		kmsg.ShareAcknowledge:           {1, 2, false, handleShareAcknowledge},
		kmsg.DescribeShareGroupOffsets:  {0, 1, false, handleDescribeShareGroupOffsets},
		kmsg.AlterShareGroupOffsets:     {0, 0, false, handleAlterShareGroupOffsets},
		kmsg.DeleteShareGroupOffsets:    {0, 0, false, handleDeleteShareGroupOffsets},
		kmsg.InitializeShareGroupState:  {0, 0, false, handleInitializeShareGroupState},
		kmsg.ReadShareGroupState:        {0, 0, false, handleReadShareGroupState},
		kmsg.WriteShareGroupState:       {0, 1, false, handleWriteShareGroupState},
		kmsg.DeleteShareGroupState:      {0, 0, false, handleDeleteShareGroupState},
		kmsg.ReadShareGroupStateSummary: {0, 1, false, handleReadShareGroupStateSummary},

		kmsg.StreamsGroupHeartbeat: {0, 0, false, handleStreamsGroupHeartbeat},
		kmsg.StreamsGroupDescribe:  {0, 0, false, handleStreamsGroupDescribe},
	} {
		apis[key.Int16()] = api{min: a.min, max: a.max, keeps: a.keeps, handle: a.handle}
	}
	for _, key := range []kmsg.Key{kmsg.GetTelemetrySubscriptions, kmsg.PushTelemetry} {
		apis[key.Int16()].unlisted = true
	}
}

// served is a line of the table.
type served struct {
	min, max int16
	keeps    bool
	handle   func(*request) answer
}

func apiOf(key int16) (*api, bool) {
	if key < 0 || int(key) >= len(apis) || apis[key].handle == nil {
		return nil, false
	}
	return &apis[key], true
}

// software is what a client may call itself (KIP-511).
var software = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$`)

func handleApiVersions(r *request) answer {
	req := r.msg.(*kmsg.ApiVersionsRequest)
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	if req.Version >= 3 && !(software.MatchString(req.ClientSoftwareName) && software.MatchString(req.ClientSoftwareVersion)) {
		resp.ErrorCode = kerr.InvalidRequest.Code
		return answer{resp: resp}
	}
	for key, a := range apis {
		if a.handle == nil || a.unlisted {
			continue
		}
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = int16(key), a.min, a.max
		if key == int(kmsg.Produce) {
			k.MinVersion = 0 // as Kafka says since librdkafka looks for it, though versions before 3 are refused (KAFKA-18659)
		}
		resp.ApiKeys = append(resp.ApiKeys, k)
	}
	for _, f := range features {
		if req.Version >= 4 || f.supported[0] > 0 { // a minimum of 0 breaks older clients (KIP-1022)
			s := kmsg.NewApiVersionsResponseSupportedFeature()
			s.Name, s.MinVersion, s.MaxVersion = f.name, f.supported[0], f.supported[1]
			resp.SupportedFeatures = append(resp.SupportedFeatures, s)
		}
		if f.level == 0 {
			continue
		}
		l := kmsg.NewApiVersionsResponseFinalizedFeature()
		l.Name, l.MinVersionLevel, l.MaxVersionLevel = f.name, f.level, f.level
		resp.FinalizedFeatures = append(resp.FinalizedFeatures, l)
	}
	resp.FinalizedFeaturesEpoch = 1
	if r.conn.auth.state == authVersions {
		r.conn.auth.state = authHandshake
	}
	return answer{resp: resp}
}

// features are Kafka's that the brokers have, at the levels of a new cluster of version 4.3 (KIP-584), but for Streams' own groups and voters of the quorum
// that change: those are off.
var features = []struct {
	name      string
	supported [2]int16
	level     int16
}{
	{"eligible.leader.replicas.version", [2]int16{0, 1}, 1},
	{"group.version", [2]int16{0, 1}, 1},
	{"kraft.version", [2]int16{0, 1}, 0},
	{"metadata.version", [2]int16{7, 30}, 30},
	{"share.version", [2]int16{0, 1}, 1},
	{"streams.version", [2]int16{0, 1}, 0},
	{"transaction.version", [2]int16{0, 2}, 2},
}

// unsupportedApiVersions answers a version that is not known: in version 0, with the range of this API alone (KIP-511).
func unsupportedApiVersions() *kmsg.ApiVersionsResponse {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.ErrorCode = kerr.UnsupportedVersion.Code
	k := kmsg.NewApiVersionsResponseApiKey()
	a := apis[kmsg.ApiVersions.Int16()]
	k.ApiKey, k.MinVersion, k.MaxVersion = int16(kmsg.ApiVersions), a.min, a.max
	resp.ApiKeys = append(resp.ApiKeys, k)
	return resp
}
