package commitmeta

import (
	"errors"
	"testing"
)

func TestMetadataOfAnotherCommitIsRefusedWithItsReason(t *testing.T) {
	here, there := [16]byte{1}, [16]byte{2}
	m := Metadata{TopicID: here, Base: 100, LeaderEpoch: 7}
	reasons := []error{ErrTopicRecreated, ErrTranslated, ErrOffsetMoved, ErrLeaderEpoch}
	for _, c := range []struct {
		name      string
		topic     [16]byte
		committed int64
		epoch     int32
		want      error
	}{
		{"its own commit", here, 100, 7, nil},
		{"a broker that keeps no epoch", here, 100, -1, nil},
		{"topic recreated", there, 100, 7, ErrTopicRecreated},
		{"topic recreated, broker without ids", [16]byte{}, 100, 7, ErrTopicRecreated},
		{"translated by a mirror", there, 60, 7, ErrTranslated},
		{"reset by a tool", here, 60, -1, ErrOffsetMoved},
		{"skipped ahead by a tool", here, 160, 7, ErrOffsetMoved},
		{"committed by another client", here, 100, 8, ErrLeaderEpoch},
	} {
		err := m.Matches(c.topic, c.committed, c.epoch)
		for _, reason := range reasons {
			if errors.Is(err, reason) != (reason == c.want) {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
		}
		if (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	m.LeaderEpoch = -1
	if err := m.Matches(here, 100, 3); !errors.Is(err, ErrLeaderEpoch) {
		t.Errorf("written without epoch, found with one: %v", err)
	}
}
