package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
)

const defaultMaxBody = 4 << 20

// Registry is a schema registry. It is an [http.Handler], safe for concurrent use.
type Registry struct {
	cfg   Config
	level string // where none is set
	log   Log

	mu     sync.Mutex // guards what follows
	state  *state
	offset int64 // how far the log has been read
	parsed parsedCache
	closed bool
}

// New makes a registry and reads its log. It fails when the configuration is wrong or the log cannot be read.
func New(cfg Config) (*Registry, error) {
	if cfg.Log == nil {
		cfg.Log = new(MemoryLog)
	}
	if cfg.Compatibility == "" {
		cfg.Compatibility = levelBackward
	}
	if !validLevel(cfg.Compatibility) {
		return nil, fmt.Errorf("schema registry: compatibility %q is not one of %v", cfg.Compatibility, levels)
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = defaultMaxBody
	}
	if cfg.MaxBody < 0 {
		return nil, fmt.Errorf("schema registry: requests of at most %d bytes", cfg.MaxBody)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Registry{cfg: cfg, level: cfg.Compatibility, log: cfg.Log, state: newState()}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.catchUp(); err != nil {
		return nil, fmt.Errorf("schema registry: %w", err)
	}
	return r, nil
}

// Close makes the registry answer nothing more. It keeps what is in its log. It never fails.
func (r *Registry) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return nil
}

// errClosed is answered once the registry has been closed.
var errClosed = errorf(http.StatusServiceUnavailable, "the schema registry has been closed")

// read runs f on the state as the log has it now.
func (r *Registry) read(f func() (any, error)) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errClosed
	}
	if err := r.catchUp(); err != nil {
		return nil, storeError(err)
	}
	return f()
}

// write runs f, appends the records that it returns and answers what it returned. When another registry was faster, it is run again.
func (r *Registry) write(f func() (any, []Record, error)) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if r.closed {
			return nil, errClosed
		}
		if err := r.catchUp(); err != nil {
			return nil, storeError(err)
		}
		answer, records, err := f()
		if err != nil || len(records) == 0 {
			return answer, err
		}
		err = r.log.Append(r.offset, records)
		if errors.Is(err, ErrMoved) {
			continue
		}
		if err != nil {
			return nil, storeError(err)
		}
		if err := r.catchUp(); err != nil {
			return nil, storeError(err)
		}
		return answer, nil
	}
}

func storeError(err error) error {
	return errorf(codeStore, "Error in the backend data store: %v", err)
}

// catchUp reads what the log holds beyond what is known.
func (r *Registry) catchUp() error {
	records, end, err := r.log.Read(r.offset)
	if errors.Is(err, ErrRecreated) && r.offset > 0 {
		r.state, r.offset = newState(), 0
		records, end, err = r.log.Read(0)
	}
	if err != nil {
		return fmt.Errorf("read the log from offset %d: %w", r.offset, err)
	}
	for _, rec := range records {
		if err := r.state.apply(rec); err != nil {
			r.cfg.Logger.Warn("a record of the schema registry's log is ignored", "key", string(rec.Key), "error", err)
		}
	}
	r.offset = end
	return nil
}

// encode writes JSON as other languages do: without escaping what HTML would need.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // only the types of this package come here
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
