// Package lograte bounds how often the same thing is logged.
package lograte

import (
	"hash/maphash"
	"sync"
	"time"
)

// Every is how often a line is repeated while its cause lasts.
const Every = 10 * time.Second

// maxKinds bounds the memory: beyond it kinds that are new share one budget.
const maxKinds = 1024

// Limiter lets the first line of a kind through and then at most one in Every. The zero value is ready to use; it is safe for concurrent use.
type Limiter struct {
	mu    sync.Mutex
	kinds map[uint64]*kind
	swept time.Time // when kinds that have gone quiet were last looked for
}

type kind struct {
	at      time.Time // when a line was let through
	skipped int       // since then
}

var seed = maphash.MakeSeed()

// Allow reports whether a line may be written now, and how many of its kind were not since the last one that was. The kind is where and message together,
// the message with its quoted text and every word that holds a digit left out: ids, offsets and addresses do not make a new kind.
func (l *Limiter) Allow(where, message string) (ok bool, skipped int) {
	now := time.Now()
	h := hash(where, message)
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.kinds[h]
	if k == nil {
		if l.kinds == nil {
			l.kinds = make(map[uint64]*kind)
		}
		if len(l.kinds) >= maxKinds && now.Sub(l.swept) >= Every {
			l.swept = now
			for h, k := range l.kinds {
				if now.Sub(k.at) >= Every && k.skipped == 0 {
					delete(l.kinds, h)
				}
			}
		}
		if len(l.kinds) >= maxKinds {
			h = 0
			k = l.kinds[h]
		}
	}
	if k == nil {
		l.kinds[h] = &kind{at: now}
		return true, 0
	}
	if since := now.Sub(k.at); since >= 0 && since < Every { // a clock that was set back must not silence it
		k.skipped++
		return false, 0
	}
	skipped = k.skipped
	*k = kind{at: now}
	return true, skipped
}

func hash(where, message string) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	_, _ = h.WriteString(where)
	_ = h.WriteByte(0)
	start, digit := 0, false
	for i := 0; i <= len(message); i++ {
		if i < len(message) {
			switch c := message[i]; {
			case c == '"' || c == '\'' || c == '`':
				if end := closing(message, i); end > i {
					flush(&h, message[start:i], digit)
					i, start, digit = end, end+1, false
					continue
				}
			case '0' <= c && c <= '9':
				digit = true
				continue
			case c != ' ' && c != ',' && c != ';' && c != '(' && c != ')' && c != '[' && c != ']' && c != '=':
				continue
			}
		}
		flush(&h, message[start:i], digit)
		start, digit = i+1, false
	}
	return h.Sum64() | 1 // 0 is the kind of all that do not fit
}

func flush(h *maphash.Hash, word string, digit bool) {
	if !digit {
		_, _ = h.WriteString(word)
	}
	_ = h.WriteByte(' ')
}

// closing returns where the quotation that begins at i ends, or i where it does not: an apostrophe.
func closing(s string, i int) int {
	for j := i + 1; j < len(s); j++ {
		if s[j] == s[i] {
			return j
		}
	}
	return i
}
