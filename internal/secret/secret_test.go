package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const canary = "hunter2"

func TestSecretIsRevealedOnlyOnDemand(t *testing.T) {
	s := New(canary)
	if s.Reveal() != canary || s.IsZero() {
		t.Fatal("the secret is lost")
	}
	type hidden struct{ s Secret }
	for _, x := range []any{s, &s, []Secret{s}, map[string]Secret{"a": s}, struct{ S Secret }{s}, hidden{s}, &hidden{s}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text := fmt.Sprintf(verb, x)
			if strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) {
				t.Errorf("%T with %s prints %s", x, verb, text)
			}
		}
	}
	if data, err := json.Marshal(struct{ S Secret }{s}); err != nil || string(data) != `{"S":"[redacted]"}` {
		t.Errorf("JSON is %s, %v", data, err)
	}
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "s", s)
	if !strings.Contains(out.String(), `"s":"[redacted]"`) {
		t.Errorf("logged %s", &out)
	}
}

func TestEmptySecretSaysThatItIsEmpty(t *testing.T) {
	for _, s := range []Secret{{}, New("")} {
		if !s.IsZero() || s.Reveal() != "" || fmt.Sprint(s) != "" {
			t.Errorf("%v, %q", s.IsZero(), s.Reveal())
		}
	}
}
