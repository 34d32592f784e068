package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"sync"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/producer"
)

// api is the service's HTTP face: POST /orders, GET /orders/{id}, GET /healthz.
type api struct {
	service  *service
	progress *progress

	mu      sync.RWMutex
	refuses bool
}

func (a *api) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", a.post)
	mux.HandleFunc("GET /orders/{id}", a.get)
	mux.HandleFunc("GET /healthz", a.health)
	return mux
}

// refuse answers every further order with 503. It returns when no order is being accepted any more.
func (a *api) refuse() {
	a.mu.Lock()
	a.refuses = true
	a.mu.Unlock()
}

// post answers 202 once the order can not be lost any more, 503 when it was not published, and 500 with outcome unknown when nobody can say.
func (a *api) post(w http.ResponseWriter, r *http.Request) {
	var o Order
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&o); err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": "the body is no order: " + err.Error()})
		return
	}
	if o.ID == "" {
		o.ID = rand.Text()
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.refuses {
		w.Header().Set("Retry-After", "5")
		answer(w, http.StatusServiceUnavailable, map[string]string{"error": "shutting down"})
		return
	}
	ctx := r.Context()
	if id := r.Header.Get("Correlation-Id"); id != "" {
		ctx = sordini.WithCorrelationID(ctx, id)
	}
	a.progress.expect(o.ID)
	switch err := a.service.place(ctx, o); {
	case err == nil:
		answer(w, http.StatusAccepted, map[string]string{"id": o.ID})
	case errors.Is(err, producer.ErrOutcomeUnknown):
		answer(w, http.StatusInternalServerError, map[string]string{"id": o.ID, "error": "outcome unknown: " + err.Error()})
	default:
		a.progress.forget(o.ID)
		answer(w, http.StatusServiceUnavailable, map[string]string{"id": o.ID, "error": err.Error()})
	}
}

func (a *api) get(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	states, ok := a.progress.of(id)
	if !ok {
		answer(w, http.StatusNotFound, map[string]string{"id": id, "error": "no such order"})
		return
	}
	answer(w, http.StatusOK, map[string]any{"id": id, "groups": states})
}

func (a *api) health(w http.ResponseWriter, _ *http.Request) {
	status := http.StatusOK
	body := map[string]any{}
	for i, g := range a.service.groups {
		h := g.Health()
		if !h.OK {
			status = http.StatusServiceUnavailable
		}
		body[groups[i].name] = h
	}
	answer(w, status, body)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nobody to tell
}
