// Package acl decides who may do what, as Kafka's StandardAuthorizer does: super users, access control lists with literal, prefixed and wildcard
// resource patterns, deny before allow, hosts, and operations that imply others.
package acl
