package registry

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bufbuild/protocompile"
	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/sordini-go/sordini/serde"
	"github.com/sordini-go/sordini/serde/avro"
	"github.com/sordini-go/sordini/serde/jsonschema"
	"github.com/sordini-go/sordini/serde/protobuf"
	"github.com/sordini-go/sordini/serde/registry"
)

// TestRecordsAreExchangedWithPython lets Confluent's Python serializers read what our serdes have written and write it again with the schema of the
// registry: the value must be the same, the bytes too (of JSON the document), and ours must read them.
func TestRecordsAreExchangedWithPython(t *testing.T) {
	for house, url := range map[string]string{"ours": ours(t), "Apicurio": real.URL()} {
		t.Run(house, func(t *testing.T) {
			python := startForeign(t, "python/venv/bin/python", "python/exchange.py", url)
			python.lookup = house == "Apicurio"
			rs := records(t)
			maps.Copy(rs, protobufRecords(t, shop(t), orderJSON))
			for name, r := range rs {
				for framing, option := range framings {
					if option == registry.InHeader && house == "Apicurio" {
						continue // it hands out no GUIDs
					}
					for _, role := range []serde.Role{serde.Value, serde.Key} {
						t.Run(fmt.Sprintf("%s/%s/%s", name, framing, role), func(t *testing.T) {
							b := serde.Binding{Topic: "exchange-" + r.format + "-" + name, Role: role, Registry: serde.Registry{URLs: []string{url}}}
							r.exchange(t, python, false, b, option)
						})
					}
				}
			}
		})
	}
}

// TestRecordsAreExchangedWithJava does the same with Apicurio's Java serializers. Their client speaks Apicurio's API alone: on our registry, and on
// Apicurio a second time, they are given one that speaks Confluent's. They write no GUIDs in headers.
func TestRecordsAreExchangedWithJava(t *testing.T) {
	for name, test := range map[string]struct {
		api, url, javaURL string
		text              bool
	}{
		"ours":                  {"confluent", ours(t), "", false},
		"Apicurio":              {"confluent", real.URL(), "", true},
		"Apicurio, its own API": {"apicurio", real.URL(), real.CoreURL(), true},
	} {
		t.Run(name, func(t *testing.T) {
			java := startForeign(t, "java", "-XX:TieredStopAtLevel=1", "-cp", "java/libs/*", "java/Exchange.java", test.api, cmp.Or(test.javaURL, test.url))
			java.steps = true
			rs := records(t)
			delete(rs, "another document") // it does not give its validator the references of a schema
			files := shop(t)
			files[orderProto] = noTimestamp.Replace(files[orderProto]) // it finds no well-known file beside a reference
			maps.Copy(rs, protobufRecords(t, files, noTimestamp.Replace(orderJSON)))
			for name, r := range rs {
				for _, role := range []serde.Role{serde.Value, serde.Key} {
					t.Run(fmt.Sprintf("%s/%s", name, role), func(t *testing.T) {
						b := serde.Binding{Topic: "java-" + r.format + "-" + name, Role: role, Registry: serde.Registry{URLs: []string{test.url}}}
						r.exchange(t, java, test.text, b, registry.Prefix)
					})
				}
			}
		})
	}
}

var framings = map[string]registry.Framing{"prefix": registry.Prefix, "GUID in a header": registry.InHeader}

// record is a value of some type with its serde.
type record struct {
	format  string
	want    string                         // the value as JSON, as Python prints it
	message protoreflect.MessageDescriptor // of Protobuf
	// lookup has Python look its schema up: with the subject's latest it finds no nested messages.
	lookup  bool
	sources protoFiles // of Protobuf
	encode  func(*testing.T, serde.Binding, ...registry.Option) ([]byte, serde.Headers)
	reads   func(*testing.T, serde.Binding, []byte, serde.Headers)
}

