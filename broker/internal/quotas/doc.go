// Package quotas holds the quotas of clients (KIP-13, KIP-55, KIP-546, KIP-599, KIP-612), finds the one that binds a client, and measures what
// clients use.
//
// A [Table] is what was set, for all brokers; [Table.Find] follows Kafka's order: the most specific of eight kinds of entities wins, a user before a
// client id. A [Meter] belongs to one broker, and says how long a client has to wait after a request. Rates are measured over ten to eleven windows of
// a second, as Kafka does by default: a client may use at once what it may use in that time.
package quotas
