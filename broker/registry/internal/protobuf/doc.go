// Package protobuf reads Protobuf schemas, as text or as descriptors, writes them in canonical and normalised form and as descriptors, and says whether
// one is compatible with another by the rules of Confluent's registry.
//
// It shares no code with the SDK's serde and uses no library, so that the registry can disagree with both.
package protobuf