func recordOf[T any](format, want string, v T, same func(a, b T) bool, serdeOf func(...registry.Option) serde.Serde[T]) record {
	bind := func(t *testing.T, b serde.Binding, opts ...registry.Option) serde.Codec[T] {
		t.Helper()
		c, err := serdeOf(opts...).Bind(b)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	return record{
		format: format, want: want,
		encode: func(t *testing.T, b serde.Binding, opts ...registry.Option) ([]byte, serde.Headers) {
			t.Helper()
			var h serde.Headers
			raw, err := bind(t, b, opts...).Append(t.Context(), nil, v, &h)
			if err != nil {
				t.Fatal(err)
			}
			return raw, h
		},
		reads: func(t *testing.T, b serde.Binding, raw []byte, h serde.Headers) {
			t.Helper()
			if got, err := bind(t, b).Decode(t.Context(), raw, h); err != nil || !same(got, v) {
				t.Errorf("read as %v, want %v: %v", got, v, err)
			}
		},
	}
}

// exchange has a foreigner read a record and write it again. text says that schemas of Protobuf are registered as their text, and not as their descriptors,
// which is what a serde registers.
func (r *record) exchange(t *testing.T, f *foreign, text bool, b serde.Binding, framing registry.Framing) {
	written := registry.AutoRegister()
	if text && r.sources != nil {
		r.sources.register(t, b)
		written = registry.UseLatest()
	}
	raw, headers := r.encode(t, b, written, registry.Frame(framing))
	blind := f.lookup && r.message != nil
	q := question{Format: r.format, Topic: b.Topic, Key: b.Role == serde.Key, Raw: hex.EncodeToString(raw), Headers: make(map[string]string), Latest: !r.lookup && !blind, Blind: blind}
	for _, h := range headers {
		q.Headers[h.Key] = hex.EncodeToString(h.Value)
	}
	if r.message != nil {
		q.Message = string(r.message.FullName())
		q.Files = files(t, r.message.ParentFile(), make(map[string]bool))
	}
	a := f.ask(t, q)
	if a.Error != "" {
		t.Fatalf("it fails: %s", a.Error)
	}
	if !sameJSON(t, []byte(r.want), a.Value) {
		t.Errorf("it reads %s, want %s", a.Value, r.want)
	}
	if !reflect.DeepEqual(a.Headers, q.Headers) {
		t.Errorf("it writes the headers %v, want %v", a.Headers, q.Headers)
	}
	back, err := hex.DecodeString(a.Raw)
	if err != nil {
		t.Fatal(err)
	}
	want := raw
	if f.steps && r.message != nil && raw[5] == 0 {
		want = slices.Insert(slices.Clone(raw), 5, 2)
	}
	same := bytes.Equal(back, want)
	if r.format == "JSON" {
		head := 5
		if framing == registry.InHeader {
			head = 0
		}
		same = len(back) >= head && bytes.Equal(back[:head], raw[:head]) && sameJSON(t, raw[head:], back[head:])
	}
	if !same {
		t.Errorf("it writes % x, want % x", back, want)
	}
	var h serde.Headers
	for name, value := range a.Headers {
		v, err := hex.DecodeString(value)
		if err != nil {
			t.Fatal(err)
		}
		h.Add(name, v)
	}
	r.reads(t, b, back, h)
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Errorf("%s: %v", a, err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Errorf("%s: %v", b, err)
	}
	return reflect.DeepEqual(x, y)
}

type (
	line struct {
		SKU   string   `avro:"sku"`
		Count int32    `avro:"count"`
		Price *big.Rat `avro:"price,decimal(12,2)"`
	}
	avroOrder struct {
		ID       string            `avro:"id"`
		Customer [16]byte          `avro:"customer,uuid"` // fixed, which Python leaves as bytes
		Session  string            `avro:"session,uuid"`
		At       time.Time         `avro:"at,timestamp-micros"`
		Note     *string           `avro:"note"`
		None     *string           `avro:"none"`
		Lines    []line            `avro:"lines"`
		Labels   map[string]string `avro:"labels"`
		Weight   float64           `avro:"weight"`
		Number   int64             `avro:"number"`
		Raw      []byte            `avro:"raw"`
		Gift     bool              `avro:"gift"`
	}
	money struct {
		Currency string `avro:"currency" json:"currency"`
		Cents    int64  `avro:"cents" json:"cents"`
	}
	invoice struct {
		ID    string `avro:"id" json:"id"`
		Total money  `avro:"total" json:"total"`
	}
	jsonOrder struct {
		ID    string   `json:"id"`
		Items []string `json:"items"`
		Total float64  `json:"total"`
		Note  string   `json:"note,omitempty"`
	}
)

const (
	avroMoney   = `{"type":"record","name":"Money","namespace":"exchange","fields":[{"name":"currency","type":"string"},{"name":"cents","type":"long"}]}`
	avroInvoice = `{"type":"record","name":"Invoice","namespace":"exchange","fields":[{"name":"id","type":"string"},{"name":"total","type":"exchange.Money"}]}`
	jsonMoney   = `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"currency":{"type":"string"},"cents":{"type":"integer"}},
		"required":["currency","cents"]}`
	jsonInvoice = `{"$schema":"http://json-schema.org/draft-07/schema#","title":"Invoice","type":"object","properties":{"id":{"type":"string"},
		"total":{"$ref":"money.json"}},"required":["id","total"]}`
)

func equal[T any](a, b T) bool { return reflect.DeepEqual(a, b) }

// records are what is exchanged, by what is particular about it.
func records(t *testing.T) map[string]record {
	t.Helper()
	note := "leave it at the door – für Zoë"
	order := avroOrder{
		ID: "17", Customer: [16]byte{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0x4d, 0xef, 0x80, 1, 2, 3, 4, 5, 6, 7}, Session: "12345678-9abc-4def-8001-020304050607",
		At: time.UnixMicro(1_700_000_000_123_456).UTC(), Note: &note, Lines: []line{{"a", 2, big.NewRat(1999, 100)}, {"b", -1, big.NewRat(-5, 1)}},
		Labels: map[string]string{"channel": "web"}, Weight: 1.5, Number: 1 << 40, Raw: []byte{0, 255}, Gift: true,
	}
	bill := invoice{"18", money{"EUR", -199}}
	const billJSON = `{"id":"18","total":{"currency":"EUR","cents":-199}}`
	paper := jsonOrder{ID: "19", Items: []string{"a", "ü"}, Total: 12.5}
	const paperJSON = `{"id":"19","items":["a","ü"],"total":12.5}`
	rs := map[string]record{
		"logical types": recordOf("AVRO", `{"id":"17","customer":"123456789abc4def8001020304050607","session":"12345678-9abc-4def-8001-020304050607","at":"2023-11-14T22:13:20.123456+00:00",
			"note":"leave it at the door – für Zoë","none":null,"lines":[{"sku":"a","count":2,"price":"19.99"},{"sku":"b","count":-1,"price":"-5.00"}],
			"labels":{"channel":"web"},"weight":1.5,"number":1099511627776,"raw":"00ff","gift":true}`, order, equal,
			func(o ...registry.Option) serde.Serde[avroOrder] {
				return avro.Serde[avroOrder](avro.Namespace("exchange"), avro.Registry(o...))
			}),
		"a reference": recordOf("AVRO", billJSON, bill, equal, func(o ...registry.Option) serde.Serde[invoice] {
			return avro.Serde[invoice](avro.Text(avroInvoice), avro.Reference("exchange.Money", "exchange-avro-money", 1, avroMoney), avro.Registry(o...))
		}),
		"draft 2020-12": recordOf("JSON", paperJSON, paper, equal, func(o ...registry.Option) serde.Serde[jsonOrder] {
			return jsonschema.Serde[jsonOrder](jsonschema.Registry(o...))
		}),
		"draft 7": recordOf("JSON", paperJSON, paper, equal, func(o ...registry.Option) serde.Serde[jsonOrder] {
			return jsonschema.Serde[jsonOrder](jsonschema.Draft7(), jsonschema.Registry(o...))
		}),
		"another document": recordOf("JSON", billJSON, bill, equal, func(o ...registry.Option) serde.Serde[invoice] {
			return jsonschema.Serde[invoice](jsonschema.Text(jsonInvoice), jsonschema.Reference("money.json", "exchange-json-money", 1, jsonMoney),
				jsonschema.Registry(o...))
		}),
	}
	return rs
}

// orderJSON is an order of shop/order.proto.
const orderJSON = `{"id":"20","at":"2023-11-14T22:13:20.123456Z","items":[{"sku":"a","count":2,"price":{"currency":"EUR","cents":"199"}},{}],
	"labels":{"channel":"web"},"note":"","raw":"AP8=","weight":1.5,"kind":"KIND_GIFT","total":{"currency":"EUR","cents":"-1"},"number":"1099511627776"}`

// noTimestamp takes the field with a well-known type out of the order and out of its file.
var noTimestamp = strings.NewReplacer(`"at":"2023-11-14T22:13:20.123456Z",`, "", `import "google/protobuf/timestamp.proto";`, "", "google.protobuf.Timestamp at = 2;", "")

// protobufRecords are of every place that a message can have in a file.
func protobufRecords(t *testing.T, sources protoFiles, order string) map[string]record {
	t.Helper()
	file := sources.compile(t)
	rs := make(map[string]record)
	for name, m := range map[string]struct{ message, json string }{
		"an import":              {"Order", order},
		"the second message":     {"Shipment", `{"id":"21"}`},
		"a nested message":       {"Shipment.Parcel", `{"code":"x","label":{"text":"y"}}`},
		"a message nested twice": {"Shipment.Parcel.Label", `{"text":"fragile"}`},
	} {
		r := protobufRecord(t, file, m.message, m.json)
		r.lookup = r.message.Parent() != file
		r.sources = sources
		rs[name] = r
	}
	return rs
}

// protoFiles are the texts of shop/order.proto and of what it imports, by path.
type protoFiles map[string]string

const orderProto = "shop/order.proto"

// shop reads the files of the Protobuf serde's tests.
func shop(t *testing.T) protoFiles {
	t.Helper()
	out := make(protoFiles)
	for _, name := range []string{"order.proto", "money.proto"} {
		text, err := os.ReadFile("../../serde/protobuf/internal/testpb/" + name)
		if err != nil {
			t.Fatal(err)
		}
		out["shop/"+name] = string(text)
	}
	return out
}

func (p protoFiles) compile(t *testing.T) protoreflect.FileDescriptor {
	t.Helper()
	sources := &protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(p)}
	fs, err := (&protocompile.Compiler{Resolver: protocompile.WithStandardImports(sources)}).Compile(t.Context(), orderProto)
	if err != nil {
		t.Fatal(err)
	}
	return fs[0]
}

