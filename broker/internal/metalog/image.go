package metalog

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Image is what all records together say. Its zero value is empty.
type Image struct {
	Features   map[string]*Feature
	Brokers    map[int32]*RegisterBroker
	Topics     map[[16]byte]*Topic
	Partitions map[[16]byte]map[int32]*Partition
	Removed    map[[16]byte]bool // topics
	Configs    map[Resource]map[string]string
	Quotas     map[string]*Quota // by entity and key
	Scram      map[RemoveScram]*Scram
	ACLs       map[[16]byte]*ACL
	IDs        *ProducerIDs // nil: none was given out
	Tokens     map[string]*Token
}

// Resource is what has settings.
type Resource struct {
	Type ResourceType
	Name string
}

// NewImage returns an empty image.
func NewImage() *Image {
	return &Image{Features: make(map[string]*Feature), Brokers: make(map[int32]*RegisterBroker), Topics: make(map[[16]byte]*Topic),
		Partitions: make(map[[16]byte]map[int32]*Partition), Removed: make(map[[16]byte]bool), Configs: make(map[Resource]map[string]string),
		Quotas: make(map[string]*Quota), Scram: make(map[RemoveScram]*Scram), ACLs: make(map[[16]byte]*ACL),
		Tokens: make(map[string]*Token)}
}

// Apply takes records over.
func (i *Image) Apply(all ...Record) {
	for _, r := range all {
		switch r := r.(type) {
		case *Feature:
			i.Features[r.Name] = r
		case *RegisterBroker:
			i.Brokers[r.Broker] = r
		case *Topic:
			i.Topics[r.ID] = r
		case *Partition:
			if i.Partitions[r.Topic] == nil {
				i.Partitions[r.Topic] = make(map[int32]*Partition)
			}
			i.Partitions[r.Topic][r.Partition] = r
		case *RemoveTopic:
			if t := i.Topics[r.ID]; t != nil {
				delete(i.Configs, Resource{TopicConfig, t.Name})
			}
			delete(i.Topics, r.ID)
			delete(i.Partitions, r.ID)
			i.Removed[r.ID] = true
		case *Config:
			i.configure(r)
		case *Quota:
			i.Quotas[r.id()] = r
			if r.Remove {
				delete(i.Quotas, r.id())
			}
		case *Scram:
			i.Scram[RemoveScram{r.User, r.Mechanism}] = r
		case *RemoveScram:
			delete(i.Scram, *r)
		case *ACL:
			i.ACLs[r.ID] = r
		case *RemoveACL:
			delete(i.ACLs, r.ID)
		case *ProducerIDs:
			i.IDs = r
		case *Token:
			i.Tokens[r.ID] = r
		case *RemoveToken:
			delete(i.Tokens, r.ID)
		}
	}
}

// TopicConfig is the type of a topic's settings, as in Kafka's requests.
const TopicConfig ResourceType = 2

func (i *Image) configure(c *Config) {
	of := Resource{c.Type, c.Name}
	if c.Value == nil {
		if delete(i.Configs[of], c.Key); len(i.Configs[of]) == 0 {
			delete(i.Configs, of)
		}
		return
	}
	if i.Configs[of] == nil {
		i.Configs[of] = make(map[string]string)
	}
	i.Configs[of][c.Key] = *c.Value
}

// id is the same for the same quota of the same entity.
func (q *Quota) id() string {
	parts := make([]string, len(q.Entity))
	for i, e := range q.Entity {
		parts[i] = e.Type
		if e.Name != nil {
			parts[i] = fmt.Sprintf("%s=%q", e.Type, *e.Name)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, " ") + " " + q.Key
}

// Records is a list of records that say the same, in an order that stays the same.
func (i *Image) Records() (all []Record) {
	for _, name := range slices.Sorted(maps.Keys(i.Features)) {
		all = append(all, i.Features[name])
	}
	for _, id := range slices.Sorted(maps.Keys(i.Brokers)) {
		all = append(all, i.Brokers[id])
	}
	topics := slices.SortedFunc(maps.Values(i.Topics), func(a, b *Topic) int { return cmp.Compare(a.Name, b.Name) })
	for _, t := range topics {
		all = append(all, t)
		for _, p := range slices.Sorted(maps.Keys(i.Partitions[t.ID])) {
			all = append(all, i.Partitions[t.ID][p])
		}
	}
	resources := slices.SortedFunc(maps.Keys(i.Configs), func(a, b Resource) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
	})
	for _, of := range resources {
		for _, key := range slices.Sorted(maps.Keys(i.Configs[of])) {
			value := i.Configs[of][key]
			all = append(all, &Config{Type: of.Type, Name: of.Name, Key: key, Value: &value})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(i.Quotas)) {
		all = append(all, i.Quotas[id])
	}
	users := slices.SortedFunc(maps.Keys(i.Scram), func(a, b RemoveScram) int {
		return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Mechanism, b.Mechanism))
	})
	for _, u := range users {
		all = append(all, i.Scram[u])
	}
	for _, id := range slices.SortedFunc(maps.Keys(i.ACLs), func(a, b [16]byte) int { return slices.Compare(a[:], b[:]) }) {
		all = append(all, i.ACLs[id])
	}
	if i.IDs != nil {
		all = append(all, i.IDs)
	}
	for _, id := range slices.Sorted(maps.Keys(i.Tokens)) {
		all = append(all, i.Tokens[id])
	}
	return all
}
