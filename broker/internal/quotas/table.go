package quotas

import (
	"fmt"
	"maps"
	"math"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Kafka's types of entities.
const (
	User     = "user"
	ClientID = "client-id"
	IP       = "ip"
)

// Key names what a quota bounds.
type Key string

// Kafka's quotas.
const (
	Produce     Key = "producer_byte_rate"       // bytes a second
	Fetch       Key = "consumer_byte_rate"       // bytes a second
	Request     Key = "request_percentage"       // percent of a thread's time
	Mutation    Key = "controller_mutation_rate" // partitions created or deleted a second
	Connections Key = "connection_creation_rate" // connections a second
)

// integral are the quotas that have no fraction, with the greatest value of their type.
var integral = map[Key]struct {
	max  float64
	kind string
}{Produce: {math.MaxInt64, "LONG"}, Fetch: {math.MaxInt64, "LONG"}, Connections: {math.MaxInt32, "INT"}}

// Entity is who a quota is for: names by type, nil for the default of a type.
type Entity map[string]*string

// id is the same for the same entities.
func (e Entity) id() string {
	var b strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(e)) {
		b.WriteString(kind)
		if name := e[kind]; name != nil {
			fmt.Fprintf(&b, "=%q", *name)
		}
		b.WriteByte(' ')
	}
	return b.String()
}

// String writes the entity as Kafka does in its errors.
func (e Entity) String() string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(e)) {
		name := "null"
		if e[kind] != nil {
			name = *e[kind]
		}
		parts = append(parts, kind+"="+name)
	}
	return "ClientQuotaEntity(entries={" + strings.Join(parts, ", ") + "})"
}

// Check says what is wrong with an entity, in Kafka's words.
func (e Entity) Check() error {
	if len(e) == 0 {
		return fmt.Errorf("Invalid empty client quota entity")
	}
	for _, kind := range slices.Sorted(maps.Keys(e)) {
		if kind != User && kind != ClientID && kind != IP {
			return fmt.Errorf("Unhandled client quota entity type: %s", kind)
		}
		if e[kind] != nil && *e[kind] == "" {
			return fmt.Errorf("Empty %s not supported", kind)
		}
	}
	ip, has := e[IP]
	if !has {
		return nil
	}
	if len(e) > 1 {
		return fmt.Errorf("Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId") //nolint:misspell // Kafka's own words
	}
	if ip != nil && *ip != "localhost" && net.ParseIP(*ip) == nil { // names are not looked up: the network is the loopback interface
		return fmt.Errorf("%s is not a valid IP or resolvable host.", *ip)
	}
	return nil
}

// CheckValue says what is wrong with a quota of the entity, in Kafka's words.
func (e Entity) CheckValue(key Key, value float64) error {
	_, ip := e[IP]
	known := !ip && (key == Produce || key == Fetch || key == Request || key == Mutation) || ip && key == Connections
	switch bound, whole := integral[key]; {
	case !known:
		return fmt.Errorf("Invalid configuration key %s", key)
	case !(value > 0):
		return fmt.Errorf("Quota %s must be greater than 0", key)
	case whole && value > bound.max:
		return fmt.Errorf("Proposed value for %s is too large for a %s.", key, bound.kind)
	case whole && math.Abs(math.Mod(value, 1)) > 1e-6:
		return fmt.Errorf("%s cannot be a fractional value.", key)
	}
	return nil
}

// Quota is what was set for one entity.
type Quota struct {
	Entity Entity
	Values map[Key]float64
}

// Table holds all quotas. The zero value is empty. It is safe for concurrent use.
type Table struct {
	any atomic.Bool // something was set: what most clusters never do is not paid for

	mu   sync.RWMutex // guards what follows
	byID map[string]Quota
}

// Any says whether there is any quota.
func (t *Table) Any() bool { return t.any.Load() }

// Alter sets and removes quotas of an entity that was checked.
func (t *Table) Alter(e Entity, set map[Key]float64, remove []Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := e.id()
	q, ok := t.byID[id]
	if !ok {
		q = Quota{Entity: e}
	}
	q.Values = maps.Clone(q.Values)
	if q.Values == nil {
		q.Values = make(map[Key]float64)
	}
	maps.Copy(q.Values, set)
	for _, key := range remove {
		delete(q.Values, key)
	}
	if t.byID == nil {
		t.byID = make(map[string]Quota)
	}
	if t.byID[id] = q; len(q.Values) == 0 {
		delete(t.byID, id)
	}
	t.any.Store(len(t.byID) > 0)
}

// All returns all quotas in a fixed order. They must not be written to.
func (t *Table) All() (qs []Quota) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, id := range slices.Sorted(maps.Keys(t.byID)) {
		qs = append(qs, t.byID[id])
	}
	return qs
}

// Limit is the quota that binds a client, and whose use is counted together.
type Limit struct {
	Value float64
	Users string // who shares it
}

// Find returns the quota that binds a client; none binds it where the result is false. Clients that share a user's quota share it whatever their ids
// are; defaults are each user's and each client id's own.
func (t *Table) Find(key Key, user, client string) (Limit, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, e := range []Entity{
		{User: &user, ClientID: &client}, {User: &user, ClientID: nil}, {User: &user},
		{User: nil, ClientID: &client}, {User: nil, ClientID: nil}, {User: nil},
		{ClientID: &client}, {ClientID: nil},
	} {
		v, ok := t.byID[e.id()].Values[key]
		if !ok {
			continue
		}
		of := make(Entity, 2)
		if _, ok := e[User]; ok {
			of[User] = &user
		}
		if _, ok := e[ClientID]; ok {
			of[ClientID] = &client
		}
		return Limit{v, of.id()}, true
	}
	return Limit{}, false
}

// FindIP returns how many connections a second may come from an address.
func (t *Table) FindIP(ip string) (float64, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, e := range []Entity{{IP: &ip}, {IP: nil}} {
		if v, ok := t.byID[e.id()].Values[Connections]; ok {
			return v, true
		}
	}
	return 0, false
}
