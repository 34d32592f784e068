package quotas

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func named(s string) *string { return &s }

// The order is Kafka's: the user and client id, the user and the default client id, the user, then the same of the default user, then client ids.
func TestMostSpecificQuotaBinds(t *testing.T) {
	order := []Entity{
		{User: named("alice"), ClientID: named("c")}, {User: named("alice"), ClientID: nil}, {User: named("alice")},
		{User: nil, ClientID: named("c")}, {User: nil, ClientID: nil}, {User: nil},
		{ClientID: named("c")}, {ClientID: nil},
	}
	var table Table
	for i := len(order) - 1; i >= 0; i-- {
		table.Alter(order[i], map[Key]float64{Produce: float64(i)}, nil)
		if l, ok := table.Find(Produce, "alice", "c"); !ok || l.Value != float64(i) {
			t.Errorf("with %v: %+v, %v", order[i], l, ok)
		}
	}
	if l, _ := table.Find(Produce, "bob", "d"); l.Value != 4 {
		t.Errorf("another user's other client: %+v", l)
	}
	if _, ok := table.Find(Fetch, "alice", "c"); ok {
		t.Error("a quota that was not set binds")
	}
	for _, e := range order {
		table.Alter(e, nil, []Key{Produce})
	}
	if table.Any() {
		t.Errorf("left: %v", table.All())
	}
}

func TestClientsOfOneUserShareItsQuota(t *testing.T) {
	var table Table
	table.Alter(Entity{User: named("alice")}, map[Key]float64{Produce: 100}, nil)
	a, _ := table.Find(Produce, "alice", "a")
	b, _ := table.Find(Produce, "alice", "b")
	if a != b {
		t.Errorf("%v and %v", a, b)
	}
	table.Alter(Entity{User: nil, ClientID: nil}, map[Key]float64{Produce: 100}, nil)
	c, _ := table.Find(Produce, "carol", "a")
	d, _ := table.Find(Produce, "carol", "b")
	if c == d {
		t.Errorf("two clients share a default: %v", c)
	}
}

// 10 windows count as full at least, so 1,000 bytes at a limit of 10 bytes a second are 100 a second: nothing may come for 90/10 of 10 seconds.
func TestClientWaitsUntilItsRateIsTheLimit(t *testing.T) {
	now := time.Unix(1000, 0)
	var m Meter
	l := Limit{10, "x"}
	if d := m.Use(Produce, l, 100, now); d != 0 {
		t.Errorf("what it may use at once: wait %v", d)
	}
	if d := m.Use(Produce, l, 900, now); d != 90*time.Second {
		t.Errorf("ten times as much: wait %v", d)
	}
	m.Unuse(Produce, l, 900, now)
	if d := m.Use(Produce, l, 0, now); d != 0 {
		t.Errorf("taken back: wait %v", d)
	}
	if d := m.Use(Produce, l, 100, now.Add(12*time.Second)); d != 0 {
		t.Errorf("after all windows: wait %v", d)
	}
	if d := m.Use(Fetch, l, 100, now); d != 0 {
		t.Errorf("another quota: wait %v", d)
	}
}

func TestBucketLendsOnceAndRefusesStrictly(t *testing.T) {
	now := time.Unix(1000, 0)
	var m Meter
	l := Limit{1, "x"} // 11 tokens
	if d, refused := m.Take(Mutation, l, 20, true, now); d != 9*time.Second || refused {
		t.Errorf("the first: %v, %v", d, refused)
	}
	if d, refused := m.Take(Mutation, l, 1, true, now); d != 9*time.Second || !refused {
		t.Errorf("in debt, strictly: %v, %v", d, refused)
	}
	if d, refused := m.Take(Mutation, l, 1, false, now); d != 10*time.Second || refused {
		t.Errorf("in debt: %v, %v", d, refused)
	}
	if d, refused := m.Take(Mutation, l, 1, true, now.Add(11*time.Second)); d != 0 || refused {
		t.Errorf("filled: %v, %v", d, refused)
	}
}
