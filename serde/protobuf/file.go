package protobuf

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/parser"
	"github.com/bufbuild/protocompile/reporter"
	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/sordini-go/sordini/serde/registry"
)

// wellKnown says whether every registry and every compiler has a file.
func wellKnown(path string) bool { return strings.HasPrefix(path, "google/protobuf/") }

// describe makes the schema of a file: its descriptor, which registries take in place of the text and keep as text.
func describe(subject string, f protoreflect.FileDescriptor, normalize bool) (registry.Description, error) {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(protodesc.ToFileDescriptorProto(f))
	if err != nil {
		return registry.Description{}, fmt.Errorf("%s: %w", f.Path(), err)
	}
	d := registry.Description{Subject: subject, Normalize: normalize, Schema: sr.Schema{Type: sr.TypeProtobuf, Schema: base64.StdEncoding.EncodeToString(raw)}}
	for i := range f.Imports().Len() {
		path := f.Imports().Get(i).Path()
		if wellKnown(path) {
			continue
		}
		im, err := describe(path, f.Imports().Get(i).FileDescriptor, normalize)
		if err != nil {
			return d, err
		}
		d.Imports = append(d.Imports, im)
		d.Schema.References = append(d.Schema.References, sr.SchemaReference{Name: path, Subject: path})
	}
	return d, nil
}

// ownName is the path of a schema's own file, which the registry does not tell. No import can have it.
const ownName = "schema.proto"

// compile makes a file of the registry's schema.
func compile(s *registry.Schema) (protoreflect.FileDescriptor, error) {
	own := ownName
	for slices.ContainsFunc(s.Imports, func(im registry.Import) bool { return im.Name == own }) {
		own = "_" + own
	}
	entries := make(map[protoreflect.FullName]bool)
	texts := map[string]string{own: s.Schema.Schema}
	for _, im := range s.Imports {
		texts[im.Name] = im.Text
	}
	source := protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
		text, ok := texts[path]
		if !ok {
			return protocompile.SearchResult{}, fmt.Errorf("%s is neither a reference of the schema nor a well-known file", path)
		}
		if f := descriptor(text); f != nil {
			f.Name = proto.String(path)
			return protocompile.SearchResult{Proto: f}, nil
		}
		parsed, err := parse(path, text, entries)
		return protocompile.SearchResult{ParseResult: parsed}, err
	})
	c := protocompile.Compiler{Resolver: protocompile.WithStandardImports(source), MaxParallelism: 1}
	files, err := c.Compile(context.Background(), own)
	if err != nil {
		return nil, err
	}
	if files[0].Messages().Len() == 0 {
		return nil, errors.New("the schema has no message")
	}
	if len(entries) == 0 {
		return files[0], nil
	}
	return withMaps(files[0], entries, new(protoregistry.Files))
}

// parse parses a file. Registries that made it of a descriptor write the entries of a map as the message that they are in there, with an option that a
// person may not write and that the compiler refuses: it is taken out, and the message noted.
func parse(path, text string, entries map[protoreflect.FullName]bool) (parser.Result, error) {
	h := reporter.NewHandler(nil)
	tree, err := parser.Parse(path, strings.NewReader(text), h)
	if err != nil {
		return nil, err
	}
	result, err := parser.ResultFromAST(tree, false, h) // the registry has checked it, and the checks know no written map_entry
	if err != nil {
		return nil, err
	}
	for _, m := range result.FileDescriptorProto().GetMessageType() {
		takeEntries(m, protoreflect.FullName(result.FileDescriptorProto().GetPackage()), entries)
	}
	return result, nil
}

func takeEntries(m *descriptorpb.DescriptorProto, scope protoreflect.FullName, entries map[protoreflect.FullName]bool) {
	name := protoreflect.FullName(strings.TrimPrefix(string(scope)+"."+m.GetName(), "."))
	if o := m.Options; o != nil {
		o.UninterpretedOption = slices.DeleteFunc(o.UninterpretedOption, func(u *descriptorpb.UninterpretedOption) bool {
			entry := len(u.Name) == 1 && !u.Name[0].GetIsExtension() && u.Name[0].GetNamePart() == "map_entry" && u.GetIdentifierValue() == "true"
			entries[name] = entries[name] || entry
			return entry
		})
	}
	for _, n := range m.NestedType {
		takeEntries(n, name, entries)
	}
}

// withMaps makes a compiled file, and what it imports, anew with the entries of maps marked as such.
func withMaps(f protoreflect.FileDescriptor, entries map[protoreflect.FullName]bool, made *protoregistry.Files) (protoreflect.FileDescriptor, error) {
	if done, err := made.FindFileByPath(f.Path()); err == nil {
		return done, nil
	}
	for i := range f.Imports().Len() {
		if _, err := withMaps(f.Imports().Get(i).FileDescriptor, entries, made); err != nil {
			return nil, err
		}
	}
	raw := protodesc.ToFileDescriptorProto(f)
	for _, m := range raw.MessageType {
		markEntries(m, f.Package(), entries)
	}
	out, err := protodesc.NewFile(raw, made)
	if err != nil {
		return nil, err
	}
	return out, made.RegisterFile(out)
}

func markEntries(m *descriptorpb.DescriptorProto, scope protoreflect.FullName, entries map[protoreflect.FullName]bool) {
	name := protoreflect.FullName(strings.TrimPrefix(string(scope)+"."+m.GetName(), "."))
	if entries[name] {
		if m.Options == nil {
			m.Options = new(descriptorpb.MessageOptions)
		}
		m.Options.MapEntry = proto.Bool(true)
	}
	for _, n := range m.NestedType {
		markEntries(n, name, entries)
	}
}

// descriptor reads a schema that is kept as an encoded descriptor, nil where it is text.
func descriptor(text string) *descriptorpb.FileDescriptorProto {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	f := new(descriptorpb.FileDescriptorProto)
	if proto.Unmarshal(raw, f) != nil {
		return nil
	}
	return f
}
