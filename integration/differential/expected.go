package main

import "strings"

// maxExpectations is how many differences may be listed.
const maxExpectations = 15

// expectations are all differences between the reference broker and Apache Kafka that are known and meant to be.
var expectations = []expectation{
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
	{
		Why:   "a first ShareFetch of a topic id that is not there is answered for that topic: Kafka fails on it, and answers the whole with UNKNOWN_SERVER_ERROR",
		Match: func(d difference) bool { return d.Scenario == "shares-refused" && d.What == "an unknown topic" },
	},
	{
		Why: "Kafka has no coordinator of share groups before the first question after one has made __share_group_state, which takes a while; the reference broker has it at once",
		Match: func(d difference) bool {
			return d.Scenario == "coordinators" && d.What == "of a share group" && strings.HasPrefix(d.Path, "Coordinators[0].")
		},
	},
}
