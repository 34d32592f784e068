package jsonschema

import "fmt"

// Problem is a change that breaks readers.
type Problem struct {
	// Type is the kind of change under the name that Confluent's registry gives it, such as "TYPE_CHANGED".
	Type string
	// Path leads through the schema by keywords and names, such as "#/properties/id".
	Path string
}

// effect says whether a change may be made.
type effect byte

const (
	breaks effect = iota
	compatible
	lenient // compatible under the lenient policy
)

// change is a kind of change.
type change struct {
	name    string
	effect  effect
	explain string // %[1]s reads, %[2]s wrote
}

const (
	moreThere  = "The %[1]s schema has a keyword that the %[2]s schema lacks"
	valueUp    = "A bound of the %[1]s schema is larger than in the %[2]s schema"
	valueDown  = "A bound of the %[1]s schema is smaller than in the %[2]s schema"
	fewer      = "The %[1]s schema allows less than the %[2]s schema"
	more       = "The %[1]s schema demands more than the %[2]s schema"
	differs    = "The %[1]s schema and the %[2]s schema differ"
	typeOther  = "The type in the %[1]s schema is another one than in the %[2]s schema"
	openAdded  = "The %[1]s schema has a property or item that the %[2]s schema lacks, whose content model is open: it may be anything there"
	closedGone = "The %[1]s schema lacks a property or item of the %[2]s schema, and its content model is closed"
	notCovered = "A property or item that only one of the %[1]s schema and the %[2]s schema has does not fit what the other allows beside its own"
	reqAdded   = "The %[1]s schema requires a property that the %[2]s schema lacks"
)

// The changes, with what Confluent's registry makes of them.
var (
	typeExtended = change{"TYPE_EXTENDED", compatible, ""}
	typeNarrowed = change{"TYPE_NARROWED", breaks, typeOther}
	typeChanged  = change{"TYPE_CHANGED", breaks, typeOther}

	patternAdded   = change{"PATTERN_ADDED", breaks, moreThere}
	patternRemoved = change{"PATTERN_REMOVED", compatible, ""}
	patternChanged = change{"PATTERN_CHANGED", breaks, differs}

	requiredRemoved          = change{"REQUIRED_ATTRIBUTE_REMOVED", compatible, ""}
	requiredAdded            = change{"REQUIRED_ATTRIBUTE_ADDED", breaks, moreThere}
	requiredWithDefaultAdded = change{"REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED", compatible, ""}

	propertyRemovedFromOpen   = change{"PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL", compatible, ""}
	propertyRemovedFromClosed = change{"PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL", lenient, closedGone}
	falsePropertyRemoved      = change{"PROPERTY_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL", compatible, ""}
	propertyRemovedCovered    = change{"PROPERTY_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", compatible, ""}
	propertyRemovedNotCovered = change{"PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", lenient, notCovered}
	emptyPropertyAdded        = change{"PROPERTY_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL", compatible, ""}
	requiredAddedToOpen       = change{"REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", breaks, openAdded}
	requiredDefaultToOpen     = change{"REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL", lenient, openAdded}
	optionalAddedToOpen       = change{"OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", lenient, openAdded}
	propertyAddedCovered      = change{"PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", compatible, ""}
	propertyAddedNotCovered   = change{"PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", lenient, notCovered}
	requiredAddedToUnopen     = change{"REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL", breaks, reqAdded}
	requiredDefaultToUnopen   = change{"REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL", compatible, ""}
	optionalAddedToUnopen     = change{"OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL", compatible, ""}

	dependencyAdded       = change{"DEPENDENCY_ARRAY_ADDED", breaks, moreThere}
	dependencyRemoved     = change{"DEPENDENCY_ARRAY_REMOVED", compatible, ""}
	dependencyExtended    = change{"DEPENDENCY_ARRAY_EXTENDED", breaks, more}
	dependencyNarrowed    = change{"DEPENDENCY_ARRAY_NARROWED", compatible, ""}
	dependencyChanged     = change{"DEPENDENCY_ARRAY_CHANGED", breaks, differs}
	schemaDependencyAdded = change{"DEPENDENCY_SCHEMA_ADDED", breaks, moreThere}
	schemaDependencyGone  = change{"DEPENDENCY_SCHEMA_REMOVED", compatible, ""}

	schemaAdded   = change{"SCHEMA_ADDED", breaks, moreThere}
	schemaRemoved = change{"SCHEMA_REMOVED", compatible, ""}

	itemRemovedFromOpen   = change{"ITEM_REMOVED_FROM_OPEN_CONTENT_MODEL", compatible, ""}
	itemRemovedFromClosed = change{"ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL", breaks, closedGone}
	falseItemRemoved      = change{"ITEM_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL", compatible, ""}
	itemRemovedCovered    = change{"ITEM_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", compatible, ""}
	itemRemovedNotCovered = change{"ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", breaks, notCovered}
	emptyItemAdded        = change{"ITEM_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL", compatible, ""}
	itemAddedToOpen       = change{"ITEM_ADDED_TO_OPEN_CONTENT_MODEL", breaks, openAdded}
	itemAddedToClosed     = change{"ITEM_ADDED_TO_CLOSED_CONTENT_MODEL", compatible, ""}
	itemAddedCovered      = change{"ITEM_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", compatible, ""}
	itemAddedNotCovered   = change{"ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", breaks, notCovered}
	uniqueAdded           = change{"UNIQUE_ITEMS_ADDED", breaks, moreThere}
	uniqueRemoved         = change{"UNIQUE_ITEMS_REMOVED", compatible, ""}

	enumExtended = change{"ENUM_ARRAY_EXTENDED", compatible, ""}
	enumNarrowed = change{"ENUM_ARRAY_NARROWED", breaks, fewer}
	enumChanged  = change{"ENUM_ARRAY_CHANGED", breaks, typeOther}

	combinedExtended    = change{"COMBINED_TYPE_EXTENDED", compatible, ""}
	combinedChanged     = change{"COMBINED_TYPE_CHANGED", breaks, typeOther}
	subschemasChanged   = change{"COMBINED_TYPE_SUBSCHEMAS_CHANGED", breaks, typeOther}
	productTypeExtended = change{"PRODUCT_TYPE_EXTENDED", breaks, more}
	productTypeNarrowed = change{"PRODUCT_TYPE_NARROWED", compatible, ""}
	sumTypeExtended     = change{"SUM_TYPE_EXTENDED", compatible, ""}
	sumTypeNarrowed     = change{"SUM_TYPE_NARROWED", breaks, fewer}
	notTypeExtended     = change{"NOT_TYPE_EXTENDED", breaks, more}
	notTypeNarrowed     = change{"NOT_TYPE_NARROWED", compatible, ""}

	tooComplex = change{"TOO_COMPLEX", breaks, "The %[1]s schema and the %[2]s schema have too many parts to be compared"}
)

