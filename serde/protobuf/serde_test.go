package protobuf_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/twmb/franz-go/pkg/sr"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/serde"
	"github.com/sordini-go/sordini/serde/protobuf"
	"github.com/sordini-go/sordini/serde/protobuf/internal/testpb"
	"github.com/sordini-go/sordini/serde/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func anOrder() *testpb.Order {
	return &testpb.Order{
		Id: "17", At: timestamppb.New(timestamppb.Now().AsTime()), Items: []*testpb.Order_Item{{Sku: "a", Count: 2, Price: &testpb.Money{Currency: "EUR", Cents: 199}}},
		Labels: map[string]string{"channel": "web"}, Note: proto.String(""), Raw: []byte{0, 255}, Weight: 1.5, Kind: testpb.Order_KIND_GIFT,
		Total: &testpb.Money{Currency: "EUR", Cents: 398}, Number: 1 << 40,
	}
}

func bind[T any](t testing.TB, s serde.Serde[T], r serde.Registry, topic string) serde.Codec[T] {
	t.Helper()
	c, err := s.Bind(serde.Binding{Topic: topic, Registry: r})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryFieldComesBack(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	c := bind(t, protobuf.Serde[*testpb.Order](registry.AutoRegister()), r, "orders")
	raw, err := c.Append(t.Context(), []byte("before"), anOrder(), new(serde.Headers))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(raw, []byte("before\x00\x00\x00\x00\x02\x00")) { // the first message of schema 2; 1 is money's
		t.Fatalf("encoded as % x", raw[:20])
	}
	got, err := c.Decode(t.Context(), raw[6:], nil)
	if want := anOrder(); err != nil || !proto.Equal(got.At, got.At) || got.Id != want.Id || !proto.Equal(got.Total, want.Total) || got.Labels["channel"] != "web" || got.Note == nil {
		t.Errorf("%v: got %v", err, got)
	}
}

func TestWhatAFileImportsIsRegisteredUnderItsPath(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	s, err := registry.Register(t.Context(), r, "orders", serde.Value, protobuf.Serde[*testpb.Order]())
	if err != nil {
		t.Fatal(err)
	}
	if s.Subject != "orders-value" || len(s.References) != 1 || s.References[0] != (sr.SchemaReference{Name: "shop/money.proto", Subject: "shop/money.proto", Version: 1}) {
		t.Errorf("registered as %+v", s.SubjectSchema)
	}
	if !strings.Contains(s.Schema.Schema, "message Order {") {
		t.Errorf("kept as %s", s.Schema.Schema)
	}
	if err := registry.Compatible(t.Context(), r, "orders", serde.Value, protobuf.Serde[*testpb.Order]()); err != nil {
		t.Error(err)
	}
	again, err := registry.Register(t.Context(), r, "orders", serde.Value, protobuf.Serde[*testpb.Order]())
	if err != nil || again.ID != s.ID {
		t.Errorf("registered again: %v, %v", again, err)
	}
	if _, err := bind(t, protobuf.Serde[*testpb.Order](), r, "orders").Append(t.Context(), nil, anOrder(), new(serde.Headers)); err != nil {
		t.Errorf("looked up: %v", err)
	}
}

func TestThePathToTheMessageIsConfluents(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	for name, test := range map[string]struct {
		m    proto.Message
		path []byte
	}{
		"the first":         {&testpb.Order{}, []byte{0}},
		"the second":        {&testpb.Shipment{}, []byte{2, 2}},
		"nested":            {&testpb.Shipment_Parcel{}, []byte{4, 2, 0}},
		"nested twice":      {&testpb.Shipment_Parcel_Label{}, []byte{6, 2, 0, 0}},
		"nested in another": {&testpb.Order_Item{}, []byte{4, 0, 2}}, // the entries of labels come first
	} {
		c := bind(t, protobuf.Dynamic(registry.AutoRegister()), r, "any")
		raw, err := c.Append(t.Context(), nil, test.m, new(serde.Headers))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(raw[5:], test.path) {
			t.Errorf("%s: path % x, want % x", name, raw[5:], test.path)
		}
		got, err := c.Decode(t.Context(), raw, nil)
		if err != nil || got.ProtoReflect().Descriptor().FullName() != test.m.ProtoReflect().Descriptor().FullName() {
			t.Errorf("%s: read as %T, %v", name, got, err)
		}
	}
}

func TestTheGUIDAndThePathTravelInAHeader(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	c := bind(t, protobuf.Serde[*testpb.Shipment](registry.AutoRegister(), registry.Frame(registry.InHeader)), r, "orders")
	var h serde.Headers
	raw, err := c.Append(t.Context(), nil, &testpb.Shipment{Id: "x"}, &h)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := h.Get(registry.HeaderValue)
	if string(raw) != "\x0a\x01x" || len(v) != 19 || v[17] != 2 || v[18] != 2 {
		t.Errorf("value % x, header % x", raw, v)
	}
	if got, err := c.Decode(t.Context(), raw, h); err != nil || got.Id != "x" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestDynamicMakesMessagesOfTheRegistrysSchema(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	files, err := (&protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
		Accessor: protocompile.SourceAccessorFromMap(map[string]string{"x.proto": `syntax = "proto3"; package elsewhere; message Unknown { string id = 1; message In { int64 n = 1; } In in = 2; }`}),
	})}).Compile(context.Background(), "x.proto")
	if err != nil {
		t.Fatal(err)
	}
	m := dynamicpb.NewMessage(files[0].Messages().Get(0))
	m.Set(m.Descriptor().Fields().ByName("id"), protoreflect.ValueOfString("17"))
	c := bind(t, protobuf.Dynamic(registry.AutoRegister()), r, "any")
	raw, err := c.Append(t.Context(), nil, m, new(serde.Headers))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Decode(t.Context(), raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	if f := got.ProtoReflect().Descriptor().Fields().ByName("id"); got.ProtoReflect().Get(f).String() != "17" {
		t.Errorf("got %v", got)
	}
}

