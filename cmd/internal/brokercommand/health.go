package brokercommand

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// healthPath is where the health is asked for.
const healthPath = "/healthz"

// serveHealth answers GET /healthz: 200 and "ok" while check finds nothing wrong, 503 and what is wrong otherwise. stop ends it and waits.
func serveHealth(address string, check func(context.Context) error) (url string, stop func(), err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", nil, fmt.Errorf("-health: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+healthPath, func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := check(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(l) })
	return "http://" + reachable(l.Addr().String()) + healthPath, func() {
		server.Close()
		served.Wait()
	}, nil
}

// reachable is the address at which this machine reaches one that is listened on.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}

// askHealth is "sordini broker health", for the health check of a container: its error is that the broker is not well.
func askHealth(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("sordini broker health", flag.ContinueOnError)
	flags.SetOutput(stderr)
	address := flags.String("address", os.Getenv(variable("health")), "`host:port` that the broker was given by -health (default $"+variable("health")+")")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *address == "" {
		return fmt.Errorf("-address or $%s must say where the broker's -health is", variable("health"))
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+reachable(*address)+healthPath, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // and no proxy: this is the same machine
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(body)))
	}
	_, err = stdout.Write(body)
	return err
}
