package consumer

import (
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
)

// Nothing that goes wrong with fetching stops a partition in silence: each error of franz-go is a reason, a notice or the end of the run.
func TestG13EachFetchErrorHasItsConsequence(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		code   string
		notice bool
		ends   bool
		passes bool // forgotten when it does not come back
	}{
		"retryable":           {err: kerr.UnknownServerError, code: "fetch-failed", passes: true},
		"corrupt batch":       {err: errors.New("crc mismatch"), code: "fetch-failed", passes: true},
		"batch too large":     {err: &kgo.ErrDecompressTooLarge{Topic: "orders", Offset: 5, NextOffset: 9}, code: "batch-too-large"},
		"data loss":           {err: &kgo.ErrDataLoss{Topic: "orders", ConsumedTo: 9, ResetTo: 5}, code: "data-loss", notice: true},
		"session":             {err: &kgo.ErrGroupSession{Err: kerr.CoordinatorNotAvailable}, code: "group-session", passes: true},
		"group not allowed":   {err: &kgo.ErrGroupSession{Err: kerr.GroupAuthorizationFailed}, code: "group-session", ends: true, passes: true},
		"other assignors":     {err: &kgo.ErrGroupSession{Err: kerr.InconsistentGroupProtocol}, code: "group-session", ends: true, passes: true},
		"topic not allowed":   {err: kerr.TopicAuthorizationFailed, code: "fetch-failed", ends: true, passes: true},
		"topic was recreated": {err: kerr.UnknownTopicID, ends: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &Group{name: "g", state: stateRunning, cfg: newConfig(sordini.Cluster{Logger: slog.New(slog.DiscardHandler)}, nil)}
				e := newEngine(g, nil)
				cl, err := kgo.NewClient()
				if err != nil {
					t.Fatal(err)
				}
				defer cl.Close()
				g.engine, e.cl = e, cl
				e.fetchFailed("orders", 0, c.err)
				h := g.Health()
				if c.code == "" && len(h.Reasons) > 0 || c.code != "" && (len(h.Reasons) != 1 || h.Reasons[0].Code != c.code || h.Reasons[0].Notice != c.notice) {
					t.Errorf("health %+v, want %q", h, c.code)
				}
				if h.OK != (c.code == "" || c.notice) {
					t.Errorf("well %v", h.OK)
				}
				select {
				case err := <-e.fatal:
					if !c.ends {
						t.Errorf("the run ends with %v", err)
					}
				default:
					if c.ends {
						t.Error("the run goes on")
					}
				}
				time.Sleep(6 * time.Minute)
				if gone := len(g.Health().Reasons) == 0; gone != (c.passes || c.code == "") {
					t.Errorf("health %+v six minutes later", g.Health())
				}
			})
		})
	}
}
