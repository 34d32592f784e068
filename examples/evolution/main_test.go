package main

import (
	"bytes"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOldAndNewVersionsReadEachOther(t *testing.T) {
	c := brokertest.New(t, brokertest.Config(func(c *broker.Config) { c.Registry.Compatibility = "FULL" }))
	var out bytes.Buffer
	if err := run(t.Context(), c.SDK(), 50, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"version 3 of the service has schema id 3",
		"renamed field is refused",
		"v1 saw map[100:50 200:50 300:50]",
		"v2 saw map[100 EUR:50 200 USD:50 300 GBP:50]",
		"v3 saw map[100 EUR:50 200 USD:50 300 GBP:50]",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not said: %s", want)
		}
	}
	t.Log(out.String())
}
