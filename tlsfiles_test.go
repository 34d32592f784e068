package sordini_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sordini-go/sordini"
)

// handshakes is a listener that says of each handshake who came, or why it failed.
type handshakes struct {
	address string
	came    chan string
}

func newHandshakes(t *testing.T, cfg func() *tls.Config) handshakes {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := handshakes{l.Addr().String(), make(chan string, 1)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			conn := tls.Server(raw, cfg())
			switch err := conn.HandshakeContext(context.Background()); {
			case err != nil:
				h.came <- "refused"
			case len(conn.ConnectionState().PeerCertificates) > 0:
				h.came <- conn.ConnectionState().PeerCertificates[0].Subject.String()
			default:
				h.came <- "nobody"
			}
			_ = conn.Close()
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return h
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, string(data))
}

// Certificates in files that were changed count from the next connection on. What is broken by then keeps what it was, and is reported; the other files
// count nevertheless.
func TestCertificatesAreReadAgainAtEachConnection(t *testing.T) {
	sordini.ForgetWarnings()
	p, other := newPKI(t), newPKI(t)
	dir := t.TempDir()
	files := sordini.TLSFiles{CA: filepath.Join(dir, "ca"), Cert: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key")}
	copyFile(t, p.ca, files.CA)
	copyFile(t, p.cert, files.Cert)
	copyFile(t, p.key, files.Key)
	var server atomic.Pointer[pki]
	server.Store(&p)
	h := newHandshakes(t, func() *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{server.Load().pair}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}
	})
	var out lockedBuffer
	dial, err := sordini.Cluster{
		Brokers: []string{h.address}, TLSFiles: files, TLS: &tls.Config{ServerName: "localhost"}, Logger: slog.New(slog.NewTextHandler(&out, nil)),
	}.Dialer()
	if err != nil {
		t.Fatal(err)
	}
	meets := func(want string) {
		t.Helper()
		conn, err := dial(t.Context(), "tcp", h.address)
		if err == nil {
			_ = conn.Close()
		}
		if got := <-h.came; got != want || (err == nil) == (want == "refused") {
			t.Errorf("the broker met %q, want %q; error %v", got, want, err)
		}
	}
	meets("CN=alice")
	rotated := newPKI(t, "carol")
	copyFile(t, rotated.cert, files.Cert)
	copyFile(t, rotated.key, files.Key)
	meets("CN=carol")
	server.Store(&other)
	meets("refused")
	copyFile(t, other.ca, files.CA)
	meets("CN=carol")
	if out.String() != "" {
		t.Errorf("reported %s", out.String())
	}

	write(t, files.CA, "garbage")
	copyFile(t, p.cert, files.Cert)
	copyFile(t, p.key, files.Key)
	meets("CN=alice")
	meets("CN=alice")
	if text := out.String(); strings.Count(text, "what it held before is used") != 1 || !strings.Contains(text, files.CA) {
		t.Errorf("reported %s", text)
	}
	copyFile(t, other.ca, files.CA)
	copyFile(t, rotated.cert, files.Cert) // without its key: half of a rotation
	meets("CN=alice")
	copyFile(t, rotated.key, files.Key)
	meets("CN=carol")
	if err := os.Remove(files.Key); err != nil {
		t.Fatal(err)
	}
	meets("CN=carol")
}

func TestTLSFilesThatCanNotWorkAreRefused(t *testing.T) {
	p := newPKI(t)
	for name, c := range map[string]struct {
		files sordini.TLSFiles
		tls   *tls.Config
		want  string
	}{
		"no CA file":       {sordini.TLSFiles{CA: "/nowhere"}, nil, "/nowhere"},
		"no key":           {sordini.TLSFiles{Cert: p.cert}, nil, "without a key file"},
		"expired":          {sordini.TLSFiles{Cert: p.expired, Key: p.key}, nil, "expired"},
		"two authorities":  {sordini.TLSFiles{CA: p.ca}, &tls.Config{RootCAs: p.pool}, "TLS.RootCAs and TLSFiles.CA"},
		"two certificates": {sordini.TLSFiles{Cert: p.cert, Key: p.key}, &tls.Config{Certificates: []tls.Certificate{p.pair}}, "leave one out"},
		"certificate by func": {sordini.TLSFiles{Cert: p.cert, Key: p.key}, &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &p.pair, nil
		}}, "leave one out"},
	} {
		cluster := working(func(cl *sordini.Cluster) { cl.TLSFiles, cl.TLS = c.files, c.tls })
		if err := cluster.Validate(); !errors.Is(err, sordini.ErrCluster) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "TLSFiles") {
			t.Errorf("%s: error %v", name, err)
		}
		if cl, err := cluster.NewClient(); err == nil {
			cl.Close()
			t.Errorf("%s: NewClient takes it", name)
		}
	}
	c := working(func(cl *sordini.Cluster) { cl.TLSFiles = sordini.TLSFiles{CA: p.ca, Cert: p.cert, Key: p.key} })
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if text := fmt.Sprint(c); c.Principal() != "User:CN=alice" || !strings.Contains(text, "tls=mutual") {
		t.Errorf("%s is %s", text, c.Principal())
	}
	c.SASL = sordini.Plain("u", "p")
	if err := c.Validate(); err != nil {
		t.Errorf("PLAIN over TLS by files: %v", err)
	}
}