// bounds are the changes of a keyword that is a bound. Raising the bounds of one side, and lowering those of the other, lets more in.
type bounds struct{ added, removed, increased, decreased change }

// upper makes the changes of a bound that things must stay below, or lower one that they must stay above.
func upper(name string) bounds {
	return bounds{
		change{name + "_ADDED", breaks, moreThere}, change{name + "_REMOVED", compatible, ""},
		change{name + "_INCREASED", compatible, ""}, change{name + "_DECREASED", breaks, valueDown},
	}
}

func lower(name string) bounds {
	return bounds{
		change{name + "_ADDED", breaks, moreThere}, change{name + "_REMOVED", compatible, ""},
		change{name + "_INCREASED", breaks, valueUp}, change{name + "_DECREASED", compatible, ""},
	}
}

var boundChanges = map[string]bounds{
	"maxLength": upper("MAX_LENGTH"), "minLength": lower("MIN_LENGTH"), "maximum": upper("MAXIMUM"), "minimum": lower("MINIMUM"),
	"exclusiveMaximum": upper("EXCLUSIVE_MAXIMUM"), "exclusiveMinimum": lower("EXCLUSIVE_MINIMUM"), "maxProperties": upper("MAX_PROPERTIES"),
	"minProperties": lower("MIN_PROPERTIES"), "maxItems": upper("MAX_ITEMS"), "minItems": lower("MIN_ITEMS"), "maxContains": upper("MAX_CONTAINS"),
	"minContains": lower("MIN_CONTAINS"),
}

// A divisor may become a divisor of what it was: then everything that was a multiple still is one.
var (
	multipleAdded    = change{"MULTIPLE_OF_ADDED", breaks, moreThere}
	multipleRemoved  = change{"MULTIPLE_OF_REMOVED", compatible, ""}
	multipleExpanded = change{"MULTIPLE_OF_EXPANDED", breaks, valueUp}
	multipleReduced  = change{"MULTIPLE_OF_REDUCED", compatible, ""}
	multipleChanged  = change{"MULTIPLE_OF_CHANGED", breaks, differs}
)

// contentChanges are the changes of what may be there beside properties or items.
type contentChanges struct{ added, removed, extended, narrowed change }

func contentOf(name string, strict effect) contentChanges {
	return contentChanges{
		change{name + "_ADDED", compatible, ""}, change{name + "_REMOVED", strict, moreThere},
		change{name + "_EXTENDED", compatible, ""}, change{name + "_NARROWED", strict, fewer},
	}
}

var (
	additionalProperties  = contentOf("ADDITIONAL_PROPERTIES", lenient)
	additionalItems       = contentOf("ADDITIONAL_ITEMS", breaks)
	unevaluatedProperties = contentOf("UNEVALUATED_PROPERTIES", lenient)
	unevaluatedItems      = contentOf("UNEVALUATED_ITEMS", breaks)
)

// explanations are the sentences of the changes that break something, by name.
var explanations = func() map[string]string {
	all := []change{
		typeNarrowed, typeChanged, patternAdded, patternChanged, requiredAdded, propertyRemovedFromClosed, propertyRemovedNotCovered, requiredAddedToOpen,
		requiredDefaultToOpen, optionalAddedToOpen, propertyAddedNotCovered, requiredAddedToUnopen, dependencyAdded, dependencyExtended, dependencyChanged,
		schemaDependencyAdded, schemaAdded, itemRemovedFromClosed, itemRemovedNotCovered, itemAddedToOpen, itemAddedNotCovered, uniqueAdded, enumNarrowed,
		enumChanged, combinedChanged, subschemasChanged, productTypeExtended, sumTypeNarrowed, notTypeExtended, tooComplex, multipleAdded,
		multipleExpanded, multipleChanged,
	}
	for _, b := range boundChanges {
		all = append(all, b.added, b.increased, b.decreased)
	}
	for _, c := range []contentChanges{additionalProperties, additionalItems, unevaluatedProperties, unevaluatedItems} {
		all = append(all, c.removed, c.narrowed)
	}
	m := make(map[string]string)
	for _, c := range all {
		m[c.name] = c.explain
	}
	return m
}()

// Explain says in a sentence what the problem is; reader and writer are what to call the two schemas.
func (p Problem) Explain(reader, writer string) string {
	return fmt.Sprintf(explanations[p.Type], reader, writer) + " at '" + p.Path + "'"
}
