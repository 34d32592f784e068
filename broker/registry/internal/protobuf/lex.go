package protobuf

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

type tokenKind byte

const (
	tokenEOF tokenKind = iota
	tokenIdent
	tokenNumber
	tokenString
	tokenPunct
)

type token struct {
	kind tokenKind
	text string
	line int
}

// lexer cuts a .proto text into tokens.
type lexer struct {
	src  string
	pos  int
	line int
}

var errComment = errors.New("a comment is not closed")

// skip passes over white space and comments.
func (l *lexer) skip() error {
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case c == '\n':
			l.line++
			l.pos++
		case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v':
			l.pos++
		case strings.HasPrefix(l.src[l.pos:], "//"):
			n := strings.IndexByte(l.src[l.pos:], '\n')
			if n < 0 {
				n = len(l.src) - l.pos
			}
			l.pos += n
		case strings.HasPrefix(l.src[l.pos:], "/*"):
			n := strings.Index(l.src[l.pos+2:], "*/")
			if n < 0 {
				return errComment
			}
			l.line += strings.Count(l.src[l.pos:l.pos+n+4], "\n")
			l.pos += n + 4
		case l.pos == 0 && strings.HasPrefix(l.src, "\uFEFF"):
			l.pos += len("\uFEFF")
		default:
			return nil
		}
	}
	return nil
}

func letter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

func (l *lexer) next() (token, error) {
	if err := l.skip(); err != nil {
		return token{}, err
	}
	t := token{line: l.line + 1}
	if l.pos == len(l.src) {
		return t, nil
	}
	start := l.pos
	c := l.src[l.pos]
	switch {
	case letter(c):
		for l.pos < len(l.src) && (letter(l.src[l.pos]) || digit(l.src[l.pos])) {
			l.pos++
		}
		t.kind = tokenIdent
	case digit(c) || c == '.' && l.pos+1 < len(l.src) && digit(l.src[l.pos+1]):
		l.number()
		t.kind = tokenNumber
	case c == '"' || c == '\'':
		s, err := l.str(c)
		if err != nil {
			return t, err
		}
		t.kind, t.text = tokenString, s
		return t, nil
	default:
		_, n := utf8.DecodeRuneInString(l.src[l.pos:])
		l.pos += n
		t.kind = tokenPunct
	}
	t.text = l.src[start:l.pos]
	return t, nil
}

// number passes over an integer or a float, of whatever base.
func (l *lexer) number() {
	hexadecimal := strings.HasPrefix(strings.ToLower(l.src[l.pos:min(l.pos+2, len(l.src))]), "0x")
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		sign := (c == '+' || c == '-') && !hexadecimal && (l.src[l.pos-1] == 'e' || l.src[l.pos-1] == 'E')
		if !letter(c) && !digit(c) && c != '.' && !sign {
			return
		}
		l.pos++
	}
}

// str reads a string and what its escapes stand for.
func (l *lexer) str(quote byte) (string, error) {
	var b strings.Builder
	for l.pos++; l.pos < len(l.src); {
		c := l.src[l.pos]
		l.pos++
		switch {
		case c == quote:
			return b.String(), nil
		case c == '\n':
			return "", fmt.Errorf("line %d: a string is not closed", l.line+1)
		case c != '\\':
			b.WriteByte(c)
		default:
			if err := l.escape(&b); err != nil {
				return "", fmt.Errorf("line %d: %w", l.line+1, err)
			}
		}
	}
	return "", fmt.Errorf("line %d: a string is not closed", l.line+1)
}

var errEscape = errors.New("an escape in a string is wrong")

func (l *lexer) escape(b *strings.Builder) error {
	if l.pos == len(l.src) {
		return errEscape
	}
	c := l.src[l.pos]
	l.pos++
	if i := strings.IndexByte(`abfnrtv\'"?`, c); i >= 0 {
		b.WriteByte("\a\b\f\n\r\t\v\\'\"?"[i])
		return nil
	}
	switch {
	case c >= '0' && c <= '7':
		l.pos--
		n, _ := l.digits(8, 3)
		b.WriteByte(byte(n))
	case c == 'x' || c == 'X':
		n, count := l.digits(16, 2)
		if count == 0 {
			return errEscape
		}
		b.WriteByte(byte(n))
	case c == 'u' || c == 'U':
		want := 4
		if c == 'U' {
			want = 8
		}
		n, count := l.digits(16, want)
		if count != want || n > utf8.MaxRune {
			return errEscape
		}
		b.WriteRune(rune(n))
	default:
		return errEscape
	}
	return nil
}

// digits reads at most digits.
func (l *lexer) digits(base, most int) (n uint64, count int) {
	for count < most && l.pos < len(l.src) {
		d := strings.IndexByte("0123456789abcdef", l.src[l.pos]|0x20)
		if l.src[l.pos] >= '0' && l.src[l.pos] <= '9' {
			d = int(l.src[l.pos] - '0')
		}
		if d < 0 || d >= base {
			break
		}
		n = n*uint64(base) + uint64(d)
		l.pos++
		count++
	}
	return n, count
}
