// Package jsonschema reads JSON schemas and says whether one is compatible with another by the rules of Confluent's registry.
//
// Those rules are defined on the model of the library with which that registry reads drafts 4, 6 and 7 (everit-json-schema): a schema is of one kind
// (string, number, object, array, enum, …), and one whose keywords make it of several is the conjunction of them. Drafts 2019-09 and 2020-12 are read
// into the same model. Nothing is validated with these schemas here.
package jsonschema
