package main

import (
	"context"
	"time"

	"github.com/xdg-go/scram"
)

// saramaSCRAM is what sarama's own examples have for SCRAM.
type saramaSCRAM struct{ conversation *scram.ClientConversation }

func (x *saramaSCRAM) Begin(user, password, authzID string) error {
	client, err := scram.SHA512.NewClient(user, password, authzID)
	if err != nil {
		return err
	}
	x.conversation = client.NewConversation()
	return nil
}

func (x *saramaSCRAM) Step(challenge string) (string, error) { return x.conversation.Step(challenge) }

func (x *saramaSCRAM) Done() bool { return x.conversation.Done() }

// timeout is a context that ends by itself.
func timeout(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	time.AfterFunc(d, cancel)
	return ctx
}
