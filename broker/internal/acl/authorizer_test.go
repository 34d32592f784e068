package acl

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// naive decides by looking at every binding, one rule after the other.
func naive(supers []string, fallback bool, bindings []Binding, principal, host string, op kmsg.ACLOperation, kind kmsg.ACLResourceType, name string) bool {
	if slices.Contains(supers, principal) {
		return true
	}
	implied := map[kmsg.ACLOperation][]kmsg.ACLOperation{
		kmsg.ACLOperationDescribe:        {kmsg.ACLOperationRead, kmsg.ACLOperationWrite, kmsg.ACLOperationDelete, kmsg.ACLOperationAlter},
		kmsg.ACLOperationDescribeConfigs: {kmsg.ACLOperationAlterConfigs},
	}
	listed, allowed := false, false
	for _, b := range bindings {
		if b.Type != kind {
			continue
		}
		if b.Kind == kmsg.ACLResourcePatternTypePrefixed && !strings.HasPrefix(name, b.Name) {
			continue
		}
		if b.Kind == kmsg.ACLResourcePatternTypeLiteral && b.Name != name && b.Name != "*" {
			continue
		}
		listed = true
		if b.Principal != principal && b.Principal != "User:*" || b.Host != host && b.Host != "*" {
			continue
		}
		same := b.Operation == op || b.Operation == kmsg.ACLOperationAll
		if b.Permission == kmsg.ACLPermissionTypeDeny && same {
			return false
		}
		if b.Permission == kmsg.ACLPermissionTypeAllow && (same || slices.Contains(implied[op], b.Operation)) {
			allowed = true
		}
	}
	return allowed || !listed && fallback
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func randomBinding(r *rand.Rand) Binding {
	return Binding{
		Pattern{pick(r, kmsg.ACLResourceTypeTopic, kmsg.ACLResourceTypeTopic, kmsg.ACLResourceTypeGroup), pick(r, "*", "a", "ab", "abc", "b", "orders"),
			pick(r, kmsg.ACLResourcePatternTypeLiteral, kmsg.ACLResourcePatternTypePrefixed)},
		Entry{pick(r, "User:alice", "User:bob", "User:*"), pick(r, "*", "10.0.0.1"), randomOperation(r, kmsg.ACLOperationAll),
			pick(r, kmsg.ACLPermissionTypeAllow, kmsg.ACLPermissionTypeAllow, kmsg.ACLPermissionTypeAllow, kmsg.ACLPermissionTypeDeny)},
	}
}

func randomOperation(r *rand.Rand, from kmsg.ACLOperation) kmsg.ACLOperation {
	return from + kmsg.ACLOperation(r.IntN(int(kmsg.ACLOperationAlterConfigs-from)+1))
}

func TestDecisionsAreThoseOfTheNaiveModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	outcomes := map[bool]int{}
	for range 3000 {
		fallback := r.IntN(3) == 0
		a := New([]string{"User:root"}, fallback)
		var bindings []Binding
		for range r.IntN(6) {
			b := randomBinding(r)
			bindings = append(bindings, b)
			a.Add(b)
		}
		for range 30 {
			principal, host := pick(r, "User:alice", "User:bob", "User:carol", "User:root"), pick(r, "10.0.0.1", "10.0.0.2")
			op, kind := randomOperation(r, kmsg.ACLOperationRead), pick(r, kmsg.ACLResourceTypeTopic, kmsg.ACLResourceTypeGroup, kmsg.ACLResourceTypeCluster)
			name := pick(r, "a", "ab", "abcd", "b", "orders", "*", "")
			want := naive([]string{"User:root"}, fallback, bindings, principal, host, op, kind, name)
			outcomes[want]++
			if got := a.Allows(principal, host, op, kind, name); got != want {
				t.Fatalf("%s from %s, %v of %v %q: %v, the model says %v; fallback %v, %+v", principal, host, op, kind, name, got, want, fallback, bindings)
			}
		}
	}
	if outcomes[true] < 10_000 || outcomes[false] < 10_000 {
		t.Errorf("one-sided: %v", outcomes)
	}
}

func TestDeleteRemovesWhatTheFilterSelectsAndNothingElse(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		a := New(nil, false)
		kept := map[Binding]bool{}
		for range 10 {
			b := randomBinding(r)
			a.Add(b)
			kept[b] = true
		}
		f := Filter{Type: pick(r, kmsg.ACLResourceTypeAny, kmsg.ACLResourceTypeTopic), Kind: kmsg.ACLResourcePatternType(1 + r.IntN(4)),
			Name: pick(r, nil, kmsg.StringPtr("ab"), kmsg.StringPtr("*")), Operation: kmsg.ACLOperationAny, Permission: kmsg.ACLPermissionTypeAny,
			Principal: pick(r, nil, kmsg.StringPtr("User:bob"))}
		for b := range kept {
			if f.Matches(b) {
				delete(kept, b)
			}
		}
		a.Delete(f)
		left := a.List(Filter{Type: kmsg.ACLResourceTypeAny, Kind: kmsg.ACLResourcePatternTypeAny, Operation: kmsg.ACLOperationAny, Permission: kmsg.ACLPermissionTypeAny})
		if len(left) != len(kept) {
			t.Fatalf("filter %+v leaves %v, want %v", f, left, kept)
		}
	}
}

