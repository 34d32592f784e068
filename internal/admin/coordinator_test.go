package admin_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/internal/admin"
)

func TestANewCoordinatorIsFoundWhenTheOldOneIsGone(t *testing.T) {
	bubble(t, func(t *testing.T, c *brokertest.Cluster, cl *kgo.Client) {
		meta, err := admin.Metadata(t.Context(), cl, "orders")
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string][16]byte{"orders": meta.Topic("orders").ID}
		if err := admin.CommitOffsets(t.Context(), cl, "billing", ids, map[string]map[int32]admin.Committed{"orders": {0: {Offset: 3}}}); err != nil {
			t.Fatal(err)
		}
		for range 3 { // one broker of three at a time
			gone := c.Coordinator("billing")
			if _, err := admin.CommittedOffsets(t.Context(), cl, "billing"); err != nil {
				t.Fatal(err)
			}
			if err := c.KillBroker(gone); err != nil {
				t.Fatal(err)
			}
			got, err := admin.CommittedOffsets(t.Context(), cl, "billing")
			if err != nil || got["orders"][0].Offset != 3 {
				t.Errorf("with broker %d gone, and broker %d the coordinator: %+v, %v", gone, c.Coordinator("billing"), got, err)
			}
			if err := c.StartBroker(gone); err != nil {
				t.Fatal(err)
			}
		}
	})
}
