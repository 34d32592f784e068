// Package integration holds what needs more than Go: real Apache Kafka, foreign clients, long runs. It is a module of its own so that the root's first
// command stays `go test ./...` with nothing but Go; .ci/run enters it.
//
//   - realkafka starts Apache Kafka on loopback, from Maven Central;
//   - proxy stands between clients and brokers and breaks what a network breaks;
//   - differential asks the reference broker and Apache Kafka the same and compares the answers;
//   - javatools runs Kafka's Java tools on the reference broker;
//   - the guarantee suite of internal/guarantee runs here on both together (TestGuarantees).
package integration
