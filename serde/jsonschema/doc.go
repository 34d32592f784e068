// Package jsonschema is the serde of JSON documents with a schema in a schema registry, in Confluent's wire format.
//
//	type Order struct {
//		ID    string `json:"id" jsonschema:"the order's number"`
//		Total int64  `json:"total"`
//		Note  string `json:"note,omitempty"` // not required
//	}
//
//	var Placed = sordini.Topic[Order]{Name: "orders", Key: …, Value: jsonschema.Serde[Order]()}
//
// The schema is made of the Go type (of draft 2020-12, or with [Draft7] of draft 7) or given by [Text]. It is closed: properties that it does not name are
// refused, which is what lets the registry allow an optional one to be added. What is written is validated against the service's own schema, and what is
// read against the one that it was written with, before it is decoded as [serde.JSON] decodes. A document that is not valid is poison when it is read and
// an error when it is written.
//
// Formats such as date-time are asserted. A schema refers to nothing but its references in the registry: nothing is ever loaded from the network or from
// files.
//
// google/jsonschema-go makes schemas of Go types; santhosh-tekuri/jsonschema validates, because it passes the official test suite in every draft.
package jsonschema
