package brokercommand

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestBrokerWaitsForWhatItIsToAdvertise(t *testing.T) {
	path := filepath.Join(t.TempDir(), "advertise")
	if err := os.WriteFile(path, []byte("outside:3000"), 0o600); err != nil { // half a line
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, func() {
		if err := os.WriteFile(path, []byte("outside:30001,outside:30002\n"), 0o600); err != nil {
			t.Error(err)
		}
	})
	cmd, ready := process(t, nil, "-listen", "127.0.0.1:0", "-brokers", "2", "-advertise-file", path)
	if ready != "outside:30001,outside:30002" {
		t.Errorf("readiness line says %q", ready)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is still there for the next start: %v", err)
	}
	stop(t, cmd)
}

func TestCertificateNamesWhatIsAdvertised(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	cmd, ready := process(t, nil, "-listen", "127.0.0.1:0", "-listener", "INTERNAL://127.0.0.1:0=kafka:9092", "-tls", "-tls-ca-out", ca)
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	for name, good := range map[string]bool{"kafka": true, "localhost": true, "elsewhere": false} {
		conn, err := tls.Dial("tcp", strings.Fields(ready)[0], &tls.Config{RootCAs: pool, ServerName: name})
		if (err == nil) != good {
			t.Errorf("a client that expects %s: %v", name, err)
		}
		if err == nil {
			conn.Close()
		}
	}
	stop(t, cmd)
}
