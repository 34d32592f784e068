// Package avro reads Avro schemas, writes them in canonical and normalised form, and says whether one can read what another wrote, as the
// specification's schema resolution and the Java implementation (SchemaCompatibility) define it.
//
// It shares no code with the SDK's serde and uses no library, so that the registry can disagree with both.
package avro
