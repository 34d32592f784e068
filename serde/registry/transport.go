package registry

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/sordini-go/sordini/serde"
)

// authenticate returns what gives each request the credentials, with what the secrets hold by then. A redirect to another host does not get them.
func authenticate(r serde.Registry) func(*http.Request) error {
	return func(req *http.Request) error {
		switch {
		case !r.BearerToken.IsZero():
			req.Header.Set("Authorization", "Bearer "+r.BearerToken.Reveal())
		case r.Username != "":
			req.SetBasicAuth(r.Username, r.Password.Reveal())
		}
		return nil
	}
}

// maxAnswer bounds an answer of the registry, which is read into memory whole.
const maxAnswer = 16 << 20

var errTooLarge = fmt.Errorf("the answer is larger than %d bytes", maxAnswer)

// bounded bounds answers.
type bounded struct{ http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (t bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.RoundTripper.RoundTrip(req)
	if err == nil {
		res.Body = boundedBody{http.MaxBytesReader(nil, res.Body, maxAnswer)}
	}
	return res, err
}

// boundedBody says in our words that an answer is too large.
type boundedBody struct{ io.ReadCloser }

func (b boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = errTooLarge
	}
	return n, err
}
