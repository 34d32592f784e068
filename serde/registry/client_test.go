package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	brokerregistry "github.com/sordini-go/sordini/broker/registry"
	"github.com/sordini-go/sordini/serde"
	"github.com/sordini-go/sordini/serde/avro"
	"github.com/sordini-go/sordini/serde/registry"
)

type order struct {
	ID string `avro:"id"`
}

var orders = avro.Serde[order]()

// registered registers the orders' schema and returns it.
func registered(t *testing.T, r serde.Registry) *registry.Schema {
	t.Helper()
	s, err := registry.Register(t.Context(), r, "orders", serde.Value, orders)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func client(t *testing.T, r serde.Registry) *registry.Client {
	t.Helper()
	c, err := registry.For(r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// counting counts what is dialled.
func counting(r serde.Registry, n *atomic.Int64) serde.Registry {
	dial := r.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	r.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		n.Add(1)
		return dial(ctx, network, addr)
	}
	return r
}

func TestASchemaIsAskedForOnce(t *testing.T) {
	var dialled atomic.Int64
	r := brokertest.New(t).SDK().Registry
	id := registry.ID{Number: registered(t, r).ID}
	c := client(t, counting(r, &dialled))
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if s, err := c.Schema(t.Context(), id, ""); err != nil || s.ID != id.Number {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
	wg.Wait()
	if n := dialled.Load(); n != 1 {
		t.Errorf("%d questions", n)
	}
}

func TestThatASchemaIsUnknownIsRememberedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dialled atomic.Int64
		r := brokertest.New(t).SDK().Registry
		c := client(t, counting(r, &dialled))
		ask := func() error { _, err := c.Schema(t.Context(), registry.ID{Number: 1}, ""); return err }
		var unknown *registry.UnknownError
		for range 3 {
			if err := ask(); !errors.As(err, &unknown) {
				t.Fatalf("got %v", err)
			}
		}
		if n := dialled.Load(); n != 1 {
			t.Errorf("%d questions at once", n)
		}
		registered(t, r)
		time.Sleep(registry.UnknownFor)
		if err := ask(); err != nil {
			t.Errorf("registered meanwhile: %v", err)
		}
	})
}

func TestClientsAreSharedBySettings(t *testing.T) {
	r := serde.Registry{URLs: []string{"http://127.0.0.1:1"}}
	if first, again := client(t, r), client(t, r); first != again {
		t.Error("the same settings make two clients")
	}
	other := r
	other.Username = "alice"
	if client(t, r) == client(t, other) {
		t.Error("another user has the same client")
	}
}

func TestAnotherURLIsAskedWhereOneDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := brokertest.New(t)
		r := c.SDK().Registry
		id := registry.ID{Number: registered(t, r).ID}
		good := r.URLs[0]
		network := broker.NewNetwork()
		serve(t, network, "127.0.0.1:1", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
		serve(t, network, "127.0.0.1:2", func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }) // a black hole
		r.URLs = []string{"http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3", good}
		r.Dial = func(ctx context.Context, n, addr string) (net.Conn, error) {
			if strings.HasSuffix(good, addr) {
				return c.Dial(ctx, n, addr)
			}
			return network.Dial(ctx, n, addr)
		}
		began := time.Now()
		if _, err := client(t, r).Schema(t.Context(), id, ""); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("took %v, want the 5 s of the one that hangs", took)
		}
		r.URLs = r.URLs[:3]
		_, err := client(t, r).Schema(t.Context(), id, "")
		var again *serde.RetryableError
		if !errors.As(err, &again) {
			t.Errorf("nobody answers: %v", err)
		}
	})
}

// serve runs an HTTP server on an in-memory network.
func serve(t *testing.T, n *broker.Network, addr string, h http.HandlerFunc) {
	t.Helper()
	l, err := n.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
}

