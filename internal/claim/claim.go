// Package claim is the header of a record whose value is kept outside of Kafka: "sha256:<64 hexadecimal digits>:<bytes>".
package claim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/serde"
)

const prefix = "sha256:"

// Ref is what a header refers to.
type Ref struct {
	Sum  [sha256.Size]byte
	Size int64
}

// Of is the reference to a value.
func Of(value []byte) Ref { return Ref{sha256.Sum256(value), int64(len(value))} }

// Name is what the value is called where it is kept: its hash in lower-case hexadecimal digits.
func (r Ref) Name() string { return hex.EncodeToString(r.Sum[:]) }

// Header is the header's value.
func (r Ref) Header() []byte {
	b := make([]byte, 0, len(prefix)+2*sha256.Size+12)
	b = append(b, prefix...)
	b = hex.AppendEncode(b, r.Sum[:])
	b = append(b, ':')
	return strconv.AppendInt(b, r.Size, 10)
}

// Parse reads a header's value.
func Parse(b []byte) (r Ref, err error) {
	name, size, ok := strings.Cut(strings.TrimPrefix(string(b), prefix), ":")
	if !ok || !strings.HasPrefix(string(b), prefix) || len(name) != hex.EncodedLen(sha256.Size) {
		return r, fmt.Errorf("header %s: %.100q is not sha256:<hash>:<bytes>", sordini.HeaderClaimCheck, b)
	}
	if _, err := hex.Decode(r.Sum[:], []byte(name)); err != nil {
		return r, fmt.Errorf("header %s: %.100q: %w", sordini.HeaderClaimCheck, b, err)
	}
	if r.Size, err = strconv.ParseInt(size, 10, 64); err != nil || r.Size < 0 {
		return r, fmt.Errorf("header %s: %.100q has no size", sordini.HeaderClaimCheck, b)
	}
	return r, nil
}

// Find returns what a record with this value and these headers refers to, and whether it refers to anything: its value is empty then, and not null.
func Find(value []byte, h serde.Headers) (r Ref, found bool, err error) {
	if len(value) > 0 || value == nil {
		return r, false, nil
	}
	b, found := h.Get(sordini.HeaderClaimCheck)
	if found {
		r, err = Parse(b)
	}
	return r, found, err
}
