// Package registry is a schema registry with the REST API of Confluent's, for tests, examples and laptops: unmodified registry clients of every
// language register, look up and check Avro, JSON and Protobuf schemas with it.
//
//	r, err := registry.New(registry.Config{})
//	if err != nil { … }
//	defer r.Close()
//	http.ListenAndServe("127.0.0.1:8081", r)
//
// Package broker starts one beside its brokers (broker.Config.Registry), and brokertest hands out its URL.
//
// # What it is
//
// An executable description of how Confluent's registry behaves: paths, parameters, the shape of each answer, error codes, the order of checks, ids that
// are the same for the same schema, compatibility at all seven levels, modes, contexts, soft and hard deletion. It keeps its state as Confluent's does,
// as a log of records whose keys are of the types SCHEMA, CONFIG, MODE, DELETE_SUBJECT, CLEAR_SUBJECT and CONTEXT; beside a broker that log is the topic
// _schemas. It imports nothing of the SDK and none of the libraries that the SDK's serdes use, so that it is able to disagree with them.
//
// # Ownership
//
// One mutex guards the state. A request first reads what the log holds beyond what is known, so several registries can share one log; a write is
// appended only where the log still ends where it was read to, or it is thought over again. No goroutine runs: everything works in virtual time.
//
// # What it does not do
//
//   - Data contracts are stored, hashed, inherited and answered, but default and override metadata and rule sets of a configuration are only stored, and
//     rules are not checked. Tags inside schemas, aliases and associations are not there.
//   - Remote references of JSON schemas are not fetched.
//   - Leader election and forwarding: a registry writes its log itself.
package registry
