package sordini_test

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
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sordini-go/sordini"
)

// pki is an authority with a certificate for localhost, in files.
type pki struct {
	dir, ca, cert, key, expired string
	pair                        tls.Certificate
	pool                        *x509.CertPool
}

// newPKI makes one for alice, or for who is named.
func newPKI(t *testing.T, name ...string) pki {
	t.Helper()
	who := append(name, "alice")[0]
	p := pki{dir: t.TempDir(), pool: x509.NewCertPool()}
	file := func(name, kind string, der []byte) string {
		path := filepath.Join(p.dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	newKey := func() (*ecdsa.PrivateKey, []byte) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return key, der
	}
	serial := int64(0)
	sign := func(name string, parent *x509.Certificate, pub *ecdsa.PublicKey, by *ecdsa.PrivateKey, until time.Time) (*x509.Certificate, []byte) {
		serial++
		c := &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until, DNSNames: []string{"localhost"},
			KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
			BasicConstraintsValid: true, IsCA: parent == nil,
		}
		if parent == nil {
			parent = c
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, pub, by)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return parsed, der
	}
	caKey, _ := newKey()
	ca, caDER := sign("authority", nil, &caKey.PublicKey, caKey, time.Now().Add(time.Hour))
	p.ca = file("ca.pem", "CERTIFICATE", caDER)
	p.pool.AddCert(ca)
	key, keyDER := newKey()
	_, der := sign(who, ca, &key.PublicKey, caKey, time.Now().Add(time.Hour))
	p.cert, p.key = file("cert.pem", "CERTIFICATE", der), file("key.pem", "PRIVATE KEY", keyDER)
	p.pair = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	_, old := sign("bob", ca, &key.PublicKey, caKey, time.Now().Add(-24*time.Hour))
	p.expired = file("expired.pem", "CERTIFICATE", old)
	return p
}

func (p pki) file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTLSFromFilesSaysWhatIsWrongWithAFile(t *testing.T) {
	p, other := newPKI(t), newPKI(t)
	empty, der := p.file(t, "empty", ""), p.file(t, "der", "\x30\x82\x01\x02")
	jks := p.file(t, "jks", "\xfe\xed\xfe\xed\x00\x00")
	encrypted := p.file(t, "encrypted", "-----BEGIN ENCRYPTED PRIVATE KEY-----\naHVudGVyMg==\n-----END ENCRYPTED PRIVATE KEY-----\n")
	legacy := p.file(t, "legacy", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\naHVudGVyMg==\n-----END RSA PRIVATE KEY-----\n")
	broken := p.file(t, "broken", "-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n")
	for name, c := range map[string]struct {
		ca, cert, key string
		want          []string
	}{
		"no CA":                 {"/nowhere", "", "", []string{"CA file", "/nowhere"}},
		"empty CA":              {empty, "", "", []string{"CA file", empty, "PEM"}},
		"DER":                   {der, "", "", []string{"CA file", "DER", "openssl"}},
		"JKS":                   {jks, "", "", []string{"CA file", "Java keystore", "keytool"}},
		"key as CA":             {p.key, "", "", []string{"CA file", "PRIVATE KEY", "no certificate"}},
		"broken CA":             {broken, "", "", []string{"CA file", "certificate 1"}},
		"certificate alone":     {"", p.cert, "", []string{p.cert, "without a key file"}},
		"key alone":             {"", "", p.key, []string{p.key, "without a certificate file"}},
		"other's key":           {"", p.cert, other.key, []string{p.cert, other.key, "does not match"}},
		"encrypted key":         {"", p.cert, encrypted, []string{encrypted, "decrypt"}},
		"encrypted, old style":  {"", p.cert, legacy, []string{legacy, "decrypt"}},
		"expired":               {"", p.expired, p.key, []string{p.expired, "CN=bob", "expired"}},
		"no key file":           {"", p.cert, "/nowhere", []string{"key file", "/nowhere"}},
		"no certificate file":   {"", "/nowhere", p.key, []string{"certificate file", "/nowhere"}},
		"certificate is no PEM": {"", der, p.key, []string{"certificate file", "DER"}},
	} {
		_, err := sordini.TLSFromFiles(c.ca, c.cert, c.key)
		if !errors.Is(err, sordini.ErrCluster) {
			t.Errorf("%s: error %v", name, err)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not mention %q", name, err, part)
			}
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "aHVudGVyMg") {
			t.Errorf("%s: %q shows what is in the file", name, err)
		}
	}
}

func TestTLSFromFiles(t *testing.T) {
	p := newPKI(t)
	bundle := p.file(t, "bundle", read(t, p.ca)+read(t, p.cert))
	for _, files := range [][3]string{{"", "", ""}, {p.ca, "", ""}, {bundle, "", ""}, {p.ca, p.cert, p.key}} {
		cfg, err := sordini.TLSFromFiles(files[0], files[1], files[2])
		if err != nil {
			t.Errorf("%v: %v", files, err)
			continue
		}
		if (cfg.RootCAs == nil) != (files[0] == "") || len(cfg.Certificates) != min(1, len(files[1])) || cfg.MinVersion != tls.VersionTLS12 {
			t.Errorf("%v: RootCAs %v, %d certificates, least version %x", files, cfg.RootCAs, len(cfg.Certificates), cfg.MinVersion)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestTLSIsPutOnTopOfDial(t *testing.T) {
	p := newPKI(t)
	server, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{p.pair}, ClientCAs: p.pool, ClientAuth: tls.RequireAndVerifyClientCert})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	greeted := make(chan string, 1)
	go func() {
		conn, err := server.Accept()
		if err != nil {
			greeted <- err.Error()
			return
		}
		defer func() { _ = conn.Close() }()
		if err := conn.(*tls.Conn).Handshake(); err != nil {
			greeted <- err.Error()
			return
		}
		greeted <- conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
	}()
	cfg, err := sordini.TLSFromFiles(p.ca, p.cert, p.key)
	if err != nil {
		t.Fatal(err)
	}
	dialled := ""
	c := working(func(c *sordini.Cluster) {
		c.TLS = cfg
		c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			dialled = address
			return (&net.Dialer{}).DialContext(ctx, network, server.Addr().String())
		}
	})
	cl, err := c.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pinged := make(chan error, 1)
	go func() { pinged <- cl.Ping(ctx) }()
	if got := <-greeted; got != "alice" {
		t.Errorf("the server saw %q, want alice", got)
	}
	cancel()
	if err := <-pinged; err == nil {
		t.Error("a server that answers nothing was pinged")
	}
	if dialled != "localhost:9092" {
		t.Errorf("dialled %q", dialled)
	}
	if c.TLS.ServerName != "" {
		t.Errorf("the caller's configuration was changed: %q", c.TLS.ServerName)
	}
}
