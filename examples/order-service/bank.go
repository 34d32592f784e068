package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/sordini-go/sordini/consumer"
)

var errBankAway = errors.New("bank: connection refused")

// charge asks the bank. This one is simulated, and does what the card says: "declined" is refused for good, "flaky-N" fails N times before it works, "broken"
// never works, and every other card is charged.
func charge(ctx context.Context, o Order, attempt int) error {
	switch {
	case o.Card == "declined":
		return consumer.Permanent(errors.New("bank: card declined"))
	case o.Card == "broken":
		return errBankAway
	case strings.HasPrefix(o.Card, "flaky-"):
		if n, _ := strconv.Atoi(o.Card[len("flaky-"):]); attempt <= n {
			return errBankAway
		}
	}
	return ctx.Err()
}

// ship asks the carrier, simulated too: nothing is carried to Atlantis, and a parcel to Laputa is accepted at the third attempt.
func ship(ctx context.Context, o Order, attempt int) error {
	switch {
	case o.Country == "Atlantis":
		return consumer.Permanent(errors.New("carrier: no route to Atlantis"))
	case o.Country == "Laputa" && attempt < 3:
		return consumer.RetryAfter(50*time.Millisecond, errors.New("carrier: island out of reach"))
	}
	return ctx.Err()
}
