package groups

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestHandedOutIDIsForgottenAtItsExactTime(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		a := b.stable(b.joiner("g"))[0]
		c := b.joiner("g")
		c.id = got[*kmsg.JoinGroupResponse](b.send(c.joinRequest())).MemberID
		again := a.join() // waits for c, which may still come
		time.Sleep(c.session - 1)
		again.waits()
		time.Sleep(1)
		a.joined(again)
		wantCode(t, "join with a forgotten id", got[*kmsg.JoinGroupResponse](b.send(c.joinRequest())).ErrorCode, kerr.UnknownMemberID)
	})
}

func TestJoinOfAMemberThatIsNewEndsAfterFiveMinutes(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		a := b.joiner("g")
		a.rebalance, a.session = time.Hour, 30*time.Minute
		b.stable(a)
		c := b.joiner("g")
		join := c.join() // waits for a, which does not come
		time.Sleep(newMemberJoinTimeout - 1)
		join.waits()
		time.Sleep(1)
		wantCode(t, "join", got[*kmsg.JoinGroupResponse](join).ErrorCode, kerr.UnknownMemberID)
	})
}

func TestMemberWhoseJoinWaitsDoesNotExpire(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		a, c := b.joiner("g"), b.joiner("g")
		a.rebalance, a.session = time.Hour, 30*time.Minute
		b.stable(a, c)
		c.protocols = offer("range", "roundrobin")
		join := c.join()
		time.Sleep(20 * time.Minute) // its session is 10 seconds
		join.waits()
		if err := a.beat(); err != kerr.RebalanceInProgress {
			t.Fatal(err)
		}
		a.join()
		if r := c.joined(join); r.LeaderID == c.id {
			t.Errorf("the leader is gone: %+v", r)
		}
		time.Sleep(c.session) // a new one, from the answer on
		synctest.Wait()
		if err := c.beat(); err != kerr.UnknownMemberID {
			t.Errorf("heartbeat: %v", err)
		}
	})
}

func TestRebalanceWaitsTheLongestTimeoutOfItsMembers(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		a, c := b.joiner("g"), b.joiner("g")
		a.rebalance, a.session = 20*time.Second, time.Minute
		c.rebalance, c.session = 40*time.Second, time.Minute
		b.stable(a, c)
		join := a.join()
		time.Sleep(40*time.Second - 1)
		join.waits()
		time.Sleep(1)
		if r := a.joined(join); len(r.Members) != 1 {
			t.Errorf("members: %+v", r.Members)
		}
		if err := c.beat(); err != kerr.UnknownMemberID {
			t.Errorf("who came too late: %v", err)
		}
	})
}

func TestFirstRebalanceWaitsLongerForAsLongAsMembersCome(t *testing.T) {
	for _, tt := range []struct {
		name    string
		at      []time.Duration // when members come
		timeout time.Duration   // their rebalance timeout
		ends    time.Duration
	}{
		{"one", []time.Duration{0}, time.Minute, 3 * time.Second},
		{"two", []time.Duration{0, 2 * time.Second}, time.Minute, 6 * time.Second},
		{"three", []time.Duration{0, 2 * time.Second, 5 * time.Second}, time.Minute, 9 * time.Second},
		{"one in each delay, up to the timeout", []time.Duration{0, 2 * time.Second, 5 * time.Second}, 7 * time.Second, 7 * time.Second},
		{"none in the second delay", []time.Duration{0, time.Second, 2 * time.Second}, time.Minute, 6 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Config{InitialRebalanceDelay: 3 * time.Second}, func(b *bench) {
				start := time.Now()
				var joins []*asked
				for _, at := range tt.at {
					time.Sleep(at - time.Since(start))
					j := b.joiner("g")
					j.version, j.rebalance = 3, tt.timeout
					joins = append(joins, j.join())
				}
				time.Sleep(tt.ends - 1 - time.Since(start))
				for _, j := range joins {
					j.waits()
				}
				time.Sleep(1)
				for _, j := range joins {
					if r := got[*kmsg.JoinGroupResponse](j); r.ErrorCode != 0 || r.Generation != 1 {
						t.Errorf("join: %+v", r)
					}
				}
			})
		})
	}
}