func TestADynamicMessageIsTheSameBytesEveryTime(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	raw, err := proto.Marshal(anOrder())
	if err != nil {
		t.Fatal(err)
	}
	m := dynamicpb.NewMessage((*testpb.Order)(nil).ProtoReflect().Descriptor())
	if err := proto.Unmarshal(raw, m); err != nil {
		t.Fatal(err)
	}
	c := bind(t, protobuf.Dynamic(registry.AutoRegister()), r, "orders")
	first, err := c.Append(t.Context(), nil, m, new(serde.Headers))
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if again, err := c.Append(t.Context(), nil, m, new(serde.Headers)); err != nil || !bytes.Equal(again, first) {
			t.Fatalf("% x, %v; want % x", again, err, first)
		}
	}
}

func TestUnknownFieldsAreKept(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	c := bind(t, protobuf.Serde[*testpb.Shipment](registry.AutoRegister()), r, "orders")
	raw, err := c.Append(t.Context(), nil, &testpb.Shipment{Id: "x"}, new(serde.Headers))
	if err != nil {
		t.Fatal(err)
	}
	newer := append(raw, 0x7a, 2, 'h', 'i') // field 15
	m, err := c.Decode(t.Context(), newer, nil)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Append(t.Context(), nil, m, new(serde.Headers)); err != nil || !bytes.Equal(again, newer) {
		t.Errorf("% x, %v; want % x", again, err, newer)
	}
}

