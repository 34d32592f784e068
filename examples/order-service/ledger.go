package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// kind says how an order came to be on the topic.
type kind string

const (
	accepted kind = "accepted" // published by this service
	injected kind = "injected" // undecodable bytes that the demo put there
)

// entry is one line of the ledger.
type entry struct {
	ID   string `json:"id"`
	Kind kind   `json:"kind"`
}

// ledger is the acceptance ledger: a file with one line for every order whose publishing was acknowledged, written before anybody is told so.
// Each line is one write to the file, so that it survives the process (not the machine: it is not synced).
type ledger struct {
	mu   sync.Mutex
	file *os.File
	n    int
}

// openLedger opens the file for appending, so that a restarted service goes on with the ledger of the one that was killed. A last line that a kill tore off is
// ended, and ignored by readLedger.
func openLedger(path string) (*ledger, error) {
	old, err := readLedger(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the acceptance ledger: %w", err)
	}
	if info, err := f.Stat(); err == nil && info.Size() > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			if _, err := f.WriteString("\n"); err != nil {
				return nil, errors.Join(fmt.Errorf("mend the acceptance ledger: %w", err), f.Close())
			}
		}
	}
	return &ledger{file: f, n: len(old)}, nil
}

func (l *ledger) write(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("order %s is published, but the acceptance ledger can not be written: %w", e.ID, err)
	}
	l.n++
	return nil
}

func (l *ledger) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

func (l *ledger) path() string { return l.file.Name() }

func (l *ledger) close() error { return l.file.Close() }

// readLedger reads a ledger file. A torn line (the process was killed while writing it, so nobody was told) is passed over.
func readLedger(path string) (map[string]kind, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries := map[string]kind{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var e entry
		if json.Unmarshal(lines.Bytes(), &e) == nil && e.ID != "" {
			entries[e.ID] = e.Kind
		}
	}
	return entries, lines.Err()
}
