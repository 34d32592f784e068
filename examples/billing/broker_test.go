package billing_test

import (
	"testing"

	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/examples/billing/billingtest"
)

func TestOrdersAreSettled(t *testing.T) {
	billingtest.OrdersAreSettled(t, brokertest.New(t).SDK())
}
