// Differential sends the same requests to the reference broker and to Apache Kafka, and compares the answers field by field.
//
//	go run ./differential                      everything: start both, ask both, compare, report every API key
//	go run ./differential -only topics         one scenario, or those whose name begins so
//	go run ./differential -keep FILE           write down what Apache Kafka answered
//	go run ./differential -against FILE        compare with what was written down: no Java, a few seconds
//
// A scenario is Go code that runs once against each side: what it asks later may use what its own side answered before (ids, epochs, offsets). Every
// request is made by hand with kmsg, or from raw bytes, and goes over a connection of its own; no client is in between. What a side answered is written
// down as a list of fields, in which only that is replaced that must differ by nature: the list is in normalise.go, each with its reason. Two transcripts
// are equal, or the difference is in the list of expectations in expected.go, each with its reason. A difference that is not listed fails the run, and so
// do a listed one that has vanished and an API version of Apache Kafka's that no scenario has asked for.
//
// testdata/kafka-4.3.1.json.gz is what Apache Kafka answered to all scenarios. A test holds the reference broker to it, in virtual time and without Java;
// whoever changes a scenario writes it down anew:
//
//	go run ./differential -keep differential/testdata/kafka-4.3.1.json.gz
package main
