package protobuf

// File is a schema that was read. It is not changed any more.
type File struct {
	syntax        string // "proto2", "proto3", or "" where it was not said
	edition       string
	pkg           string
	imports       []string
	publicImports []string
	weakImports   []string
	options       []*option
	messages      []*message
	enums         []*enum
	extends       []*extend
	services      []*service
}

type message struct {
	name       string
	reserved   []*ranges
	options    []*option
	fields     []*field
	oneofs     []*oneof
	groups     []*group
	extensions []*ranges
	extends    []*extend
	messages   []*message
	enums      []*enum
}

// ranges are numbers, ranges of numbers and names.
type ranges struct {
	values  []rangeValue
	options []*option
}

type rangeValue struct {
	name       string // when it is a name
	start, end int64  // both included
	single     bool   // written as one number
}

// Labels of fields.
const (
	labelOptional = "optional"
	labelRequired = "required"
	labelRepeated = "repeated"
)

type field struct {
	label    string
	typ      string // a scalar, a name, or typeMap
	key, val string // of a map
	name     string
	tag      int64
	options  []*option
}

// typeMap is the type of maps. It is no name that a message could have.
const typeMap = "map<>"

type oneof struct {
	name    string
	options []*option
	fields  []*field
	groups  []*group
}

// group is a field of proto2 that declares its type in place.
type group struct {
	label   string
	name    string
	tag     int64
	options []*option
	body    *message
}

type extend struct {
	name   string
	fields []*field
	groups []*group
}

type enum struct {
	name     string
	reserved []*ranges
	options  []*option
	values   []*enumValue
}

type enumValue struct {
	name    string
	number  int64
	options []*option
}

type service struct {
	name    string
	options []*option
	methods []*method
}

type method struct {
	name                string
	input, output       string
	inStream, outStream bool
	options             []*option
}

// option is one option. A custom one, written in parentheses, may be followed by names of fields within it.
type option struct {
	name   string
	custom bool
	within []string
	value  value
}

// valueKind says what an option's value is.
type valueKind byte

const (
	valueIdent valueKind = iota // true, false, inf, or a value of an enum
	valueNumber
	valueString
	valueMessage
	valueList
)

type value struct {
	kind    valueKind
	text    string
	members []member
	items   []value
}

type member struct {
	name  string
	value value
}

// find returns an option by its name, nil where there is none.
func find(options []*option, name string) *option {
	for _, o := range options {
		if o.name == name && !o.custom {
			return o
		}
	}
	return nil
}

func isTrue(options []*option, name string) bool {
	o := find(options, name)
	return o != nil && o.value.text == "true"
}

var scalars = map[string]bool{
	"double": true, "float": true, "int32": true, "int64": true, "uint32": true, "uint64": true, "sint32": true, "sint64": true,
	"fixed32": true, "fixed64": true, "sfixed32": true, "sfixed64": true, "bool": true, "string": true, "bytes": true,
}
