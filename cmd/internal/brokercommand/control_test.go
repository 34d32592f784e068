package brokercommand

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sordini-go/sordini/broker"
)

func TestControlsDoToBrokersWhatTheirNamesSay(t *testing.T) {
	cluster, err := broker.Start(broker.Config{Brokers: 2, Topics: []broker.Topic{{Name: "orders", Partitions: 1, ReplicationFactor: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	handler := controlHandler(cluster)
	ask := func(method, path string) (int, string) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(method, path, http.NoBody))
		body, err := io.ReadAll(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		return w.Code, string(body)
	}
	for _, c := range []struct {
		path   string
		status int
		leader int32
	}{
		{"/brokers/1/stop", http.StatusNoContent, 2},
		{"/brokers/1/start", http.StatusNoContent, 2},
		{"/brokers/2/kill", http.StatusNoContent, 1},
		{"/brokers/1/kill", http.StatusNoContent, -1},
		{"/brokers/1/start", http.StatusNoContent, 1},
		{"/brokers/1/pause", http.StatusNoContent, 1},
		{"/brokers/1/resume", http.StatusNoContent, 1},
		{"/brokers/7/start", http.StatusNotFound, 1},
		{"/brokers/one/start", http.StatusBadRequest, 1},
		{"/brokers/1/explode", http.StatusNotFound, 1},
	} {
		if status, body := ask(http.MethodPost, c.path); status != c.status {
			t.Errorf("POST %s: %d %s, want %d", c.path, status, body, c.status)
		}
		if leader, _ := cluster.Leader("orders", 0); leader != c.leader {
			t.Errorf("after POST %s broker %d leads, want %d", c.path, leader, c.leader)
		}
	}
	if status, body := ask(http.MethodGet, "/dump"); status != http.StatusOK || !strings.Contains(body, "orders") {
		t.Errorf("GET /dump: %d %s", status, body)
	}
	if status, _ := ask(http.MethodGet, "/brokers/1/stop"); status != http.StatusMethodNotAllowed {
		t.Errorf("GET /brokers/1/stop: %d", status)
	}
}

func TestTheReadinessLineSaysWhereTheControlsAre(t *testing.T) {
	cmd, ready := process(t, nil, "-listen", "127.0.0.1:0", "-brokers", "2", "-control", "127.0.0.1:0")
	defer stop(t, cmd)
	_, url, ok := strings.Cut(ready, " control ")
	if !ok {
		t.Fatalf("readiness line is %q", ready)
	}
	answer, err := http.Post(url+"/brokers/2/stop", "", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		t.Errorf("stop broker 2: %s", answer.Status)
	}
}
