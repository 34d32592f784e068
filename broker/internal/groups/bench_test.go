package groups

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// BenchmarkThousandMembersBecomeStable is how long a group of 1,000 members and
// 10,000 partitions takes from the first join until all have their partitions,
// without what a network takes.
func BenchmarkThousandMembersBecomeStable(b *testing.B) {
	const members = 1000
	b.Run("classic", func(b *testing.B) {
		for b.Loop() {
			m := New(Config{InitialRebalanceDelay: 10 * time.Millisecond})
			joined := make(chan *kmsg.JoinGroupResponse, members)
			for range members {
				req := kmsg.NewPtrJoinGroupRequest()
				req.Version, req.Group, req.ProtocolType, req.Protocols = 3, "g", "consumer", offer("range")
				req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 45_000, 60_000
				m.Handle(Client{ID: "app"}, req, func(r kmsg.Response) { joined <- r.(*kmsg.JoinGroupResponse) })
			}
			synced := make(chan bool, members)
			for range members {
				r := <-joined
				req := kmsg.NewPtrSyncGroupRequest()
				req.Version, req.Group, req.MemberID, req.Generation = 4, "g", r.MemberID, r.Generation
				for _, mb := range r.Members {
					req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: mb.MemberID})
				}
				m.Handle(Client{}, req, func(kmsg.Response) { synced <- true })
			}
			for range members {
				<-synced
			}
			m.Close()
		}
	})
	for _, interval := range []time.Duration{0, time.Second} {
		b.Run(fmt.Sprintf("consumer/interval=%v", interval), func(b *testing.B) {
			for b.Loop() {
				m := New(Config{
					Topics:   newTopics(Topic{"orders", [16]byte{1}, 10_000}).list,
					Consumer: ConsumerConfig{AssignmentInterval: interval},
				})
				epochs := make([]int32, members)
				given := make([]*kmsg.ConsumerGroupHeartbeatResponseAssignment, members)
				rounds := 0
				for ; ; rounds++ {
					for i := range members {
						req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
						req.Version, req.Group, req.MemberID, req.MemberEpoch = 1, "g", fmt.Sprint("m", i), epochs[i]
						req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
						if epochs[i] == 0 {
							req.RebalanceTimeoutMillis, req.SubscribedTopicNames = 60_000, []string{"orders"}
						} else if given[i] != nil {
							for _, t := range given[i].Topics {
								req.Topics = append(req.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: t.TopicID, Partitions: t.Partitions})
							}
						}
						m.Handle(Client{}, req, func(r kmsg.Response) {
							resp := r.(*kmsg.ConsumerGroupHeartbeatResponse)
							epochs[i] = resp.MemberEpoch
							if resp.Assignment != nil {
								given[i] = resp.Assignment
							}
						})
					}
					if g, _ := m.Group("g"); g.State == Stable {
						break
					}
				}
				b.ReportMetric(float64(rounds), "rounds")
				m.Close()
			}
		})
	}
}
