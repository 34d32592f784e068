package consumer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Handler serves what a platform asks a group. Mount it where only the platform can reach it: /statusz shows keys and errors (see RedactKeys and
// dlt.Format.Redact). Each answer is JSON, for GET and HEAD, and none asks a broker.
//
//   - /livez is 503 only where a restart is likely to help: Run has returned an error, or every handler that may run has been told to stop and goes on, so that
//     nothing else can. A cluster or a dependency that is away, a pause or a lag do not make it so: restarting would help none of them, and cost a rebalance.
//   - /readyz is 200 while the group runs, is a member of its group and has its assignment, which may be empty where there are more members than partitions. It
//     is for rollouts. It is 503 before that, between a lost session and the next, and from the start of a drain on.
//   - /healthz is 200 while Group.Health is OK, and says why it is not: for alerts, and for nothing that restarts.
//   - /statusz is always 200, and shows Group.Status.
func (g *Group) Handler() http.Handler {
	mux := http.NewServeMux()
	probe := func(path string, ask func() (bool, any)) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			ok, body := ask()
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "no-store")
			if !ok {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			_ = json.NewEncoder(w).Encode(body) // whoever asked is gone
		})
	}
	probe("/livez", func() (bool, any) { return answer(g.Live()) })
	probe("/readyz", func() (bool, any) { return answer(g.Ready()) })
	probe("/healthz", func() (bool, any) { h := g.Health(); return h.OK, h })
	probe("/statusz", func() (bool, any) { return true, g.Status() })
	return mux
}

func answer(err error) (bool, any) {
	type body struct {
		OK  bool   `json:"ok"`
		Why string `json:"why,omitempty"`
	}
	if err != nil {
		return false, body{Why: err.Error()}
	}
	return true, body{OK: true}
}

// Live returns nil unless a restart of the process is likely to help, and then why; see Handler.
func (g *Group) Live() error {
	g.mu.Lock()
	e, state, failed, most := g.engine, g.state, g.failed, g.cfg.concurrency
	g.mu.Unlock()
	if state == stateStopped && failed != nil {
		return fmt.Errorf("the run ended: %w", failed)
	}
	if e == nil || state != stateRunning {
		return nil
	}
	n := 0
	now := time.Now()
	for _, p := range e.partitions() {
		p.mu.Lock()
		for _, a := range p.running {
			if a.overdue && now.Sub(a.deadline) > graceTimeout {
				n++
			}
		}
		p.mu.Unlock()
	}
	if n >= most {
		return fmt.Errorf("all %d handlers that may run go on although their contexts were cancelled; nothing else can run", n)
	}
	return nil
}

// Ready returns nil while the group runs and has its assignment, and otherwise what is missing; see Handler.
func (g *Group) Ready() error {
	g.mu.Lock()
	e, state := g.engine, g.state
	g.mu.Unlock()
	if state != stateRunning {
		return fmt.Errorf("the group is %s", state)
	}
	if !e.hasJoined() {
		return fmt.Errorf("the group has not joined yet")
	}
	if m := e.membership(); m.generation < 0 || m.id == "" {
		return fmt.Errorf("the member is not in its group")
	}
	return nil
}
