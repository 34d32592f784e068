package registry_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/serde"
	"github.com/sordini-go/sordini/serde/registry"
)

const aSchema = `{"schema":"\"string\""}`

// ask asks for schema 1 with a client of its own.
func ask(t *testing.T, r serde.Registry) error {
	t.Helper()
	if r.Dial == nil {
		r.Dial = new(net.Dialer).DialContext
	}
	_, err := client(t, r).Schema(t.Context(), registry.ID{Number: 1}, "")
	return err
}

func TestCredentialsAreTheFilesOfTheMoment(t *testing.T) {
	want := ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != want {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, aSchema)
	}))
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		r            serde.Registry
		first, later string
	}{
		"bearer": {serde.Registry{BearerToken: sordini.SecretFile(file)}, "Bearer one", "Bearer two"},
		"basic":  {serde.Registry{Username: "u", Password: sordini.SecretFile(file)}, "Basic dTpvbmU=", "Basic dTp0d28="},
	} {
		write("one")
		test.r.URLs, test.r.Dial = []string{srv.URL}, new(net.Dialer).DialContext
		c := client(t, test.r)
		for id, step := range []struct {
			file, server string
			good         bool
		}{{"one", test.first, true}, {"one", test.later, false}, {"two", test.later, true}} {
			write(step.file)
			want = step.server
			_, err := c.Schema(t.Context(), registry.ID{Number: id}, "")
			var refused *serde.AccessError
			if (err == nil) != step.good || err != nil && !errors.As(err, &refused) {
				t.Errorf("%s: %q for %q: %v", name, step.file, step.server, err)
			}
		}
	}
}

// A redirect within the registry's host keeps the credentials, and one to another host loses them.
func TestCredentialsDoNotFollowARedirectToAnotherHost(t *testing.T) {
	network, met := broker.NewNetwork(), ""
	target := "/moved"
	h := func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/moved" {
			http.Redirect(w, req, target, http.StatusTemporaryRedirect)
			return
		}
		met = req.Header.Get("Authorization")
		_, _ = io.WriteString(w, aSchema)
	}
	synctest.Test(t, func(t *testing.T) {
		serve(t, network, "127.0.0.1:1", h)
		serve(t, network, "127.0.0.2:1", h)
		r := serde.Registry{URLs: []string{"http://127.0.0.1:1"}, Dial: network.Dial, BearerToken: sordini.NewSecret("t0ken")}
		if err := ask(t, r); err != nil || met != "Bearer t0ken" {
			t.Errorf("to the same host: %q, %v", met, err)
		}
		target = "http://127.0.0.2:1/moved"
		if err := ask(t, r); err != nil || met != "" {
			t.Errorf("to another host: %q, %v", met, err)
		}
	})
}

// issuer signs certificates.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	ca := &issuer{pool: x509.NewCertPool()}
	ca.cert, ca.key = ca.sign(t, "ca")
	ca.pool.AddCert(ca.cert)
	return ca
}

// sign returns a certificate of its own key, signed by itself where there is no issuer yet.
func (ca *issuer) sign(t *testing.T, name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA: ca.cert == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	parent, signer := template, key
	if ca.cert != nil {
		parent, signer = ca.cert, ca.key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func (ca *issuer) pair(t *testing.T, name string) tls.Certificate {
	cert, key := ca.sign(t, name)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// files writes a certificate and its key into one file.
func (ca *issuer) file(t *testing.T, path, name string) {
	t.Helper()
	cert, key := ca.sign(t, name)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A registry that asks for a certificate meets the one that is in the file by then, for each question is a handshake of its own.
func TestAClientCertificateThatIsReplacedCounts(t *testing.T) {
	ca, met := newIssuer(t), ""
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		met = req.TLS.PeerCertificates[0].Subject.CommonName
		_, _ = io.WriteString(w, aSchema)
	}))
	srv.Config.ErrorLog = nil
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{ca.pair(t, "registry")}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool}
	srv.StartTLS()
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "pair.pem")
	r := serde.Registry{URLs: []string{srv.URL}, Dial: new(net.Dialer).DialContext, TLS: &tls.Config{RootCAs: ca.pool}}
	var again *serde.RetryableError
	if err := ask(t, r); !errors.As(err, &again) {
		t.Errorf("without a certificate: %v", err)
	}
	r.TLS = &tls.Config{RootCAs: ca.pool, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(file, file)
		return &pair, err
	}}
	c := client(t, r)
	for id, name := range []string{"alice", "bob"} {
		ca.file(t, file, name)
		if _, err := c.Schema(t.Context(), registry.ID{Number: id}, ""); err != nil || met != name {
			t.Errorf("the registry met %q, want %q: %v", met, name, err)
		}
	}
	newIssuer(t).file(t, file, "mallory")
	if _, err := c.Schema(t.Context(), registry.ID{Number: 9}, ""); !errors.As(err, &again) {
		t.Errorf("a certificate of somebody else: %v", err)
	}
	if err := ask(t, serde.Registry{URLs: []string{srv.URL}, TLS: &tls.Config{RootCAs: newIssuer(t).pool}}); !errors.As(err, &again) {
		t.Errorf("a registry of somebody else: %v", err)
	}
}

