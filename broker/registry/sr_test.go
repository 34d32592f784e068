package registry_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sordini-go/sordini/broker/registry"
)

func client(t *testing.T, opts ...sr.ClientOpt) *sr.Client {
	t.Helper()
	r, err := registry.New(registry.Config{Users: map[string]registry.Password{"alice": "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r)
	t.Cleanup(func() {
		server.Close()
		r.Close()
	})
	cl, err := sr.NewClient(append([]sr.ClientOpt{sr.URLs(server.URL), sr.HTTPClient(server.Client()), sr.BasicAuth("alice", "secret")}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

// is says whether the client has recognised an error of the registry.
func is(err error, want *sr.Error) bool {
	var answer *sr.ResponseError
	return errors.As(err, &answer) && answer.SchemaError() == want
}

// TestFranzGoClientWorksUnmodified goes through what the client of pkg/sr offers.
func TestFranzGoClientWorksUnmodified(t *testing.T) {
	cl, ctx := client(t), t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	types, err := cl.SupportedTypes(ctx)
	must(err)
	if !slices.Equal(types, []sr.SchemaType{sr.TypeAvro, sr.TypeProtobuf, sr.TypeJSON}) { // sorted by the client
		t.Errorf("types %v", types)
	}
	item, err := cl.CreateSchema(ctx, "item", sr.Schema{Schema: `{"type":"record","name":"Item","fields":[{"name":"sku","type":"string"}]}`})
	must(err)
	order, err := cl.CreateSchema(ctx, "order", sr.Schema{
		Schema:     `{"type":"record","name":"Order","fields":[{"name":"item","type":"Item"}]}`,
		References: []sr.SchemaReference{{Name: "Item", Subject: "item", Version: 1}},
	})
	must(err)
	if item.ID != 1 || order.ID != 2 || order.Version != 1 || order.GUID == "" {
		t.Errorf("created %+v, %+v", item, order)
	}
	for subject, s := range map[string]sr.Schema{
		"p": {Type: sr.TypeProtobuf, Schema: `syntax = "proto3"; message M { int32 a = 1; }`},
		"j": {Type: sr.TypeJSON, Schema: `{"type":"object"}`},
	} {
		created, err := cl.CreateSchema(ctx, subject, s)
		must(err)
		found, err := cl.LookupSchema(ctx, subject, s)
		must(err)
		byGUID, err := cl.SchemaByGUID(ctx, created.GUID)
		must(err)
		if found.ID != created.ID || byGUID.Schema.Schema != created.Schema.Schema || byGUID.Type != s.Type {
			t.Errorf("%s: created %+v, found %+v, by GUID %+v", subject, created, found, byGUID)
		}
	}
	usages, err := cl.SchemaReferences(ctx, "item", 1)
	must(err)
	if len(usages) != 1 || usages[0].Subject != "order" {
		t.Errorf("references %+v", usages)
	}
	if _, err := cl.CreateSchema(ctx, "item", sr.Schema{Schema: `{"type":"record","name":"Item","fields":[{"name":"sku","type":"int"}]}`}); !is(err, sr.ErrIncompatibleSchema) {
		t.Errorf("an incompatible schema: %v", err)
	}
	verdict, err := cl.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), "item", -1, sr.Schema{Schema: `{"type":"record","name":"Item","fields":[{"name":"n","type":"int"}]}`})
	must(err)
	if verdict.Is || len(verdict.Messages) == 0 {
		t.Errorf("verdict %+v", verdict)
	}
	if _, err := cl.DeleteSubject(ctx, "item", sr.SoftDelete); !is(err, sr.ErrReferenceExists) {
		t.Errorf("deleting what is referred to: %v", err)
	}
	must(cl.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFull}, "order")[0].Err)
	if c := cl.Compatibility(ctx, "order")[0]; c.Err != nil || c.Level != sr.CompatFull {
		t.Errorf("compatibility %+v", c)
	}
	if c := cl.Compatibility(ctx, "item")[0]; !is(c.Err, sr.ErrSubjectLevelCompatibilityNotConfigured) {
		t.Errorf("compatibility that is not set %+v", c)
	}
	must(cl.SetMode(ctx, sr.ModeReadOnly, "order")[0].Err)
	if _, err := cl.DeleteSubject(ctx, "order", sr.SoftDelete); !is(err, sr.ErrOperationNotPermitted) {
		t.Errorf("deleting what may only be read: %v", err)
	}
	must(cl.ResetMode(ctx, "order")[0].Err)
	if err := cl.DeleteSchema(ctx, "order", 1, sr.HardDelete); !is(err, sr.ErrSchemaVersionNotSoftDeleted) {
		t.Errorf("deleting for good first: %v", err)
	}
	must(cl.DeleteSchema(ctx, "order", 1, sr.SoftDelete))
	must(cl.DeleteSchema(ctx, "order", 1, sr.HardDelete))
	subjects, err := cl.Subjects(ctx)
	must(err)
	if !slices.Equal(subjects, []string{"item", "j", "p"}) {
		t.Errorf("subjects %v", subjects)
	}
	if _, err := cl.SchemaByID(ctx, 77); !is(err, sr.ErrSchemaNotFound) {
		t.Errorf("an unknown id: %v", err)
	}
}

func TestFranzGoClientSeesContexts(t *testing.T) {
	cl := client(t, sr.DefaultSchemaContext(".c"))
	created, err := cl.CreateSchema(t.Context(), "s", sr.Schema{Schema: `"string"`})
	if err != nil {
		t.Fatal(err)
	}
	contexts, err := cl.Contexts(context.Background())
	if err != nil || !slices.Contains(contexts, ".c") || created.Subject != ":.c:s" {
		t.Errorf("contexts %v, created %+v, %v", contexts, created, err)
	}
}
