// Package sasl is the server's side of the SASL mechanisms that Kafka has: PLAIN (RFC 4616), SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, KIP-84) and
// OAUTHBEARER (RFC 7628, KIP-255 and KIP-768). What a client is told when it fails is what Apache Kafka tells it: nothing about which users there are.
package sasl
