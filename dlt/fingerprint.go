package dlt

import (
	"encoding/hex"
	"hash/fnv"
	"io"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxFolded bounds how much of a message a fingerprint looks at, in bytes: causes differ early, and some errors carry whole documents.
const maxFolded = 1024

// Fingerprint returns 16 hexadecimal digits that are the same for failures of the same cause: a hash of the class, the types along err's chain, and
// its message with digits, ids and quoted text folded, so that "order 17: card \"4711\" declined" and "order 18: card \"4712\" declined" are one
// cause. It is the same in every process and release; a nil err is a cause of its own.
//
// Types that only carry a message (those of errors.New, fmt.Errorf and errors.Join) are left out of the chain, or wrapping an error once more would
// split a cause in two for a second time: the message says it already.
func Fingerprint(class Class, err error) string {
	if err == nil {
		return hashCause(class, nil, "")
	}
	return hashCause(class, errorChain(err), message(err))
}

// hashCause hashes what a fingerprint is made of. The separators can not occur in the parts.
func hashCause(class Class, types []string, msg string) string {
	h := fnv.New128a()
	_, _ = io.WriteString(h, string(class))
	for _, t := range types {
		_, _ = io.WriteString(h, "\x00"+t)
	}
	_, _ = io.WriteString(h, "\x01"+Fold(msg))
	sum := h.Sum(nil)
	for i := range 8 {
		sum[i] ^= sum[i+8]
	}
	return hex.EncodeToString(sum[:8])
}

// maxTypes bounds the chain: an error tree may be wide, and one that contains itself endless.
const maxTypes = 16

// errorChain is the types of err's tree. An Unwrap method may panic as Error may; what was found until then is the chain.
func errorChain(err error) (types []string) {
	defer func() { _ = recover() }()
	walk(&types, err)
	return types
}

// walk appends the types of err's tree, depth first as errors.Is walks it.
func walk(types *[]string, err error) {
	if err == nil || len(*types) >= maxTypes {
		return
	}
	switch t := reflect.TypeOf(err).String(); t {
	case "*errors.errorString", "*errors.joinError", "*fmt.wrapError", "*fmt.wrapErrors":
	default:
		*types = append(*types, t)
	}
	switch x := err.(type) {
	case interface{ Unwrap() error }:
		walk(types, x.Unwrap())
	case interface{ Unwrap() []error }:
		for _, e := range x.Unwrap() {
			walk(types, e)
		}
	}
}

// message is err.Error(), which may panic: a typed nil pointer in an error is common enough, and it must not cost the record.
func message(err error) (s string) {
	defer func() {
		if p := recover(); p != nil {
			s = "the error's Error method panicked (" + reflect.TypeOf(err).String() + ")"
		}
	}()
	return err.Error()
}

// Fold returns a message without what differs between two failures of one cause: quoted text becomes "?" and every word with a digit in it becomes
// '#', as do several in a row that only punctuation parts (addresses, ids, times). White space is one space. It looks at the first KiB.
func Fold(msg string) string {
	if len(msg) > maxFolded {
		msg = cutText(msg, maxFolded)
	}
	var b strings.Builder
	b.Grow(len(msg))
	prev := rune(' ') // the rune before the one at hand, in msg
	for i := 0; i < len(msg); {
		r, n := utf8.DecodeRuneInString(msg[i:])
		switch {
		case r == '"' || r == '`' || r == '\'' && !unicode.IsLetter(prev):
			end := closing(msg[i+n:], r)
			if end < 0 { // a lone quote, or an apostrophe
				b.WriteRune(r)
				break
			}
			b.WriteString(`"?"`)
			n += end + 1
			r = '"'
		case unicode.IsSpace(r):
			if !unicode.IsSpace(prev) {
				b.WriteByte(' ')
			}
		case wordRune(r):
			for i+n < len(msg) {
				next, size := utf8.DecodeRuneInString(msg[i+n:])
				if !wordRune(next) {
					break
				}
				r, n = next, n+size
			}
			if word := msg[i : i+n]; strings.IndexFunc(word, unicode.IsDigit) < 0 {
				b.WriteString(word)
				break
			}
			foldNumber(&b)
		default:
			b.WriteRune(r)
		}
		prev, i = r, i+n
	}
	return strings.TrimSpace(b.String())
}

// foldNumber writes '#', unless what was written last is a '#' that only punctuation parts from here: "#.#.#.#:#" is one number to a reader.
func foldNumber(b *strings.Builder) {
	s := b.String()
	if t := strings.TrimRight(s, ".:-_/+,"); strings.HasSuffix(t, "#") {
		b.Reset()
		b.WriteString(t)
		return
	}
	b.WriteByte('#')
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '-' }

// closing returns where in s the quote that was opened before it is closed, -1 if it is not. A backslash escapes, except between back quotes, and a
// single quote closes only where no letter follows ("can't").
func closing(s string, quote rune) int {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quote != '`':
			i++
		case rune(s[i]) == quote:
			if quote == '\'' {
				if next, _ := utf8.DecodeRuneInString(s[i+1:]); unicode.IsLetter(next) {
					continue
				}
			}
			return i
		}
	}
	return -1
}

// cutText returns at most limit bytes of s, cut between runes.
func cutText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
