package dlt_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/dlt"
)

func TestCompanionNames(t *testing.T) {
	for _, c := range []struct{ source, group, want string }{
		{"orders", "billing", "orders.billing"},
		{"orders", "order-service", "orders.order-service"},
		{"com.acme.orders", "billing", "com.acme.orders.billing"},
		{"com_acme-orders", "billing", "com_acme-orders.billing"},
		{"orders", "order.service", "orders.order--2eservice"},
		{"orders", "order_service", "orders.order--5fservice"},
		{"orders", "a--b", "orders.a--2d-b"},
		{"orders", "a-.b", "orders.a--2d--2eb"},
		{"orders", "a-", "orders.a-"},
		{"orders", "a/ü", "orders.a--2f--c3--bc"},
	} {
		name, err := dlt.TopicName(c.source, c.group)
		if err != nil || name != c.want+".dlt" {
			t.Errorf("TopicName(%q, %q) = %q, %v; want %q", c.source, c.group, name, err, c.want+".dlt")
		}
		inbox, err := dlt.InboxName(c.source, c.group)
		if err != nil || inbox != c.want+".retry" {
			t.Errorf("InboxName(%q, %q) = %q, %v; want %q", c.source, c.group, inbox, err, c.want+".retry")
		}
		if s, g, ok := dlt.ParseTopicName(name); !ok || s != c.source || g != c.group {
			t.Errorf("ParseTopicName(%q) = %q, %q, %v", name, s, g, ok)
		}
		if s, g, ok := dlt.ParseInboxName(inbox); !ok || s != c.source || g != c.group {
			t.Errorf("ParseInboxName(%q) = %q, %q, %v", inbox, s, g, ok)
		}
		if _, _, ok := dlt.ParseInboxName(name); ok {
			t.Errorf("ParseInboxName takes %q, a dead-letter topic", name)
		}
	}
}

// Every pair of a small alphabet that holds what is special gets a name of its own, also where '.' and '_' are one, as Kafka's metric names have it.
func TestCompanionNamesNeverCollide(t *testing.T) {
	var words []string
	var grow func(prefix, alphabet string, n int)
	grow = func(prefix, alphabet string, n int) {
		if prefix != "" {
			words = append(words, prefix)
		}
		for i := 0; n > 0 && i < len(alphabet); i++ {
			grow(prefix+alphabet[i:i+1], alphabet, n-1)
		}
	}
	grow("", "a.-", 4) // with '_' in topics too, these would collide by themselves
	topics := words
	words = nil
	grow("", "a.-_2e", 4)
	type pair struct{ topic, group string }
	seen := make(map[string]pair, len(topics)*len(words))
	for _, topic := range topics {
		if topic == "." || topic == ".." {
			continue
		}
		for _, group := range words {
			name, err := dlt.TopicName(topic, group)
			if err != nil {
				t.Fatal(err)
			}
			key := strings.ReplaceAll(name, "_", ".")
			if old, ok := seen[key]; ok {
				t.Fatalf("%q is the name of %q and of %q", name, old, pair{topic, group})
			}
			seen[key] = pair{topic, group}
		}
	}
}

func TestCompanionNamesRefuseWhatCanNotBe(t *testing.T) {
	long := strings.Repeat("o", 200)
	for _, c := range []struct{ source, group, why string }{
		{long, strings.Repeat("b", 45), "250 characters"},
		{long, strings.Repeat(".", 15), "Kafka allows 249"},
		{"", "billing", "empty"},
		{"orders", "", "empty"},
		{"..", "billing", "can not be named"},
		{"or ders", "billing", "' '"},
	} {
		_, err := dlt.TopicName(c.source, c.group)
		if !errors.Is(err, sordini.ErrContract) || !strings.Contains(err.Error(), c.why) || !strings.Contains(err.Error(), c.source) || !strings.Contains(err.Error(), c.group) {
			t.Errorf("TopicName(%q, %q): %v; want an error with %q and both names", c.source, c.group, err, c.why)
		}
	}
	if name, err := dlt.TopicName(long, strings.Repeat("b", 44)); err != nil || len(name) != 249 {
		t.Errorf("249 characters are refused: %v", err)
	}
}

func TestParseTopicNameTakesOnlyOurs(t *testing.T) {
	for _, name := range []string{"orders", "orders.dlt", ".dlt", "orders..dlt", ".billing.dlt", "orders.order_service.dlt", "orders.a--.dlt", "orders.a--2.dlt", "orders.a--2E.dlt", "orders.a--61.dlt"} {
		if s, g, ok := dlt.ParseTopicName(name); ok {
			t.Errorf("ParseTopicName(%q) = %q, %q", name, s, g)
		}
	}
}

func FuzzParseTopicName(f *testing.F) {
	f.Add("orders.billing.dlt")
	f.Add("a.--2e--.dlt")
	f.Fuzz(func(t *testing.T, name string) {
		source, group, ok := dlt.ParseTopicName(name)
		if !ok {
			return
		}
		if again, err := dlt.TopicName(source, group); err != nil || again != name {
			t.Fatalf("%q parses as %q, %q, whose name is %q (%v)", name, source, group, again, err)
		}
	})
}
