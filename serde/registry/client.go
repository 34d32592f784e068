package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sordini-go/sordini/serde"
)

// UnknownFor is how long the registry is not asked again for a schema that it did not know.
const UnknownFor = 30 * time.Second

const defaultTimeout = 5 * time.Second

// Client asks a schema registry and remembers what it answered. It is safe for concurrent use and needs no closing: it keeps no connection open, since a
// schema is asked for once.
type Client struct {
	servers []server
	file    *file        // nil: none
	good    atomic.Int32 // the server that answered last

	byID     memo[idKey, *Schema]
	bySchema memo[schemaKey, *Schema]
	latest   memo[string, *Schema]
}

type server struct {
	url     string
	cl      *sr.Client
	timeout time.Duration
}

// idKey is an id and the context that it is of, "" for the default one. GUIDs are the same in all.
type idKey struct {
	id      ID
	context string
}

type schemaKey struct {
	subject    string
	kind       sr.SchemaType
	text       string
	references string
	normalize  bool
}

// shared are the clients by their settings.
var shared struct {
	mu      sync.Mutex // guards clients
	clients map[settings]*Client
}

// settings are what tells two clients apart.
type settings struct {
	urls, username, password, token, file string
	tls                                   *tls.Config
	timeout                               time.Duration
}

// ErrNoRegistry says that a serde needs a schema registry and Cluster.Registry is not set.
var ErrNoRegistry = errors.New("no schema registry: set Cluster.Registry.URLs (SCHEMA_REGISTRY_URL)")

// For returns the client for these settings, the same one for the same settings unless they have a Dial of their own. It does not block on the network. It
// fails with [ErrNoRegistry] where there are neither URLs nor a file, and when the file cannot be read.
func For(r serde.Registry) (*Client, error) {
	if len(r.URLs) == 0 && r.File == "" {
		return nil, ErrNoRegistry
	}
	if r.Dial != nil {
		return newClient(r)
	}
	key := settings{strings.Join(r.URLs, " "), r.Username, r.Password.Reveal(), r.BearerToken.Reveal(), r.File, r.TLS, r.Timeout}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if c := shared.clients[key]; c != nil {
		return c, nil
	}
	c, err := newClient(r)
	if err != nil {
		return nil, err
	}
	if shared.clients == nil {
		shared.clients = make(map[settings]*Client)
	}
	shared.clients[key] = c
	return c, nil
}

func newClient(r serde.Registry) (*Client, error) {
	c := new(Client)
	if r.File != "" {
		f, err := load(r.File)
		if err != nil {
			return nil, err
		}
		c.file = f
	}
	timeout := r.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.DisableKeepAlives = true // a schema is asked for once; and so there is nothing to close
	tr.TLSClientConfig = r.TLS
	dial := r.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout) // the transport goes on dialling when the request has ended
		defer cancel()
		return dial(ctx, network, address)
	}
	for _, url := range r.URLs {
		cl, err := sr.NewClient(sr.URLs(url), sr.UserAgent("sordini"), sr.PreReq(authenticate(r)), sr.HTTPClient(&http.Client{Transport: bounded{tr}}))
		if err != nil {
			return nil, fmt.Errorf("schema registry: %w", err)
		}
		c.servers = append(c.servers, server{url, cl, timeout})
	}
	return c, nil
}

// do asks the servers one after another, from the one that answered last, until one gives an answer that another would give, too.
func do[V any](ctx context.Context, c *Client, what string, ask func(context.Context, *sr.Client) (V, error)) (V, error) {
	var v V
	if len(c.servers) == 0 {
		return v, &UnknownError{What: what, Err: ErrOffline}
	}
	first := int(c.good.Load())
	var failed []error
	for i := range c.servers {
		n := (first + i) % len(c.servers)
		s := c.servers[n]
		tctx, cancel := context.WithTimeout(ctx, s.timeout)
		v, err := ask(tctx, s.cl)
		cancel()
		if err == nil {
			c.good.Store(int32(n))
			return v, nil
		}
		err = classify(what, err)
		var again *serde.RetryableError
		if !errors.As(err, &again) {
			c.good.Store(int32(n))
			return v, err
		}
		failed = append(failed, again.Err)
		if ctx.Err() != nil {
			break
		}
	}
	return v, &serde.RetryableError{Err: errors.Join(failed...)}
}

// Schema returns the schema that a record names. context is the registry's, "" for the default one. It fails with an [UnknownError], a
// [serde.RetryableError] or a [serde.AccessError].
func (c *Client) Schema(ctx context.Context, id ID, context string) (*Schema, error) {
	return c.byID.ask(ctx, idKey{id, context}, c.schema(id, context))
}

func (c *Client) schema(id ID, schemaContext string) func(context.Context) (*Schema, error) {
	return func(ctx context.Context) (*Schema, error) {
		if s := c.file.byID(id); s != nil {
			return c.resolve(ctx, *s)
		}
		s, err := do(ctx, c, id.String(), func(ctx context.Context, cl *sr.Client) (sr.SubjectSchema, error) {
			if id.GUID != (GUID{}) {
				return cl.SchemaByGUID(ctx, id.GUID.String())
			}
			if schemaContext != "" {
				ctx = sr.WithParams(ctx, sr.Subject(schemaContext))
			}
			s, err := cl.SchemaByID(ctx, id.Number)
			return sr.SubjectSchema{ID: id.Number, Schema: s}, err
		})
		if err == nil && s.Schema.Schema == "" {
			err = &serde.RetryableError{Err: fmt.Errorf("ask the schema registry for %s: %w", id, errNoSchema)}
		}
		if err != nil {
			return nil, err
		}
		return c.resolve(ctx, s)
	}
}

