// Package metalog is the controllers' log: what a cluster knows of its topics, partitions, settings, quotas, users and access, in the records of Apache
// Kafka's __cluster_metadata (KIP-631). A directory that has one can be looked at with Kafka's own tools, and started by a controller of Kafka's.
package metalog
