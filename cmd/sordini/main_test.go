package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWrongCommandLinesAreRefused(t *testing.T) {
	for line, want := range map[string]string{
		"":             "usage: sordini",
		"brokre":       `unknown command "brokre"`,
		"broker extra": `unexpected argument "extra"`,
	} {
		var out bytes.Buffer
		if status := run(context.Background(), strings.Fields(line), &out, &out); status != 2 {
			t.Errorf("sordini %s: exit status %d", line, status)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("sordini %s: output has no %q:\n%s", line, want, out.String())
		}
	}
}