// register registers the texts, as `sordini schema register` does.
func (p protoFiles) register(t *testing.T, b serde.Binding) {
	t.Helper()
	client, err := registry.For(b.Registry)
	if err != nil {
		t.Fatal(err)
	}
	order := sr.Schema{Type: sr.TypeProtobuf, Schema: p[orderProto]}
	for path, text := range p {
		if path == orderProto {
			continue
		}
		s, err := client.Register(t.Context(), path, sr.Schema{Type: sr.TypeProtobuf, Schema: text}, false)
		if err != nil {
			t.Fatal(err)
		}
		order.References = append(order.References, sr.SchemaReference{Name: path, Subject: path, Version: s.Version})
	}
	subject, err := registry.TopicName(b.Topic, b.Role, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Register(t.Context(), subject, order, false); err != nil {
		t.Fatal(err)
	}
}

func protobufRecord(t *testing.T, file protoreflect.FileDescriptor, name, value string) record {
	t.Helper()
	var d protoreflect.MessageDescriptor
	messages := file.Messages()
	for part := range strings.SplitSeq(name, ".") {
		d = messages.ByName(protoreflect.Name(part))
		messages = d.Messages()
	}
	m := dynamicpb.NewMessage(d)
	if err := protojson.Unmarshal([]byte(value), m); err != nil {
		t.Fatal(err)
	}
	// What is read is of the registry's descriptor, which is another one in memory: the bytes are compared.
	same := func(a, b proto.Message) bool {
		o := proto.MarshalOptions{Deterministic: true}
		x, errA := o.Marshal(a)
		y, errB := o.Marshal(b)
		return errA == nil && errB == nil && bytes.Equal(x, y) && a.ProtoReflect().Descriptor().FullName() == b.ProtoReflect().Descriptor().FullName()
	}
	r := recordOf("PROTOBUF", value, proto.Message(m), same, protobuf.Dynamic)
	r.message = d
	return r
}

// files are the encoded descriptors of a file and of what it imports, each after those that it needs.
func files(t *testing.T, f protoreflect.FileDescriptor, seen map[string]bool) (out []string) {
	t.Helper()
	if seen[f.Path()] {
		return nil
	}
	seen[f.Path()] = true
	for i := range f.Imports().Len() {
		out = append(out, files(t, f.Imports().Get(i).FileDescriptor, seen)...)
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(protodesc.ToFileDescriptorProto(f))
	if err != nil {
		t.Fatal(err)
	}
	return append(out, hex.EncodeToString(raw))
}

// foreign is a program of another language that answers a record with what it reads in it and with what it makes of that.
type foreign struct {
	in  io.Writer
	out *bufio.Reader
	// lookup has Python look schemas of Protobuf up and read without the registry: Apicurio answers the descriptors that Python asks for as text, which
	// damages them.
	lookup bool
	// steps has Java write the path to a file's first message as one step to 0, and not as 0 alone.
	steps bool
}

// question is a record as bytes, with what the program must know besides.
type question struct {
	Format  string            `json:"format"`
	Topic   string            `json:"topic"`
	Key     bool              `json:"key"`
	Raw     string            `json:"raw"`
	Headers map[string]string `json:"headers"`
	Latest  bool              `json:"latest"`
	Blind   bool              `json:"blind"`
	Message string            `json:"message,omitempty"`
	Files   []string          `json:"files,omitempty"`
}

type reply struct {
	Value   json.RawMessage
	Raw     string
	Headers map[string]string
	Error   string
}

func startForeign(t *testing.T, name string, args ...string) *foreign {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
	cmd := exec.CommandContext(ctx, name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer cancel()
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, stderr.Bytes())
		}
	})
	return &foreign{in: in, out: bufio.NewReader(out)}
}

func (f *foreign) ask(t *testing.T, q question) (a reply) {
	t.Helper()
	if err := json.NewEncoder(f.in).Encode(q); err != nil {
		t.Fatal(err)
	}
	answer, err := f.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("it does not answer: %v", err)
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		t.Fatalf("it answers %s: %v", answer, err)
	}
	return a
}