func TestMemberThatDoesNotSyncIsRemoved(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		a, c := b.joiner("g"), b.joiner("g")
		a.session, c.session = 2*time.Minute, 2*time.Minute
		b.stable(a)
		jc := c.join()
		ja := a.join()
		a.joined(ja)
		c.joined(jc)
		got[*kmsg.SyncGroupResponse](a.sync(map[string]string{a.id: "x", c.id: "y"}))
		time.Sleep(time.Minute - 1)
		b.wantState("g", Stable)
		time.Sleep(1)
		if info := b.wantState("g", PreparingRebalance); len(info.Members) != 1 || info.Members[0].ID != a.id {
			t.Errorf("members: %+v", info.Members)
		}
	})
}

func TestReplacedRequestsAreAnsweredToo(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		a, c := b.joiner("g"), b.joiner("g")
		js := b.stable(a, c)
		a, c = js[0], js[1]
		first := a.join()
		second := a.join()
		wantCode(t, "first join", got[*kmsg.JoinGroupResponse](first).ErrorCode, kerr.RebalanceInProgress)
		c.joined(c.join())
		a.joined(second)
		one, two := c.sync(nil), c.sync(nil)
		wantCode(t, "first sync", got[*kmsg.SyncGroupResponse](one).ErrorCode, kerr.RebalanceInProgress)
		two.waits()
		if err := c.leave(); err != nil {
			t.Fatal(err)
		}
		wantCode(t, "sync of who left", got[*kmsg.SyncGroupResponse](two).ErrorCode, kerr.UnknownMemberID)
	})
}

func TestCloseAnswersWhatWaitsAndRefusesWhatComes(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		js := b.stable(b.joiner("g"), b.joiner("g"))
		join := js[0].join()
		join.waits()
		o := b.stable(b.joiner("h"), b.joiner("h"))
		leader := o[0].join()
		o[1].joined(o[1].join())
		o[0].joined(leader)
		sync := o[1].sync(nil)
		sync.waits()
		b.send(b.joiner("h").joinRequest())

		b.Close()
		wantCode(t, "join", got[*kmsg.JoinGroupResponse](join).ErrorCode, kerr.CoordinatorNotAvailable)
		wantCode(t, "sync", got[*kmsg.SyncGroupResponse](sync).ErrorCode, kerr.CoordinatorNotAvailable)
		b.Close()

		na := kerr.CoordinatorNotAvailable
		wantCode(t, "join", got[*kmsg.JoinGroupResponse](b.send(js[0].joinRequest())).ErrorCode, na)
		wantCode(t, "sync", got[*kmsg.SyncGroupResponse](js[0].sync(nil)).ErrorCode, na)
		if err := js[0].beat(); err != na {
			t.Errorf("heartbeat: %v", err)
		}
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Version, leave.Group = 5, "g"
		wantCode(t, "leave", got[*kmsg.LeaveGroupResponse](b.send(leave)).ErrorCode, na)
		if err := js[0].commit(1); err != na {
			t.Errorf("commit: %v", err)
		}
		for _, v := range []int16{1, 7, 9} {
			fetch := kmsg.NewPtrOffsetFetchRequest()
			fetch.Version, fetch.Group = v, "g"
			fetch.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: "orders", Partitions: []int32{0}}}
			fetch.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g"}}
			switch r := got[*kmsg.OffsetFetchResponse](b.send(fetch)); v {
			case 1:
				wantCode(t, "fetch", r.Topics[0].Partitions[0].ErrorCode, na)
			case 7:
				wantCode(t, "fetch", r.ErrorCode, na)
			case 9:
				wantCode(t, "fetch", r.Groups[0].ErrorCode, na)
			}
		}
		describe := kmsg.NewPtrDescribeGroupsRequest()
		describe.Version, describe.Groups = 6, []string{"g"}
		wantCode(t, "describe", got[*kmsg.DescribeGroupsResponse](b.send(describe)).Groups[0].ErrorCode, na)
		wantCode(t, "list", got[*kmsg.ListGroupsResponse](b.send(kmsg.NewPtrListGroupsRequest())).ErrorCode, na)
		del := kmsg.NewPtrDeleteGroupsRequest()
		del.Groups = []string{"g"}
		wantCode(t, "delete", got[*kmsg.DeleteGroupsResponse](b.send(del)).Groups[0].ErrorCode, na)
		od := kmsg.NewPtrOffsetDeleteRequest()
		od.Group = "g"
		wantCode(t, "delete offsets", got[*kmsg.OffsetDeleteResponse](b.send(od)).ErrorCode, na)

		if info, ok := b.Group("g"); !ok || len(info.Members) != 2 {
			t.Errorf("what is known cannot be read: %+v", info)
		}
		if b.Rebalance("g") || b.Evict("g", js[0].id) {
			t.Error("a closed Manager changes groups")
		}
	})
}

