package main

import (
	"fmt"

	"github.com/IBM/sarama"
)

func saramaTransactions(brokers []string, s say) error {
	topic := "sarama-transactions"
	c := saramaConfig()
	c.Producer.Transaction.ID = topic
	c.Producer.Retry.Max = 10 // it tries so often with an epoch that is over
	if err := saramaCreate(brokers, c, topic, 1, nil); err != nil {
		return err
	}
	p, err := sarama.NewSyncProducer(brokers, c)
	if err != nil {
		return err
	}
	for i, commit := range []bool{true, false, true, false} {
		if err := p.BeginTxn(); err != nil {
			return err
		}
		for n := range 3 {
			if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(fmt.Sprint(i, n, commit))}); err != nil {
				return err
			}
		}
		if commit {
			s.outcome("commit", p.CommitTxn())
		} else {
			s.outcome("abort", p.AbortTxn())
		}
	}
	plain, err := sarama.NewSyncProducer(brokers, saramaConfig())
	if err != nil {
		return err
	}
	if _, _, err := plain.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("last")}); err != nil {
		return err
	}
	if err := plain.Close(); err != nil {
		return err
	}
	for _, isolation := range []sarama.IsolationLevel{sarama.ReadUncommitted, sarama.ReadCommitted} {
		rc := saramaConfig()
		rc.Consumer.IsolationLevel = isolation
		all, err := saramaRead(brokers, rc, topic, "last")
		if err != nil {
			return err
		}
		for _, r := range all[:len(all)-1] { // its offset depends on when the last marker came
			s.saw(fmt.Sprint("isolation ", isolation), r.shown())
		}
	}

	// Offsets of a group in a transaction.
	group := topic + "-group"
	offsets := map[string][]*sarama.PartitionOffsetMetadata{topic: {{Partition: 0, Offset: 7, Metadata: nil}}}
	admin, err := sarama.NewClusterAdmin(brokers, c)
	if err != nil {
		return err
	}
	defer admin.Close()
	for _, commit := range []bool{false, true} {
		if err := p.BeginTxn(); err != nil {
			return err
		}
		if err := p.AddOffsetsToTxn(offsets, group); err != nil {
			return err
		}
		if commit {
			err = p.CommitTxn()
		} else {
			err = p.AbortTxn()
		}
		if err != nil {
			return err
		}
		var got int64
		if err := until("the offsets", func() (bool, error) { // markers follow what EndTxn answers
			listed, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0}})
			if err != nil {
				return false, err
			}
			got = listed.GetBlock(topic, 0).Offset
			return !commit || got == 7, nil
		}); err != nil {
			return err
		}
		s.saw(fmt.Sprint("offsets, committed: ", commit), got)
	}

	// A newer producer of the id fences the older one.
	newer, err := sarama.NewSyncProducer(brokers, c)
	if err != nil {
		return err
	}
	if err := p.BeginTxn(); err != nil {
		return err
	}
	_, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("late")})
	s.saw("fenced", err != nil)
	s.saw("its state", p.TxnStatus()&sarama.ProducerTxnFlagInError != 0)
	_ = p.Close()
	return newer.Close()
}
