// Package serde turns values into record bytes and back.
//
// A [Serde] is an immutable description (JSON of an Order, a big-endian integer); binding it to a topic and a role gives the [Codec] that does the work.
// The split lets one contract variable be shared by every service, and lets what is wrong with it be said when a producer or a group is built,
// not when the first record arrives.
package serde
