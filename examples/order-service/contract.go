package main

import (
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/serde"
)

// Order is what a customer asks for.
type Order struct {
	ID        string `json:"id"`
	Customer  string `json:"customer"`
	Card      string `json:"card"`    // what the bank does with it: bank.go
	Country   string `json:"country"` // what the carrier does with it: bank.go
	Cents     int64  `json:"cents"`
	Cancelled bool   `json:"cancelled,omitempty"`
}

// Outcome is what a group publishes about an order that ended well, or that it skipped. An order that failed for good is in the group's dead-letter topic
// instead: so whatever ends an order leaves a record, and a verifier needs nothing but the topics.
type Outcome struct {
	OrderID  string `json:"order_id"`
	Status   string `json:"status"`   // paid, shipped or skipped
	Attempts int    `json:"attempts"` // how many it took
}

const skipped = "skipped"

// The groups that handle orders, and the topic to which each publishes its outcomes.
const (
	paymentGroup  = "payment"
	shippingGroup = "shipping"
)

var settings = sordini.TopicConfig{Partitions: 12, Retention: 7 * 24 * time.Hour}

// The contracts. Each is one variable, used to publish, to handle and to create the topic.
var (
	Placed = sordini.Topic[Order]{
		Name:   "orders",
		Key:    sordini.KeyString(func(o Order) string { return o.ID }),
		Value:  serde.JSON[Order](),
		Config: settings,
	}
	Paid    = outcomes("payments")
	Shipped = outcomes("shipments")
)

func outcomes(topic string) sordini.Topic[Outcome] {
	return sordini.Topic[Outcome]{
		Name:   topic,
		Key:    sordini.KeyString(func(o Outcome) string { return o.OrderID }),
		Value:  serde.JSON[Outcome](),
		Config: settings,
	}
}

// groups says where the outcomes of each group are.
var groups = []struct{ name, outcomes string }{
	{paymentGroup, Paid.Name},
	{shippingGroup, Shipped.Name},
}
