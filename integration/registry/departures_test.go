package registry

// Why Apicurio judges otherwise than Confluent's registry, whose rules ours follows.
const (
	protolock  = "what has been written may not be removed, renamed or relabelled without being reserved"
	types      = "a field keeps its type, even where the encoding is the same"
	messages   = "messages and packages do not matter"
	oneofs     = "that fields exclude each other does not matter"
	crash      = "it answers 500"
	constants  = "constants are not compared"
	content    = "an older rule of content models, without Confluent's exceptions"
	dependents = "dependentRequired and dependentSchemas are not known"
	objects    = "only schemas of objects are taken"
	connect    = "connect.type means nothing"
)

// departures are the changes that Apicurio judges otherwise, in both directions, by type and change.
var departures = map[string]string{
	"PROTOBUF/a field is removed":                          protolock,
	"PROTOBUF/a field is renamed":                          protolock,
	"PROTOBUF/values of an enum come, go and change":       protolock,
	"PROTOBUF/a string becomes repeated":                   protolock,
	"PROTOBUF/a number that had no label becomes repeated": protolock,
	"PROTOBUF/a message becomes repeated":                  protolock,
	"PROTOBUF/a oneof is removed with its fields":          protolock,
	"PROTOBUF/a map and the message that stands for it":    protolock,
	"PROTOBUF/int32 to int64":                              types,
	"PROTOBUF/int32 to bool":                               types,
	"PROTOBUF/int32 to an enum":                            types,
	"PROTOBUF/sint32 to sint64":                            types,
	"PROTOBUF/string to bytes":                             types,
	"PROTOBUF/fixed32 to sfixed32":                         types,
	"PROTOBUF/a message is removed":                        messages,
	"PROTOBUF/a nested message is removed":                 messages,
	"PROTOBUF/another package":                             messages,
	"PROTOBUF/two fields move into a new oneof":            oneofs,
	"PROTOBUF/a field moves into a oneof that was there":   oneofs,
	"PROTOBUF/two oneofs become one":                       oneofs,

	"JSON/exclusiveMinimum is raised":                                         crash,
	"JSON/an item is removed from a closed array":                             crash,
	"JSON/a constant changes":                                                 constants,
	"JSON/a property that may be anything is added to an open object":         content,
	"JSON/a required property with a default is added to a closed object":     content,
	"JSON/a property that could not be there is removed from a closed object": content,
	"JSON/a property is added that fits what else could be there":             content,
	"JSON/a property is removed that a pattern covers":                        content,
	"JSON/a property with a default becomes required":                         content,
	"JSON/a dependency grows":                                                 dependents,
	"JSON/a schema that depends is added":                                     dependents,
	"JSON/a definition":                                                       objects,
	"JSON/bytes of Kafka Connect":                                             connect,
}
