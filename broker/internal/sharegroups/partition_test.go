package sharegroups

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini/broker/internal/records"
	"github.com/sordini-go/sordini/broker/internal/storage"
)

// shelf is a partition under test with a log and what is written down of it.
type shelf struct {
	t *testing.T
	*Partition
	log    []records.Batch
	set    Settings
	states *States
	fails  atomic.Pointer[kerr.Error] // what writing comes to
	woken  int
}

// onShelf runs a test in virtual time on a partition whose log has batches of so many records, read by a group that has begun at the first of them.
func onShelf(t *testing.T, test func(s *shelf), sizes ...int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{t: t, states: NewStates(StatesConfig{})}
		s.set = Settings{Lock: 30 * time.Second, DeliveryLimit: 5, MaxLocks: 2000, Renew: true, Reset: Reset{Kind: ResetEarliest}}
		for _, n := range sizes {
			s.produce(n)
		}
		if err := s.states.Initialize(aKey, 0, NoOffset); err != nil {
			t.Fatal(err)
		}
		s.open(0)
		test(s)
		s.Close()
	})
}

func (s *shelf) end() int64 {
	if len(s.log) == 0 {
		return 0
	}
	return s.log[len(s.log)-1].LastOffset() + 1
}

func (s *shelf) produce(n int) {
	b := records.New(make([]records.Record, n), nil, 0)
	b.SetBaseOffset(s.end())
	s.log = append(s.log, b)
}