// contextOf returns the ":.name:" that a subject begins with, "" for one of the default context.
func contextOf(subject string) string {
	if strings.HasPrefix(subject, ":.") {
		if end := strings.IndexByte(subject[1:], ':'); end >= 0 {
			return subject[:end+2]
		}
	}
	return ""
}

// version fetches one version of a subject.
func (c *Client) version(ctx context.Context, subject string, version int) (sr.SubjectSchema, error) {
	if s := c.file.version(subject, version); s != nil {
		return *s, nil
	}
	what := fmt.Sprintf("version %d of subject %s", version, subject)
	if version == latestVersion {
		what = "subject " + subject
	}
	return do(ctx, c, what, func(ctx context.Context, cl *sr.Client) (sr.SubjectSchema, error) {
		return cl.SchemaByVersion(ctx, subject, version)
	})
}

// Versions with a meaning of their own.
const (
	latestVersion = -1
	everyVersion  = -2 // in a check: those that the compatibility level asks for
)

// Latest returns the latest version of a subject, as it was when it was first asked for.
func (c *Client) Latest(ctx context.Context, subject string) (*Schema, error) {
	return c.latest.ask(ctx, subject, func(ctx context.Context) (*Schema, error) {
		s, err := c.version(ctx, subject, latestVersion)
		if err != nil {
			return nil, err
		}
		return c.resolve(ctx, s)
	})
}

// Lookup returns a schema as it is registered under a subject. It fails with [ErrNotRegistered] where it is not.
func (c *Client) Lookup(ctx context.Context, subject string, s sr.Schema, normalize bool) (*Schema, error) {
	key := schemaKey{subject, s.Type, s.Schema, fmt.Sprint(s.References), normalize}
	return c.bySchema.ask(ctx, key, func(ctx context.Context) (*Schema, error) {
		if found := c.file.lookup(subject, s); found != nil {
			return c.resolve(ctx, *found)
		}
		found, err := do(ctx, c, "a schema under subject "+subject, func(ctx context.Context, cl *sr.Client) (sr.SubjectSchema, error) {
			return cl.LookupSchema(params(ctx, normalize), subject, s)
		})
		var unknown *UnknownError
		if errors.As(err, &unknown) {
			unknown.Err = fmt.Errorf("%w: register it with registry.Register or `sordini schema register`: %w", ErrNotRegistered, unknown.Err)
		}
		if err != nil {
			return nil, err
		}
		return c.resolve(ctx, found)
	})
}

// Register registers a schema under a subject and returns it as it is registered. Registering it again does nothing. It fails with an [*IncompatibleError]
// where the registry's compatibility level forbids it.
func (c *Client) Register(ctx context.Context, subject string, s sr.Schema, normalize bool) (*Schema, error) {
	registered, err := c.register(ctx, subject, s, normalize)
	if conflicts(err) {
		return nil, &IncompatibleError{Subject: subject, Err: err}
	}
	return registered, err
}

// Subjects returns the names of the subjects that have versions.
func (c *Client) Subjects(ctx context.Context) ([]string, error) {
	return do(ctx, c, "its subjects", func(ctx context.Context, cl *sr.Client) ([]string, error) { return cl.Subjects(ctx) })
}

// Versions returns the numbers of a subject's versions, oldest first.
func (c *Client) Versions(ctx context.Context, subject string) ([]int, error) {
	return do(ctx, c, "subject "+subject, func(ctx context.Context, cl *sr.Client) ([]int, error) { return cl.SubjectVersions(ctx, subject) })
}

// Version returns a version of a subject, the latest where version is not positive. It is not cached.
func (c *Client) Version(ctx context.Context, subject string, version int) (*Schema, error) {
	if version <= 0 {
		version = latestVersion
	}
	s, err := c.version(ctx, subject, version)
	if err != nil {
		return nil, err
	}
	return c.resolve(ctx, s)
}

// register registers a schema and returns it as it is registered.
func (c *Client) register(ctx context.Context, subject string, s sr.Schema, normalize bool) (*Schema, error) {
	id, err := do(ctx, c, "to register a schema under subject "+subject, func(ctx context.Context, cl *sr.Client) (int, error) {
		return cl.RegisterSchema(params(ctx, normalize), subject, s, -1, -1)
	})
	if err != nil {
		return nil, err
	}
	registered, err := do(ctx, c, "a schema under subject "+subject, func(ctx context.Context, cl *sr.Client) (sr.SubjectSchema, error) {
		return cl.LookupSchema(params(ctx, normalize), subject, s)
	})
	if err != nil {
		return nil, fmt.Errorf("registered as id %d, but: %w", id, err)
	}
	return c.resolve(ctx, registered)
}

func params(ctx context.Context, normalize bool) context.Context {
	if normalize {
		return sr.WithParams(ctx, sr.Normalize)
	}
	return ctx
}
