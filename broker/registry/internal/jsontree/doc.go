// Package jsontree reads JSON into a tree that keeps the order of members and the text of numbers, and writes it as Jackson does, so that what the
// registry calls the canonical form of a schema is, byte for byte, what a registry in Java makes of it.
package jsontree