func TestOtherRequestsAreAnsweredNil(t *testing.T) {
	m := New(Config{})
	defer m.Close()
	called := 0
	m.Handle(Client{}, kmsg.NewPtrMetadataRequest(), func(r kmsg.Response) {
		called++
		if r != nil {
			t.Errorf("answer: %+v", r)
		}
	})
	if called != 1 {
		t.Errorf("answered %d times", called)
	}
}

func TestRepliesMayCallBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{})
		defer m.Close()
		b := &bench{t: t, Manager: m}
		j := b.joiner("g")
		depth := 0
		m.Handle(Client{}, j.joinRequest(), func(r kmsg.Response) {
			j.id = r.(*kmsg.JoinGroupResponse).MemberID
			m.Handle(Client{}, j.joinRequest(), func(r kmsg.Response) { // from a timer
				if info, _ := m.Group("g"); info.State == CompletingRebalance {
					depth++
				}
			})
		})
		synctest.Wait()
		if depth != 1 {
			t.Error("the second reply was not called")
		}
	})
}

func TestCloseWaitsForTimersThatAreGoingOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{})
		j := (&bench{t: t, Manager: m}).joiner("g")
		j.version = 3
		goOn, closed := make(chan bool), false
		m.Handle(Client{}, j.joinRequest(), func(kmsg.Response) { <-goOn }) // answered by a timer
		synctest.Wait()
		done := make(chan bool)
		go func() {
			m.Close()
			closed = true
			close(done)
		}()
		synctest.Wait()
		if closed {
			t.Error("closed while a timer is going off")
		}
		close(goOn)
		<-done
	})
}

func TestMemberIDIsRequiredFromVersionFourOn(t *testing.T) {
	for version := range int16(10) {
		inBubble(t, Config{}, func(b *bench) {
			j := b.joiner("g")
			j.version = version
			r := got[*kmsg.JoinGroupResponse](b.send(j.joinRequest()))
			want := kerr.MemberIDRequired
			if version < 4 {
				want = nil
			}
			wantCode(t, "join", r.ErrorCode, want)
		})
	}
}

func TestMemberOfAFullGroupMayJoinTwice(t *testing.T) {
	inBubble(t, Config{MaxSize: 2}, func(b *bench) {
		js := b.stable(b.joiner("g"), b.joiner("g"))
		b.Rebalance("g")
		c := b.joiner("g")
		c.id = got[*kmsg.JoinGroupResponse](b.send(c.joinRequest())).MemberID // is waited for
		js[0].join()
		js[1].join()
		again := js[0].join()
		again.waits()
		wantCode(t, "one too many", got[*kmsg.JoinGroupResponse](b.send(c.joinRequest())).ErrorCode, kerr.GroupMaxSizeReached)
	})
}

func TestRebalanceWaitsForStaticMembersThatAreAllAway(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		x, y := b.static("g", "x"), b.static("g", "y")
		b.stable(x, y)
		b.Rebalance("g")
		for range 25 {
			time.Sleep(5 * time.Second)
			for _, j := range []*joiner{x, y} {
				if err := j.beat(); err != kerr.RebalanceInProgress {
					t.Fatal(err)
				}
			}
		}
		if info := b.wantState("g", PreparingRebalance); len(info.Members) != 2 {
			t.Errorf("group: %+v", info)
		}
		x.join()
		y.joined(y.join())
	})
}

// The coordinator reads what every version of a subscription begins with.
func TestSubscriptionIsReadWhateverItsVersion(t *testing.T) {
	for _, version := range []byte{0, 1, 3, 99} {
		inBubble(t, Config{}, func(b *bench) {
			m := kmsg.NewConsumerMemberMetadata()
			m.Topics = []string{"orders"}
			meta := m.AppendTo(nil)
			meta[1] = version
			j := b.joiner("g")
			j.protocols = with(j.protocols, meta)
			b.stable(j)
			for topic, want := range map[string]*kerr.Error{"orders": kerr.GroupSubscribedToTopic, "payments": nil} {
				req := kmsg.NewPtrOffsetDeleteRequest()
				req.Group = "g"
				req.Topics = []kmsg.OffsetDeleteRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{}}}}
				wantCode(t, topic, got[*kmsg.OffsetDeleteResponse](b.send(req)).Topics[0].Partitions[0].ErrorCode, want)
			}
		})
	}
}
