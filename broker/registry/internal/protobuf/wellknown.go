package protobuf

// wellKnown are the types of the files that every compiler brings, and of those that registries bring, which schemas import without a reference.
var wellKnown = makeWellKnown(map[string]wellKnownPackage{
	"google.protobuf": {
		messages: []string{
			"Any", "Api", "Method", "Mixin", "Duration", "Empty", "FieldMask", "SourceContext", "Struct", "Value", "ListValue", "Timestamp", "Type", "Field",
			"Enum", "EnumValue", "Option", "DoubleValue", "FloatValue", "Int64Value", "UInt64Value", "Int32Value", "UInt32Value", "BoolValue", "StringValue",
			"BytesValue",
			"FileDescriptorSet", "FileDescriptorProto", "DescriptorProto", "DescriptorProto.ExtensionRange", "DescriptorProto.ReservedRange",
			"ExtensionRangeOptions", "FieldDescriptorProto", "OneofDescriptorProto", "EnumDescriptorProto", "EnumDescriptorProto.EnumReservedRange",
			"EnumValueDescriptorProto", "ServiceDescriptorProto", "MethodDescriptorProto", "FileOptions", "MessageOptions", "FieldOptions", "OneofOptions",
			"EnumOptions", "EnumValueOptions", "ServiceOptions", "MethodOptions", "UninterpretedOption", "UninterpretedOption.NamePart", "FeatureSet",
			"FeatureSetDefaults", "SourceCodeInfo", "SourceCodeInfo.Location", "GeneratedCodeInfo", "GeneratedCodeInfo.Annotation",
		},
		enums: []string{
			"NullValue", "Syntax", "Edition", "Field.Kind", "Field.Cardinality", "FieldDescriptorProto.Type", "FieldDescriptorProto.Label",
			"FileOptions.OptimizeMode", "FieldOptions.CType", "FieldOptions.JSType", "FieldOptions.OptionRetention", "FieldOptions.OptionTargetType",
			"MethodOptions.IdempotencyLevel",
		},
	},
	"google.type": {
		messages: []string{
			"Color", "Date", "DateTime", "TimeZone", "Decimal", "Expr", "Fraction", "Interval", "LatLng", "LocalizedText", "Money", "PhoneNumber",
			"PhoneNumber.ShortCode", "PostalAddress", "Quaternion", "TimeOfDay",
		},
		enums: []string{"CalendarPeriod", "DayOfWeek", "Month"},
	},
	"confluent":      {messages: []string{"Meta"}},
	"confluent.type": {messages: []string{"Decimal"}},
})

type wellKnownPackage struct{ messages, enums []string }

func makeWellKnown(packages map[string]wellKnownPackage) (all []*symbol) {
	for pkg, p := range packages {
		for _, n := range p.messages {
			all = append(all, &symbol{full: join(pkg, n), pkg: pkg})
		}
		for _, n := range p.enums {
			all = append(all, &symbol{full: join(pkg, n), pkg: pkg, isEnum: true})
		}
	}
	return all
}