// open takes the partition up in a leader epoch.
func (s *shelf) open(epoch int32) {
	s.t.Helper()
	st, err := s.states.Read(aKey, epoch)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Partition, err = NewPartition(PartitionConfig{
		Key: aKey, LeaderEpoch: epoch, Settings: func() Settings { return s.set }, Changed: func() { s.woken++ },
		Write: func(u Update) error {
			if err := s.fails.Load(); err != nil {
				return err
			}
			return s.states.Write(aKey, u)
		},
	}, st, s.end(), func(r Reset) (int64, error) {
		if r.Kind == ResetEarliest {
			return 0, nil
		}
		return s.end(), nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// fetch lets a member acquire what there is, and says what it got: "0-4x1" for five records that are delivered for the first time.
func (s *shelf) fetch(member string, most int, exact ...bool) string {
	from := s.Next()
	var read []records.Batch
	for _, b := range s.log {
		if b.LastOffset() >= from {
			read = append(read, b)
		}
	}
	if !s.Acquirable() {
		return "full"
	}
	return show(s.Acquire(Request{Member: member, Max: most, BatchSize: most, Exact: len(exact) > 0}, from, read, nil))
}

func show(runs []Run) string {
	var said []string
	for _, r := range runs {
		said = append(said, fmt.Sprintf("%d-%dx%d", r.First, r.Last, r.Deliveries))
	}
	return strings.Join(said, " ")
}

func (s *shelf) want(what, got, want string) {
	s.t.Helper()
	if got != want {
		s.t.Fatalf("%s: %q, want %q", what, got, want)
	}
}

func (s *shelf) says(member string, code *kerr.Error, acks ...Acknowledgement) {
	s.t.Helper()
	err := s.Acknowledge(member, acks)
	if code == nil && err != nil || code != nil && !errors.Is(err, code) {
		s.t.Fatalf("%s acknowledges %v: %v, want %v", member, acks, err, code)
	}
}

func ack(first, last int64, types ...int8) Acknowledgement {
	return Acknowledgement{first, last, types}
}

func TestRecordsGoToOneMemberAtATime(t *testing.T) {
	onShelf(t, func(s *shelf) {
		s.want("first", s.fetch("a", 3), "0-4x1") // record batches are given whole
		s.want("second", s.fetch("b", 100), "5-9x1")
		s.want("third", s.fetch("c", 100), "")
		s.says("b", kerr.InvalidRecordState, ack(0, 4, Accept))
		s.says("a", nil, ack(0, 4, Accept))
		if s.Start() != 5 {
			t.Errorf("start %d", s.Start())
		}
		s.says("a", nil, ack(0, 4, Accept)) // what has ended is nobody's business any more
		s.says("b", nil, ack(5, 9, Accept))
		if s.Start() != 10 {
			t.Errorf("start %d", s.Start())
		}
		s.produce(2)
		s.want("what comes next", s.fetch("c", 100), "10-11x1")
	}, 5, 5)
}

func TestEachRecordCanBeAcknowledgedAlone(t *testing.T) {
	onShelf(t, func(s *shelf) {
		s.want("fetch", s.fetch("a", 10), "0-5x1")
		s.says("a", nil, ack(0, 5, Accept, Release, Reject, Gap, Accept, Release))
		s.want("again", s.fetch("b", 10), "1-1x2 5-5x2")
		if s.Start() != 1 {
			t.Errorf("start %d", s.Start())
		}
		s.says("b", nil, ack(1, 1, Accept), ack(5, 5, Reject))
		if s.Start() != 6 {
			t.Errorf("start %d", s.Start())
		}
	}, 6)
}

func TestAnAcknowledgementIsTakenWholeOrNotAtAll(t *testing.T) {
	onShelf(t, func(s *shelf) {
		s.want("fetch", s.fetch("a", 3), "0-2x1")
		s.want("fetch", s.fetch("b", 3), "3-5x1")
		s.says("a", kerr.InvalidRecordState, ack(0, 1, Accept), ack(2, 4, Accept))
		s.says("a", kerr.InvalidRequest, ack(0, 1, Accept), ack(2, 9, Accept))
		s.says("a", kerr.InvalidRecordState, ack(0, 1, Accept), ack(1, 2, Accept))
		s.fails.Store(kerr.FencedStateEpoch)
		s.says("a", kerr.NotLeaderForPartition, ack(0, 2, Accept))
		s.fails.Store(nil)
		if s.Start() != 0 || s.completed != 0 {
			t.Errorf("start %d, %d ended, of what was refused", s.Start(), s.completed)
		}
		s.says("a", nil, ack(0, 2, Accept))
		if s.Start() != 3 {
			t.Errorf("start %d", s.Start())
		}
	}, 3, 3)
}

func TestWhatIsPastOrUnknownIsRefused(t *testing.T) {
	onShelf(t, func(s *shelf) {
		s.says("a", kerr.InvalidRecordState, ack(0, 1, Accept))
		s.want("fetch", s.fetch("a", 10), "0-2x1")
		s.says("a", kerr.InvalidRequest, ack(7, 8, Accept))
		s.says("a", kerr.InvalidRequest, ack(0, 1, 9))
		s.says("a", nil, ack(0, 2, Release))
		s.says("a", kerr.InvalidRecordState, ack(0, 2, Accept))
	}, 3)
}

func TestALockRunsOutThoughNothingCanBeWritten(t *testing.T) {
	onShelf(t, func(s *shelf) {
		s.want("fetch", s.fetch("a", 10), "0-2x1")
		s.fails.Store(kerr.CoordinatorNotAvailable)
		time.Sleep(31 * time.Second)
		s.fails.Store(nil)
		s.want("fetch of another", s.fetch("b", 10), "0-2x2")
	}, 3)
}

func TestALockRunsOutUnlessItIsRenewed(t *testing.T) {
	onShelf(t, func(s *shelf) {
		s.want("fetch", s.fetch("a", 10), "0-2x1")
		time.Sleep(20 * time.Second)
		s.says("a", nil, ack(0, 0, Renew))
		time.Sleep(11 * time.Second)
		synctest.Wait()
		s.want("what was not renewed", s.fetch("b", 10), "1-2x2")
		s.says("a", kerr.InvalidRecordState, ack(1, 2, Accept))
		time.Sleep(20 * time.Second)
		synctest.Wait()
		s.want("what was renewed once", s.fetch("b", 10), "0-0x2")
		if s.woken == 0 {
			t.Error("nobody was told that records are available again")
		}
		s.set.Renew = false
		s.says("b", kerr.InvalidRecordState, ack(0, 0, Renew))
	}, 3)
}

func TestARecordIsDeliveredAsOftenAsTheLimitSays(t *testing.T) {
	onShelf(t, func(s *shelf) {
		s.set.DeliveryLimit = 2
		s.want("first", s.fetch("a", 10), "0-0x1")
		s.says("a", nil, ack(0, 0, Release))
		s.want("second", s.fetch("a", 10), "0-0x2")
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if s.Start() != 1 {
			t.Errorf("start %d: the record lives", s.Start())
		}
		s.want("third", s.fetch("a", 10), "")
	}, 1)
}

// Records that failed again and again come in ever smaller numbers, and alone the last time, so that the one that makes consumers fail dies alone.
func TestRecordsThatFailAreGivenInSmallerNumbers(t *testing.T) {
	onShelf(t, func(s *shelf) {
		for _, want := range []string{"0-7x1", "0-7x2", "0-7x3", "0-3x4", "4-7x4", "0-0x5", "1-1x5"} {
			got := s.fetch("a", 100)
			s.want("fetch", got, want)
			if want == "0-3x4" {
				continue
			}
			if err := s.ReleaseAll("a"); err != nil {
				t.Fatal(err)
			}
		}
	}, 8)
}

func TestAnExactFetchSplitsABatch(t *testing.T) {
	onShelf(t, func(s *shelf) {
		s.want("first", s.fetch("a", 3, true), "0-2x1")
		s.want("second", s.fetch("b", 3, true), "3-5x1")
		s.want("rest", s.fetch("c", 100, true), "6-9x1")
		s.says("b", nil, ack(3, 5, Release))
		s.want("again", s.fetch("c", 2, true), "3-4x2")
	}, 10)
}

func TestOnlySoManyRecordsAreInFlight(t *testing.T) {
	onShelf(t, func(s *shelf) {
		s.set.MaxLocks = 4
		s.want("first", s.fetch("a", 100), "0-4x1") // the batch is given whole
		s.want("second", s.fetch("a", 100), "full")
		s.says("a", nil, ack(1, 1, Release))
		s.want("what is available again", s.fetch("a", 100), "1-1x2")
		s.says("a", nil, ack(0, 4, Accept))
		s.want("third", s.fetch("a", 100), "5-9x1")
	}, 5, 5)
}

func TestTheStartFollowsTheLog(t *testing.T) {
	onShelf(t, func(s *shelf) {
		s.want("fetch", s.fetch("a", 5), "0-4x1")
		s.says("a", nil, ack(1, 2, Accept), ack(3, 3, Release))
		s.MoveStart(4)
		if s.Start() != 4 || s.completed != 0 {
			t.Errorf("start %d, %d ended", s.Start(), s.completed)
		}
		s.says("a", nil, ack(0, 4, Accept)) // of which only the last is still there
		s.want("fetch", s.fetch("b", 100), "5-9x1")
		s.MoveStart(20)
		s.produce(12)
		if s.Start() != 20 {
			t.Errorf("start %d", s.Start())
		}
	}, 5, 5)
}

func TestAnotherLeaderGoesOn(t *testing.T) {
	onShelf(t, func(s *shelf) {
		s.want("fetch", s.fetch("a", 100), "0-9x1")
		s.says("a", nil, ack(2, 3, Accept), ack(5, 5, Release), ack(7, 7, Reject))
		s.says("a", nil, ack(6, 6, Release))
		first := s.Partition
		s.open(1)
		if err := first.Acknowledge("a", []Acknowledgement{ack(0, 0, Accept)}); !errors.Is(err, kerr.NotLeaderForPartition) {
			t.Errorf("the leader before acknowledges: %v", err)
		}
		first.Close()
		s.want("what was acquired, and what was given back", s.fetch("b", 100), "0-1x1 4-4x1 5-6x2 8-9x1")
		s.says("b", nil, ack(0, 1, Accept), ack(4, 6, Accept), ack(8, 9, Accept))
		if s.Start() != 10 {
			t.Errorf("start %d", s.Start())
		}
	}, 10)
}

func TestAbortedRecordsEnd(t *testing.T) {
	onShelf(t, func(s *shelf) {
		p := &records.Producer{ID: 9}
		write := func(b records.Batch) {
			b.SetBaseOffset(s.end())
			s.log = append(s.log, b)
		}
		write(records.New(make([]records.Record, 2), p, 0)) // 2-3, aborted
		write(records.New(make([]records.Record, 1), nil, 0))
		write(records.NewMarker(9, 0, records.Marker{}, 0))             // 5
		write(records.New(make([]records.Record, 2), p, 0))             // 6-7, committed
		write(records.NewMarker(9, 0, records.Marker{Commit: true}, 0)) // 8
		runs := s.Acquire(Request{Member: "a", Max: 100, BatchSize: 100}, 0, s.log, []storage.Aborted{{Producer: 9, First: 2, Last: 5}})
		s.want("fetch", show(runs), "0-1x1 4-8x1")
		s.says("a", nil, ack(0, 1, Accept), ack(4, 8, Accept))
		if s.Start() != 9 {
			t.Errorf("start %d", s.Start())
		}
	}, 2)
}

// Whatever members do, no two have a record at once, none is delivered more often than the limit says, all end when their locks are left to run out,
// and a leader that takes over delivers nothing again that has ended.
func TestRecordsEndHoweverMembersBehave(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 1))
		onShelf(t, func(s *shelf) {
			s.set.DeliveryLimit = 2 + r.IntN(4)
			s.set.MaxLocks = 4 + r.IntN(30)
			type held struct {
				member string
				until  time.Time
			}
			holder, deliveries, ended := make(map[int64]held), make(map[int64]int), make(map[int64]bool)
			epoch := int32(0)
			take := func(member string, runs []Run) {
				for _, run := range runs {
					for o := run.First; o <= run.Last; o++ {
						if h, ok := holder[o]; ok && h.until.After(time.Now()) {
							t.Fatalf("seed %d: %s has record %d, and now %s too", seed, h.member, o, member)
						}
						if ended[o] {
							t.Fatalf("seed %d: record %d has ended, and is delivered", seed, o)
						}
						holder[o] = held{member, time.Now().Add(s.set.Lock)}
						if deliveries[o]++; int(run.Deliveries) > s.set.DeliveryLimit {
							t.Fatalf("seed %d: record %d is delivered for the %dth time", seed, o, run.Deliveries)
						}
					}
				}
			}
			step := func(member string) {
				from := s.Next()
				var read []records.Batch
				for _, b := range s.log {
					if b.LastOffset() >= from {
						read = append(read, b)
					}
				}
				if s.Acquirable() {
					take(member, s.Acquire(Request{Member: member, Max: 1 + r.IntN(8), BatchSize: 1 + r.IntN(5), Exact: r.IntN(2) == 0}, from, read, nil))
				}
			}
			for range 120 {
				member := string(rune('a' + r.IntN(3)))
				switch r.IntN(10) {
				case 0:
					s.produce(1 + r.IntN(6))
				case 1:
					time.Sleep(time.Duration(r.IntN(12)) * time.Second)
					synctest.Wait()
				case 2:
					before := s.Partition
					epoch++
					s.open(epoch)
					before.Close()
					clear(holder)
				case 3, 4, 5:
					step(member)
				default:
					var mine []int64
					for o, h := range holder {
						if h.member == member && h.until.After(time.Now()) {
							mine = append(mine, o)
						}
					}
					slices.Sort(mine)
					for _, o := range mine {
						said := []int8{Accept, Release, Reject}[r.IntN(3)]
						if err := s.Acknowledge(member, []Acknowledgement{ack(o, o, said)}); err != nil {
							t.Fatalf("seed %d: %s acknowledges %d: %v", seed, member, o, err)
						}
						delete(holder, o)
						if said != Release {
							ended[o] = true
						}
					}
				}
			}
			for range 400 {
				step("z")
				time.Sleep(s.set.Lock + time.Second)
				synctest.Wait()
				clear(holder)
				if s.Start() >= s.end() {
					break
				}
			}
			if s.Start() < s.end() {
				t.Fatalf("seed %d: the start is %d, the log ends at %d", seed, s.Start(), s.end())
			}
		}, 3, 4)
	}
}