func TestFilterPatternsMatchAsKafkaSays(t *testing.T) {
	binding := func(kind kmsg.ACLResourcePatternType, name string) Binding {
		return Binding{Pattern{kmsg.ACLResourceTypeTopic, name, kind}, Entry{"User:a", "*", kmsg.ACLOperationRead, kmsg.ACLPermissionTypeAllow}}
	}
	bindings := map[string]Binding{
		"literal orders": binding(kmsg.ACLResourcePatternTypeLiteral, "orders"), "literal *": binding(kmsg.ACLResourcePatternTypeLiteral, "*"),
		"prefixed ord": binding(kmsg.ACLResourcePatternTypePrefixed, "ord"), "prefixed orders": binding(kmsg.ACLResourcePatternTypePrefixed, "orders"),
		"prefixed orders-": binding(kmsg.ACLResourcePatternTypePrefixed, "orders-"),
	}
	for kind, want := range map[kmsg.ACLResourcePatternType][]string{
		kmsg.ACLResourcePatternTypeLiteral:  {"literal orders"},
		kmsg.ACLResourcePatternTypePrefixed: {"prefixed orders"},
		kmsg.ACLResourcePatternTypeAny:      {"literal orders", "prefixed orders"},
		kmsg.ACLResourcePatternTypeMatch:    {"literal *", "literal orders", "prefixed ord", "prefixed orders"},
	} {
		var got []string
		f := Filter{Type: kmsg.ACLResourceTypeTopic, Kind: kind, Name: kmsg.StringPtr("orders"), Operation: kmsg.ACLOperationAny, Permission: kmsg.ACLPermissionTypeAny}
		for name, b := range bindings {
			if f.Matches(b) {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%v: %q, want %q", kind, got, want)
		}
	}
}

func TestAnyTopicIsEnoughUnlessAllOfItIsDenied(t *testing.T) {
	type rule struct {
		kind kmsg.ACLResourcePatternType
		name string
		op   kmsg.ACLOperation
		deny bool
	}
	const literal, prefixed = kmsg.ACLResourcePatternTypeLiteral, kmsg.ACLResourcePatternTypePrefixed
	const write, describe = kmsg.ACLOperationWrite, kmsg.ACLOperationDescribe
	for name, test := range map[string]struct {
		rules []rule
		want  bool
	}{
		"nothing":                        {nil, false},
		"one topic":                      {[]rule{{literal, "a", write, false}}, true},
		"one prefix":                     {[]rule{{prefixed, "a", write, false}}, true},
		"any topic":                      {[]rule{{literal, "*", write, false}}, true},
		"another operation":              {[]rule{{literal, "a", describe, false}}, false},
		"topic denied":                   {[]rule{{literal, "a", write, false}, {literal, "a", write, true}}, false},
		"topic under a denied prefix":    {[]rule{{literal, "abc", write, false}, {prefixed, "ab", write, true}}, false},
		"prefix under a denied prefix":   {[]rule{{prefixed, "abc", write, false}, {prefixed, "ab", write, true}}, false},
		"prefix over a denied prefix":    {[]rule{{prefixed, "a", write, false}, {prefixed, "ab", write, true}}, true},
		"prefix beside a denied topic":   {[]rule{{prefixed, "a", write, false}, {literal, "a", write, true}}, true},
		"everything denied":              {[]rule{{literal, "a", write, false}, {literal, "*", write, true}}, false},
		"any topic, but one":             {[]rule{{literal, "*", write, false}, {literal, "a", write, true}}, true},
		"any topic, but the probed name": {[]rule{{literal, "*", write, false}, {literal, "hardcode", write, true}}, true},
	} {
		a := New(nil, false)
		for _, r := range test.rules {
			p := kmsg.ACLPermissionTypeAllow
			if r.deny {
				p = kmsg.ACLPermissionTypeDeny
			}
			a.Add(Binding{Pattern{kmsg.ACLResourceTypeTopic, r.name, r.kind}, Entry{"User:a", "*", r.op, p}})
		}
		if got := a.AllowsAny("User:a", "h", write, kmsg.ACLResourceTypeTopic); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
