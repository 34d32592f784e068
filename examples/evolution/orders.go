package main

import (
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/serde/avro"
)

// OrderV1 is what the service began with. A field that may be dropped one day has a default from the start.
type OrderV1 struct {
	ID    string `avro:"id"`
	Cents int64  `avro:"cents"`
	Note  string `avro:"note,default="`
}

// OrderV2 adds fields with defaults: who reads an older order as version 2 finds them filled in, and version 1 ignores them.
type OrderV2 struct {
	ID       string  `avro:"id"`
	Cents    int64   `avro:"cents"`
	Note     string  `avro:"note,default="`
	Currency string  `avro:"currency,default=EUR"`
	Coupon   *string `avro:"coupon"`
}

// OrderV3 drops the note, for which the older versions have a default, and adds a time.
type OrderV3 struct {
	ID       string     `avro:"id"`
	Cents    int64      `avro:"cents"`
	Currency string     `avro:"currency,default=EUR"`
	Coupon   *string    `avro:"coupon"`
	Placed   *time.Time `avro:"placed,timestamp-millis"`
}

// OrderRenamed would break every older version that is still running: it renames a field, and an alias helps only those who read. At the level FULL the
// registry refuses it.
type OrderRenamed struct {
	ID          string `avro:"id"`
	AmountCents int64  `avro:"amount_cents,alias=cents"`
	Currency    string `avro:"currency,default=EUR"`
}

// contract is the same topic in three versions of the service. All name the record Order: to the registry they are versions of one schema.
func contract[T any](id func(T) string) sordini.Topic[T] {
	return sordini.Topic[T]{
		Name:   "orders",
		Key:    sordini.KeyString(id),
		Value:  avro.Serde[T](avro.Name("Order"), avro.Namespace("shop")),
		Config: sordini.TopicConfig{Partitions: 3},
	}
}

// The contracts of the three versions.
var (
	PlacedV1 = contract(func(o OrderV1) string { return o.ID })
	PlacedV2 = contract(func(o OrderV2) string { return o.ID })
	PlacedV3 = contract(func(o OrderV3) string { return o.ID })

	PlacedRenamed = contract(func(o OrderRenamed) string { return o.ID })
)

// values are the serdes whose schemas are registered, in the order of their release.
var values = []any{PlacedV1.Value, PlacedV2.Value, PlacedV3.Value}
