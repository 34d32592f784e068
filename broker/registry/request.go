package registry

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// request is what a handler sees of a request.
type request struct {
	params map[string]string // from the path
	query  url.Values
	body   []byte
}

func (q *request) flag(name string) bool { return strings.EqualFold(q.query.Get(name), "true") }

// subject returns the subject of the path as it is kept.
func (q *request) subject() string { return normalizeName(q.params["subject"]) }

// number reads a number of the query. One that is not a number names something that does not exist.
func (q *request) number(name string, fallback int) (int, error) {
	s := q.query.Get(name)
	if s == "" {
		return fallback, nil
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return 0, plain(http.StatusNotFound)
	}
	return int(n), nil
}

// id returns the id of the path.
func (q *request) id() (int, error) {
	n, err := strconv.ParseInt(q.params["id"], 10, 32)
	if err != nil {
		return 0, plain(http.StatusNotFound)
	}
	return int(n), nil
}

// page cuts what offset and limit ask for out of a list. A negative limit is none.
func page[T any](q *request, all []T, most int) ([]T, error) {
	offset, err := q.number("offset", 0)
	if err != nil {
		return nil, err
	}
	limit, err := q.number("limit", -1)
	if err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, errorf(http.StatusInternalServerError, "offset %d is negative", offset)
	}
	all = all[min(offset, len(all)):]
	if most > 0 && (limit < 0 || limit > most) {
		limit = most
	}
	if limit >= 0 {
		all = all[:min(limit, len(all))]
	}
	if all == nil {
		all = []T{}
	}
	return all, nil
}

// decode reads a JSON body.
func (q *request) decode(v any) error {
	if len(q.body) == 0 || string(q.body) == "null" {
		return errorf(http.StatusUnprocessableEntity, "The request must not be null")
	}
	if err := json.Unmarshal(q.body, v); err != nil {
		return errorf(http.StatusBadRequest, "the request is not the JSON that is expected: %v", err)
	}
	return nil
}

// schemaRequest is the body with which a schema is registered, looked up or checked.
type schemaRequest struct {
	Version    *int        `json:"version"`
	ID         *int        `json:"id"`
	SchemaType string      `json:"schemaType"`
	References []reference `json:"references"`
	Metadata   *metadata   `json:"metadata"`
	RuleSet    *ruleSet    `json:"ruleSet"`
	Schema     string      `json:"schema"`
}

func (q *request) candidate() (candidate, error) {
	var body schemaRequest
	if err := q.decode(&body); err != nil {
		return candidate{}, err
	}
	c := candidate{id: -1, definition: definition{
		typ: body.SchemaType, schema: body.Schema, references: body.References, metadata: body.Metadata, ruleSet: body.RuleSet,
	}}
	if c.typ == "" {
		c.typ = typeAvro
	}
	if body.Version != nil {
		c.version = *body.Version
	}
	if body.ID != nil {
		c.id = *body.ID
	}
	return c, nil
}

// readBody reads a request's body up to the limit.
func readBody(w http.ResponseWriter, req *http.Request, limit int64) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(w, req.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, errorf(http.StatusRequestEntityTooLarge, "the request is larger than %d bytes", limit)
	case err != nil:
		return nil, errorf(http.StatusBadRequest, "the request could not be read: %v", err)
	}
	return b, nil
}
