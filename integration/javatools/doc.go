// Javatools runs the Java tools of Apache Kafka 4.3.1 on the reference broker, over PLAINTEXT and over SASL_SSL with ACLs, and asserts what they print:
//
//	go run ./javatools            on the reference broker, as the binary `sordini broker`
//	go run ./javatools -kafka     the same assertions on Apache Kafka
//
// A JVM a command would take most of the time, so the tools' main methods run one after the other in one JVM (Driver.java); one tool runs as a process of
// its own, too.
package main