func TestPoisonSaysWhatItIs(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	c := bind(t, protobuf.Serde[*testpb.Order](registry.AutoRegister()), r, "orders")
	raw, err := c.Append(t.Context(), nil, anOrder(), new(serde.Headers))
	if err != nil {
		t.Fatal(err)
	}
	head := raw[:5:5]
	deep := []byte{}
	for range 200 { // Order.items of unknown nesting is no recursion: groups are
		deep = append(deep, 0x7b)
	}
	for name, test := range map[string]struct {
		src  []byte
		says string
	}{
		"no path":                 {head, "cut off in the path"},
		"a path of no end":        {append(head, 0xff, 0xff, 0xff, 0xff, 0x0f), "steps"},
		"a path cut off":          {append(head, 4, 0), "cut off in the path"},
		"no such message":         {append(head, 2, 40), "message 20"},
		"a negative message":      {append(head, 2, 1), "message -1"},
		"another message":         {append(head, 2, 2), "shop.Shipment"},
		"a message cut off":       {raw[:len(raw)-1], ""},
		"groups within groups":    {append(append(head, 0), deep...), ""},
		"a path of no steps":      {binary.AppendVarint(head, -1), "steps"},
		"another wire type":       {append(head, 0, 0x0f), ""},
		"a string that is no UTF": {append(head, 0, 0x0a, 1, 0xff), "UTF-8"},
	} {
		_, err := c.Decode(t.Context(), test.src, nil)
		var again *serde.RetryableError
		if err == nil || errors.As(err, &again) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Append(t.Context(), nil, nil, new(serde.Headers)); err == nil {
		t.Error("a nil message is encoded")
	}
}

func TestWhatCannotWorkIsRefusedWhenItIsBound(t *testing.T) {
	r := serde.Registry{URLs: []string{"http://127.0.0.1:1"}}
	if _, err := protobuf.Serde[proto.Message]().Bind(serde.Binding{Topic: "x", Registry: r}); err == nil {
		t.Error("an interface is bound")
	}
	if _, err := protobuf.Serde[*dynamicpb.Message]().Bind(serde.Binding{Topic: "x", Registry: r}); err == nil {
		t.Error("a dynamic message is bound")
	}
	if _, err := protobuf.Serde[*testpb.Order]().Bind(serde.Binding{Topic: "x"}); !errors.Is(err, registry.ErrNoRegistry) {
		t.Error(err)
	}
	if _, err := protobuf.Dynamic().Bind(serde.Binding{Topic: "x"}); !errors.Is(err, registry.ErrNoRegistry) {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	r := brokertest.New(f).SDK().Registry
	typed := bind(f, protobuf.Serde[*testpb.Order](registry.AutoRegister()), r, "orders")
	dynamic := bind(f, protobuf.Dynamic(), r, "orders")
	raw, err := typed.Append(f.Context(), nil, anOrder(), new(serde.Headers))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw[5:])
	f.Add([]byte{4, 2, 0, 10, 1, 'x'})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		src := append(raw[:5:5], b...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = typed.Decode(t.Context(), src, nil)
		_, _ = dynamic.Decode(t.Context(), src, nil)
		runtime.ReadMemStats(&after)
		if grown, most := after.TotalAlloc-before.TotalAlloc, uint64(1<<20+1024*len(b)); grown > most {
			t.Errorf("%d bytes allocate %d, more than %d", len(b), grown, most)
		}
	})
}

func BenchmarkCodec(b *testing.B) {
	r := brokertest.New(b).SDK().Registry
	c := bind(b, protobuf.Serde[*testpb.Order](registry.AutoRegister()), r, "orders")
	v, h, buf := anOrder(), new(serde.Headers), make([]byte, 0, 1024)
	raw, err := c.Append(b.Context(), nil, v, h)
	if err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	for name, f := range map[string]func() error{
		"encode/sordini": func() error { _, err := c.Append(ctx, buf[:0], v, h); return err },
		"encode/raw": func() error {
			_, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(buf[:0], v)
			return err
		},
		// A map in any order costs less, and gives an equal key other bytes.
		"encode/unordered": func() error { _, err := proto.MarshalOptions{}.MarshalAppend(buf[:0], v); return err },
		"decode/sordini":   func() error { _, err := c.Decode(ctx, raw, nil); return err },
		"decode/raw":       func() error { return proto.Unmarshal(raw[6:], new(testpb.Order)) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
