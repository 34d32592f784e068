package main

// scenario is a sequence of requests that runs against each side alone. What it names (topics, groups) begins with its own name.
type scenario struct {
	name string
	on   pair
	run  func(*session)
}

// scenarios are all of them, in the order in which they run.
func scenarios() []scenario {
	return []scenario{
		{"versions", one, versionsOfTheProtocol},
		{"frames", one, damagedFrames},
		{"topics", one, topicsCreatedAndDeleted},
		{"topics-refused", one, topicsRefused},
		{"partitions", one, partitionsAdded},
		{"metadata", one, metadataOfTopics},
		{"produce", one, recordsProduced},
		{"produce-refused", one, recordsRefused},
		{"fetch", one, recordsFetched},
		{"sessions", one, fetchSessions},
		{"offsets", one, offsetsListed},
		{"coordinators", one, coordinators},
		{"groups", one, classicGroups},
		{"commits", one, offsetsCommitted},
		{"consumers", one, consumerGroups},
		{"conversions", one, conversions},
		{"expressions", one, expressions},
		{"shares", one, shareGroups},
		{"shares-refused", one, shareRequestsRefused},
		{"shares-offsets", one, shareOffsets},
		{"shares-state", one, shareState},
		{"producers", one, idempotentProducers},
		{"txns", one, transactions},
		{"configs", one, configsOfTopics},
		{"quotas", one, quotas},
		{"scram", one, scramUsers},
		{"administration", one, administration},
		{"off", one, turnedOff},
		{"replicas", three, replicas},
		{"handshakes", users, handshakes},
		{"rights", users, rights},
		{"acls", users, accessControlLists},
	}
}
