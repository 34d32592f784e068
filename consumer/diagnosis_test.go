package consumer_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/serde"
)

func TestRunThatFailsCarriesItsDiagnosis(t *testing.T) {
	b := brokertest.New(t, brokertest.Topic("orders", 1))
	g, err := consumer.New(b.SDK(), "billing")
	if err != nil {
		t.Fatal(err)
	}
	misspelt := sordini.Topic[string]{Name: "ordres", Key: sordini.Unkeyed[string](), Value: serde.String()}
	if err := consumer.Handle(g, misspelt, func(context.Context, *consumer.Message[string]) error { return nil }); err != nil {
		t.Fatal(err)
	}
	err = g.Run(t.Context())
	d, ok := sordini.Diagnose(err)
	if !ok || d.Code != sordini.CodeUnknownTopic || !errors.Is(err, consumer.ErrTopics) {
		t.Fatalf("%+v %v", d, err)
	}
	if !strings.Contains(err.Error(), `did you mean "orders"?`) || strings.Contains(err.Error(), `""`) {
		t.Errorf("the text is %v", err)
	}
}
