package broker_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

var modelSeed = flag.Uint64("model.seed", 0, "run the property test of the replication model with this seed alone")

// model is what the checker knows of one partition: what was acknowledged, and what consumers could see.
type model struct {
	cluster *broker.Cluster
	rand    *rand.Rand
	brokers int
	harsh   bool // disks are lost, and leaders elected uncleanly
	story   []string

	acked   map[int64]string // by offset, what was acknowledged by all
	visible map[int64]string // by offset, what lay below the high watermark
	unclean int              // elections that were unclean when it was last looked
	next    int
	lost    int // what was acknowledged by the leader alone and is gone
	alone   map[int64]string
}

// TestModelLosesOnlyWhatKafkaAllows lets brokers die and come back, replication stop and go on, leaders be elected and producers write, at random, and
// checks after each step: what was acknowledged by all is in the log of whoever leads, no offset below the high watermark ever holds another record,
// and the logs of in-sync replicas do not contradict each other below it. An unclean election may lose; nothing else may.
func TestModelLosesOnlyWhatKafkaAllows(t *testing.T) {
	seeds := []uint64{*modelSeed}
	if *modelSeed == 0 {
		seeds = seeds[:0]
		for i := range uint64(150) {
			seeds = append(seeds, i+1)
		}
	}
	lost := 0
	for _, seed := range seeds {
		n, err := runModel(t, seed, false)
		if err != nil {
			t.Errorf("seed %d (go test -run Model -model.seed=%[1]d): %v", seed, err)
		}
		lost += n
	}
	if lost == 0 && len(seeds) > 1 {
		t.Error("nothing that was acknowledged by a leader alone was ever lost: acks=1 is as safe as acks=all")
	}
}

// TestModelFindsAHighWatermarkThatDoesNotWait breaks the rule and expects the checker to object.
func TestModelFindsAHighWatermarkThatDoesNotWait(t *testing.T) {
	for seed := range uint64(50) {
		if _, err := runModel(t, seed+1, true); err != nil {
			t.Logf("seed %d: %v", seed+1, err)
			return
		}
	}
	t.Error("the checker found nothing")
}

func runModel(t *testing.T, seed uint64, careless bool) (lost int, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(seed, 5))
		minISR := 1 + r.IntN(3)
		m := &model{rand: r, brokers: 3 + r.IntN(2), harsh: !careless && r.IntN(2) == 0, acked: make(map[int64]string), visible: make(map[int64]string),
			alone: make(map[int64]string)}
		m.cluster, err = broker.Start(broker.Config{Brokers: m.brokers, Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "t", Partitions: 1,
			ReplicationFactor: 3, Configs: map[string]string{"min.insync.replicas": fmt.Sprint(minISR), "unclean.leader.election.enable": fmt.Sprint(m.harsh && r.IntN(3) == 0)}}}})
		if err != nil {
			return
		}
		defer m.cluster.Close()
		if careless {
			m.cluster.Careless()
		}
		m.tell("min ISR %d, %d brokers, harsh %t", minISR, m.brokers, m.harsh)
		for i := range 80 {
			if m.step(t); i == 79 {
				m.heal()
			}
			if err = m.check(); err != nil {
				err = fmt.Errorf("%w, after\n  %s", err, strings.Join(m.story, "\n  "))
				return
			}
		}
		lost = m.lost
	})
	return lost, err
}

func (m *model) tell(format string, args ...any) {
	m.story = append(m.story, fmt.Sprintf(format, args...))
}

// step does something at random.
func (m *model) step(t *testing.T) {
	id := 1 + m.rand.Int32N(int32(m.brokers))
	did := func(what string, err error) { m.tell("%s broker %d: %v", what, id, err) }
	switch m.rand.IntN(28) {
	default:
		m.produce(t, []int16{0, 1, -1, -1}[m.rand.IntN(4)])
	case 0:
		did("kill", m.cluster.KillBroker(id))
	case 1:
		did("kill quietly", m.cluster.KillBroker(id, broker.AfterSession()))
	case 2:
		did("stop", m.cluster.StopBroker(id))
	case 3, 4, 5, 6:
		var opts []broker.StartOption
		what := "start"
		if m.harsh && m.rand.IntN(4) == 0 {
			what, opts = "start with an empty disk", append(opts, broker.LoseDisk())
		} else if m.rand.IntN(3) == 0 {
			what, opts = "start without what was not replicated", append(opts, broker.LoseUnreplicated())
		}
		did(what, m.cluster.StartBroker(id, opts...))
	case 7:
		did("pause", m.cluster.PauseBroker(id))
	case 8:
		did("resume", m.cluster.ResumeBroker(id))
	case 9:
		did("hold", m.cluster.HoldReplication(id))
	case 10, 11:
		did("release", m.cluster.ReleaseReplication(id))
	case 12:
		did("shrink", m.cluster.ShrinkISR("t", 0, id))
	case 13:
		did("restore", m.cluster.RestoreISR("t", 0))
	case 14:
		did("move", m.cluster.MoveLeader("t", 0, id))
	case 15:
		unclean := m.harsh && m.rand.IntN(2) == 0
		m.tell("elect, unclean %t: %v", unclean, m.cluster.ElectLeader("t", 0, unclean))
	case 16, 17:
		m.heal()
	case 18:
		d := time.Duration(m.rand.IntN(40_000)) * time.Millisecond
		time.Sleep(d)
		m.tell("%v pass", d)
	}
}

