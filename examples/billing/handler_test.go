package billing_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sordini-go/sordini/consumer/consumertest"
	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/examples/billing"
)

func TestDeclinedCardIsNotTriedAgain(t *testing.T) {
	bank := billing.Bank(func(context.Context, billing.Order) error { return billing.ErrDeclined })
	got := consumertest.Run(t, billing.Placed, bank.Charge, billing.Order{ID: "17", Cents: 1200})[0]
	if got.Outcome != consumertest.DeadLettered || got.Class != dlt.Permanent || got.Attempts != 1 {
		t.Errorf("the order is %v as %v after %d attempts", got.Outcome, got.Class, got.Attempts)
	}
}

func TestBankThatIsAwayForAMomentIsAskedAgain(t *testing.T) {
	calls := 0
	bank := billing.Bank(func(context.Context, billing.Order) error {
		if calls++; calls < 3 {
			return errors.New("no route to bank")
		}
		return nil
	})
	got := consumertest.Run(t, billing.Placed, bank.Charge, billing.Order{ID: "17", Cents: 1200})[0]
	if got.Outcome != consumertest.Handled || got.Attempts != 3 {
		t.Errorf("the order is %v after %d attempts: %v", got.Outcome, got.Attempts, got.Err)
	}
}