func TestAnAnswerSaysWhatBecomesOfTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := broker.NewNetwork()
		status := 0
		serve(t, network, "127.0.0.1:1", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"error_code":%d,"message":"m"}`, status)
		})
		for _, test := range []struct {
			status int
			want   any
		}{
			{401, new(*serde.AccessError)}, {403, new(*serde.AccessError)}, {404, new(*registry.UnknownError)},
			{408, new(*serde.RetryableError)}, {429, new(*serde.RetryableError)}, {500, new(*serde.RetryableError)}, {503, new(*serde.RetryableError)},
			{422, new(*sr.ResponseError)},
		} {
			status = test.status
			c := client(t, serde.Registry{URLs: []string{"http://127.0.0.1:1"}, Dial: network.Dial})
			_, err := c.Schema(t.Context(), registry.ID{Number: 1}, "")
			if !errors.As(err, test.want) {
				t.Errorf("%d: %T %v, want %T", test.status, err, err, test.want)
			}
			var again *serde.RetryableError
			if _, wants := test.want.(**serde.RetryableError); !wants && errors.As(err, &again) {
				t.Errorf("%d is retried", test.status)
			}
		}
	})
}

func TestWhoGivesUpWaitingDoesNotEndTheQuestionOfTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := brokertest.New(t)
		r := c.SDK().Registry
		id := registry.ID{Number: registered(t, r).ID}
		gate := make(chan struct{})
		r.Dial = func(ctx context.Context, n, addr string) (net.Conn, error) { <-gate; return c.Dial(ctx, n, addr) }
		cl := client(t, r)
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { _, err := cl.Schema(ctx, id, ""); first <- err }()
		synctest.Wait()
		go func() { _, err := cl.Schema(t.Context(), id, ""); second <- err }()
		synctest.Wait()
		cancel()
		var again *serde.RetryableError
		if err := <-first; !errors.As(err, &again) || !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up: %v", err)
		}
		close(gate)
		if err := <-second; err != nil {
			t.Errorf("who waited: %v", err)
		}
	})
}

func TestCredentialsAreSent(t *testing.T) {
	c, err := broker.Start(broker.Config{Registry: &broker.Registry{Users: map[string]brokerregistry.Password{"alice": "s3cret"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := serde.Registry{URLs: []string{c.RegistryURL()}}
	var refused *serde.AccessError
	if _, err := registry.Register(t.Context(), r, "orders", serde.Value, orders); !errors.As(err, &refused) {
		t.Errorf("without credentials: %v", err)
	}
	r.Username, r.Password = "alice", sordini.NewSecret("s3cret")
	if _, err := registry.Register(t.Context(), r, "orders", serde.Value, orders); err != nil {
		t.Error(err)
	}
	if text := fmt.Sprintf("%+v %v", r, err); strings.Contains(text, "s3cret") {
		t.Error("the password is printed")
	}
}

func TestAFileAnswersWithoutARegistry(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	id := registered(t, r).ID
	online := bound(t, orders, r)
	raw, err := online.Append(t.Context(), nil, order{"17"}, new(serde.Headers))
	if err != nil {
		t.Fatal(err)
	}
	var saved bytes.Buffer
	if err := registry.Save(t.Context(), r, &saved); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "schemas.json")
	if err := os.WriteFile(name, saved.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	offline := bound(t, orders, serde.Registry{File: name})
	if got, err := offline.Decode(t.Context(), raw, nil); err != nil || got.ID != "17" {
		t.Errorf("%v, %v", got, err)
	}
	if again, err := offline.Append(t.Context(), nil, order{"17"}, new(serde.Headers)); err != nil || !bytes.Equal(again, raw) {
		t.Errorf("% x, %v; want % x", again, err, raw)
	}
	_, err = offline.Decode(t.Context(), registry.AppendPrefix(nil, id+1), nil)
	if !errors.Is(err, registry.ErrOffline) {
		t.Errorf("a schema that is not in the file: %v", err)
	}
	if _, err := registry.For(serde.Registry{File: name + "x"}); err == nil {
		t.Error("a file that is not there is taken")
	}
	if err := os.WriteFile(name, []byte(`{"version":2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.For(serde.Registry{File: name, Timeout: 1}); err == nil {
		t.Error("a file of another version is taken")
	}
}