// heal lets everything run again.
func (m *model) heal() {
	m.tell("heal")
	_ = m.cluster.ReleaseReplication()
	_ = m.cluster.RestoreISR("t", 0)
	for id := range int32(m.brokers) {
		_ = m.cluster.ResumeBroker(id + 1)
		_ = m.cluster.StartBroker(id + 1)
	}
}

// produce writes one record and notes what was acknowledged.
func (m *model) produce(t *testing.T, acks int16) {
	leader, epoch := m.cluster.Leader("t", 0)
	if leader < 0 {
		return
	}
	conn, err := m.cluster.Dial(t.Context(), "tcp", m.cluster.Addrs()[leader-1])
	if err != nil {
		return // it is dead, and nobody knows yet
	}
	defer conn.Close()
	w := &wire{t: t, conn: conn, name: "model"}
	m.next++
	value := fmt.Sprintf("r%d", m.next)
	req := produceRequest("t", 0, seal(batchOf(text(value)...)))
	req.Acks, req.TimeoutMillis = acks, 50
	req.SetVersion(12)
	w.send(req)
	if acks == 0 {
		time.Sleep(time.Microsecond)
		m.tell("produce %s acks 0", value)
		return
	}
	conn.SetReadDeadline(time.Now().Add(time.Second))
	resp, err := w.receive(req)
	if err != nil {
		m.tell("produce %s acks %d: %v", value, acks, err)
		return
	}
	p := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	m.tell("produce %s acks %d to broker %d epoch %d: offset %d code %d", value, acks, leader, epoch, p.BaseOffset, p.ErrorCode)
	if p.ErrorCode != 0 {
		return
	}
	if acks == -1 {
		m.acked[p.BaseOffset] = value
	} else {
		m.alone[p.BaseOffset] = value
	}
}

// check compares what the replicas hold with what must be.
func (m *model) check() error {
	part, err := m.cluster.Partition("t", 0)
	if err != nil {
		return err
	}
	states, unclean := m.cluster.ReplicaStates("t", 0)
	if part.Leader < 0 {
		return nil
	}
	i := slices.IndexFunc(states, func(s broker.ReplicaState) bool { return s.ID == part.Leader })
	if i < 0 {
		return errors.New("the leader is no replica")
	}
	lead := states[i]
	if !slices.Contains(part.InSync, part.Leader) {
		return fmt.Errorf("leader %d is not in sync with %v", part.Leader, part.InSync)
	}
	forgive := m.harsh && unclean > m.unclean
	m.unclean = unclean
	for offset, v := range m.acked {
		if lead.Values[offset] == v {
			continue
		}
		if !forgive {
			return fmt.Errorf("%s was acknowledged by all at %d, leader %d holds %q there", v, offset, lead.ID, lead.Values[offset])
		}
		delete(m.acked, offset)
	}
	for offset, v := range m.visible {
		if lead.Values[offset] == v {
			continue
		}
		if !forgive {
			return fmt.Errorf("%s was visible at %d, leader %d holds %q there", v, offset, lead.ID, lead.Values[offset])
		}
		delete(m.visible, offset)
	}
	for offset, v := range m.alone {
		if lead.Values[offset] != v {
			m.lost++
			delete(m.alone, offset)
		}
	}
	if lead.HW > lead.End {
		return fmt.Errorf("high watermark %d beyond the end %d", lead.HW, lead.End)
	}
	for offset, v := range lead.Values {
		if offset < lead.HW {
			m.visible[offset] = v
		}
	}
	for _, s := range states {
		if !slices.Contains(part.InSync, s.ID) {
			continue
		}
		for offset := range lead.HW {
			if s.Values[offset] != lead.Values[offset] || s.Epochs[offset] != lead.Epochs[offset] {
				return fmt.Errorf("in-sync replica %d holds %q at %d, leader %d %q, high watermark %d", s.ID, s.Values[offset], offset, lead.ID,
					lead.Values[offset], lead.HW)
			}
		}
	}
	return nil
}
