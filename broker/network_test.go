package broker_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/broker"
)

// connected returns both ends of a connection in memory.
func connected(t *testing.T) (client, server net.Conn) {
	t.Helper()
	network := broker.NewNetwork()
	l, err := network.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if client, err = network.Dial(t.Context(), "tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		server.Close()
		l.Close()
	})
	return client, server
}

func TestBytesArriveInOrderAndWhole(t *testing.T) {
	client, server := connected(t)
	r := rand.New(rand.NewPCG(1, 2))
	sent := make([]byte, 5<<20)
	for i := range sent {
		sent[i] = byte(r.Uint32())
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for rest := sent; len(rest) > 0; {
			n := min(1+r.IntN(3<<20), len(rest)) // more than the buffer holds, at times
			if _, err := client.Write(rest[:n]); err != nil {
				t.Error(err)
				return
			}
			rest = rest[n:]
		}
		client.Close()
	})
	got, err := io.ReadAll(server)
	wg.Wait()
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes of %d, %v", len(got), len(sent), err)
	}
}

func TestClosedConnectionIsNoticedOnBothSides(t *testing.T) {
	client, server := connected(t)
	if _, err := client.Write([]byte("last words")); err != nil {
		t.Fatal(err)
	}
	client.Close()
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read of a closed connection: %v", err)
	}
	if _, err := client.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write to a closed connection: %v", err)
	}
	if got, err := io.ReadAll(server); string(got) != "last words" || err != nil {
		t.Errorf("the other side read %q, %v", got, err)
	}
	if _, err := server.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("the other side wrote: %v", err)
	}
}

func TestDeadlinesAreHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := connected(t)
		begin := time.Now()
		client.SetReadDeadline(begin.Add(time.Hour))
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		if d := time.Since(begin); d != time.Hour {
			t.Errorf("read gave up after %v", d)
		}
		client.SetReadDeadline(time.Time{})
		go func() {
			time.Sleep(time.Hour)
			server.Write([]byte("x"))
		}()
		if n, err := client.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("read after the deadline was lifted: %d, %v", n, err)
		}
		begin = time.Now()
		client.SetWriteDeadline(begin.Add(time.Hour))
		var ne net.Error
		if n, err := client.Write(make([]byte, 10<<20)); !errors.As(err, &ne) || !ne.Timeout() || n == 0 || n == 10<<20 {
			t.Errorf("write to one who does not read: %d, %v", n, err)
		}
		if d := time.Since(begin); d != time.Hour {
			t.Errorf("write gave up after %v", d)
		}
		client.SetDeadline(time.Now().Add(-time.Second))
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read with a deadline in the past: %v", err)
		}
		client.SetReadDeadline(time.Now().Add(time.Hour))
		time.AfterFunc(time.Minute, func() { client.SetReadDeadline(time.Now()) })
		begin = time.Now()
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != time.Minute {
			t.Errorf("read whose deadline was moved: %v after %v", err, time.Since(begin))
		}
	})
}

func TestAddressIsTakenUntilItsListenerIsClosed(t *testing.T) {
	network := broker.NewNetwork()
	l, err := network.Listen("127.0.0.1:9092")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := network.Listen("127.0.0.1:9092"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("listen twice: %v", err)
	}
	waiting, err := network.Dial(t.Context(), "tcp", "127.0.0.1:9092")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := waiting.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("connection that nobody accepted: %v", err)
	}
	if _, err := network.Dial(t.Context(), "tcp", "127.0.0.1:9092"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial after the listener was closed: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after the listener was closed: %v", err)
	}
	if l, err = network.Listen("127.0.0.1:9092"); err != nil {
		t.Errorf("listen again: %v", err)
	}
	l.Close()
}
