// Package settings knows the settings of topics and brokers: their names, types, defaults and bounds as Apache Kafka 4.3 has them, which of a
// broker's settings a topic's falls back to, and the values that the reference broker acts upon, parsed.
package settings