func bound(t *testing.T, s serde.Serde[order], r serde.Registry) serde.Codec[order] {
	t.Helper()
	c, err := s.Bind(serde.Binding{Topic: "orders", Registry: r})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheGUIDTravelsInAHeader(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	s := registered(t, r)
	c := bound(t, avro.Serde[order](avro.Registry(registry.Frame(registry.InHeader))), r)
	var h serde.Headers
	raw, err := c.Append(t.Context(), nil, order{"17"}, &h)
	if err != nil {
		t.Fatal(err)
	}
	if string(raw) != "\x0417" {
		t.Errorf("encoded as %q", raw)
	}
	guid, _ := registry.ParseGUID(s.GUID)
	if v, _ := h.Get(registry.HeaderValue); !bytes.Equal(v, registry.AppendGUID(nil, guid)) {
		t.Errorf("header % x", v)
	}
	for _, reader := range []serde.Codec[order]{c, bound(t, orders, r)} { // whoever reads, reads both
		if got, err := reader.Decode(t.Context(), raw, h); err != nil || got.ID != "17" {
			t.Errorf("%v, %v", got, err)
		}
	}
}

func TestSubjectsAreNamedAsConfluentNamesThem(t *testing.T) {
	for _, test := range []struct {
		by     registry.SubjectName
		role   serde.Role
		record string
		want   string
	}{
		{registry.TopicName, serde.Value, "shop.Order", "orders-value"}, {registry.TopicName, serde.Key, "", "orders-key"},
		{registry.RecordName, serde.Value, "shop.Order", "shop.Order"}, {registry.TopicRecordName, serde.Key, "shop.Order", "orders-shop.Order"},
		{registry.RecordName, serde.Value, "", ""}, {registry.TopicRecordName, serde.Value, "", ""},
		{registry.Fixed("x"), serde.Value, "", "x"}, {registry.Fixed(""), serde.Value, "", ""},
	} {
		got, err := test.by("orders", test.role, test.record)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%q, %v; want %q", got, err, test.want)
		}
	}
}

func TestASchemaOfAnotherSubjectIsPoisonWhereThatIsAskedFor(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	raw, err := bound(t, avro.Serde[order](avro.Registry(registry.AutoRegister(), registry.SubjectBy(registry.Fixed("elsewhere")))), r).
		Append(t.Context(), nil, order{"17"}, new(serde.Headers))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bound(t, orders, r).Decode(t.Context(), raw, nil); err != nil {
		t.Errorf("by default: %v", err)
	}
	var mismatch *registry.MismatchError
	if _, err := bound(t, avro.Serde[order](avro.Registry(registry.CheckSubject())), r).Decode(t.Context(), raw, nil); !errors.As(err, &mismatch) {
		t.Errorf("got %v", err)
	}
	registered(t, r)
	if _, err := bound(t, avro.Serde[order](avro.Registry(registry.CheckSubject())), r).Decode(t.Context(), raw, nil); err != nil {
		t.Errorf("registered here, too: %v", err)
	}
}

func TestWhatIsNotCompatibleIsFoundBeforeItIsRegistered(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	type next struct {
		ID    string `avro:"id"`
		Total int64  `avro:"total"` // no default
	}
	type fixed struct {
		ID    string `avro:"id"`
		Total int64  `avro:"total,default=0"`
	}
	compatible := func(s any) error { return registry.Compatible(t.Context(), r, "orders", serde.Value, s) }
	if err := compatible(avro.Serde[next](avro.Name("order"))); err != nil {
		t.Errorf("the first version: %v", err)
	}
	registered(t, r)
	var incompatible *registry.IncompatibleError
	if err := compatible(avro.Serde[next](avro.Name("order"))); !errors.As(err, &incompatible) || !strings.Contains(err.Error(), "total") {
		t.Errorf("got %v", err)
	}
	if _, err := registry.Register(t.Context(), r, "orders", serde.Value, avro.Serde[next](avro.Name("order"))); !errors.As(err, &incompatible) {
		t.Errorf("registering: %v", err)
	}
	if err := compatible(avro.Serde[fixed](avro.Name("order"))); err != nil {
		t.Errorf("with a default: %v", err)
	}
	if err := compatible(serde.JSON[order]()); err == nil || errors.As(err, &incompatible) {
		t.Errorf("a serde without a schema: %v", err)
	}
}

func TestTheLatestSchemaIsWrittenWithWhereThatIsAskedFor(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	registered(t, r)
	latest, err := registry.Register(t.Context(), r, "orders", serde.Value, avro.Generic(avro.Text(
		`{"type":"record","name":"order","fields":[{"name":"id","type":"string"},{"name":"note","type":["null","string"],"default":null}]}`)))
	if err != nil {
		t.Fatal(err)
	}
	generic := avro.Generic(avro.Text(`{"type":"record","name":"order","fields":[{"name":"id","type":"string"}]}`), avro.Registry(registry.UseLatest()))
	c, err := generic.Bind(serde.Binding{Topic: "orders", Registry: r})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := c.Append(t.Context(), nil, map[string]any{"id": "17"}, new(serde.Headers))
	if err != nil {
		t.Fatal(err)
	}
	if want := append(registry.AppendPrefix(nil, latest.ID), 4, '1', '7', 0); !bytes.Equal(raw, want) {
		t.Errorf("% x, want % x", raw, want)
	}
}
