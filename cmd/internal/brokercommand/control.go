package brokercommand

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/sordini-go/sordini/broker"
)

// controlHandler lets a test in any language do to the brokers what a Go test does by the methods of [broker.Cluster]:
//
//	POST /brokers/2/kill     as SIGKILL would; likewise stop (SIGTERM), start, pause (SIGSTOP), resume
//	GET  /dump               everything that the cluster holds, for a person
//
// It answers when it is done. Who reaches the address may do it all: it is for the machine that the test runs on.
func controlHandler(cluster *broker.Cluster) http.Handler {
	verbs := map[string]func(int32) error{
		"kill":   func(id int32) error { return cluster.KillBroker(id) },
		"stop":   cluster.StopBroker,
		"start":  func(id int32) error { return cluster.StartBroker(id) },
		"pause":  cluster.PauseBroker,
		"resume": cluster.ResumeBroker,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /brokers/{id}/{verb}", func(w http.ResponseWriter, r *http.Request) {
		verb, ok := verbs[r.PathValue("verb")]
		if !ok {
			http.Error(w, fmt.Sprintf("no verb %q: kill, stop, start, pause or resume", r.PathValue("verb")), http.StatusNotFound)
			return
		}
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 32)
		if err != nil {
			http.Error(w, fmt.Sprintf("%q is no broker's id", r.PathValue("id")), http.StatusBadRequest)
			return
		}
		switch err := verb(int32(id)); {
		case errors.Is(err, broker.ErrUnknownBroker):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			http.Error(w, err.Error(), http.StatusConflict)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
	mux.HandleFunc("GET /dump", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		cluster.Dump(w)
	})
	return mux
}

// serveControl serves the controls on an address. stop ends that and waits.
func serveControl(address string, cluster *broker.Cluster) (url string, stop func(), err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", nil, fmt.Errorf("-control: %w", err)
	}
	server := &http.Server{Handler: controlHandler(cluster), ReadHeaderTimeout: 5 * time.Second}
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(l) })
	return "http://" + reachable(l.Addr().String()), func() {
		server.Close()
		served.Wait()
	}, nil
}