// answering asks a registry that gives every question one answer.
func answering(t *testing.T, status int, body string) error {
	network := broker.NewNetwork()
	serve(t, network, "127.0.0.1:1", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
	return ask(t, serde.Registry{URLs: []string{"http://127.0.0.1:1"}, Dial: network.Dial})
}

func TestNothingDiesOfAnAnswerThatIsNotARegistrys(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
	}{
		"a page that is not found": {404, "<html>404 page not found</html>"}, "plain text to a port of TLS": {400, "Client sent an HTTP request to an HTTPS server."},
		"no body": {404, ""}, "another service's error": {404, `{"message":"no route"}`}, "a code that is text": {404, `{"error_code":"x"}`},
		"a welcome page": {200, "<html>"}, "an empty object": {200, "{}"}, "a list": {200, "[]"}, "null": {200, "null"}, "nothing": {200, ""},
		"cut off": {200, aSchema[:9]}, "a schema that is a number": {200, `{"schema":7}`}, "references that are text": {200, `{"schema":"x","references":"y"}`},
		"too much": {200, `{"schema":"` + strings.Repeat("a", 17<<20) + `"}`},
	} {
		var again *serde.RetryableError
		if err := answering(t, test.status, test.body); !errors.As(err, &again) {
			t.Errorf("%s: %.200v", name, err)
		}
	}
}

// FuzzAnswer gives a client hostile answers. Whatever they are it ends, its memory is bounded, and only a registry's own words make a record poison.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		aSchema, "", "null", "[]", "{}", `{"schema":7}`, `{"error_code":40403,"message":"Schema 1 not found"}`, `{"schema":"x","schemaType":"PROTOBUF"}`,
		`{"schema":"x","references":[{"name":"a","subject":"s","version":1}]}`, `{"schema":"x","schemaType":"COBOL"}`, strings.Repeat(`[`, 5000),
	} {
		for _, status := range []int{200, 204, 302, 404, 500} {
			f.Add(status, []byte(body))
		}
	}
	status, body := 200, []byte(nil)
	network := broker.NewNetwork()
	l, err := network.Listen("127.0.0.1:1")
	if err != nil {
		f.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write(body)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	f.Cleanup(func() { _ = srv.Close(); <-done })
	f.Fuzz(func(t *testing.T, code int, b []byte) {
		if code < 200 || code > 599 || len(b) > 1<<16 {
			return
		}
		status, body = code, b
		c := client(t, serde.Registry{URLs: []string{"http://127.0.0.1:1"}, Dial: func(ctx context.Context, n, a string) (net.Conn, error) { return network.Dial(ctx, n, a) }})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := c.Schema(t.Context(), registry.ID{Number: 1}, "")
		runtime.ReadMemStats(&after)
		if grown, most := after.TotalAlloc-before.TotalAlloc, uint64(4<<20+1024*len(b)); grown > most {
			t.Errorf("%d bytes allocate %d, more than %d", len(b), grown, most)
		}
		var again *serde.RetryableError
		var refused *serde.AccessError
		switch {
		case err == nil && (s == nil || s.Schema.Schema == ""):
			t.Errorf("%d %q is a schema", code, b)
		case err != nil && !errors.As(err, &again) && !errors.As(err, &refused) && !strings.Contains(strings.ToLower(string(b)), "error_code"):
			t.Errorf("%d %q makes a record poison: %v", code, b, fmt.Errorf("%T: %w", err, err))
		}
	})
}
