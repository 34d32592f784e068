package nearest

import "testing"

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"orders", "orders", 0}, {"orders", "ORDERS", 0}, {"orders", "order", 1}, {"orders", "odrers", 1},
		{"orders", "orderz", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3},
	} {
		if got := Distance(c.a, c.b); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := Distance(c.b, c.a); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

func TestNameFindsWhatWasMeant(t *testing.T) {
	topics := []string{"payments", "orders", "shop.shipments", "audit"}
	for name, want := range map[string]string{"order": "orders", "Orders": "orders", "odrers": "orders", "shipments": "shop.shipments", "eu.payments": "payments", "inventory": "", "x": ""} {
		if got, ok := Name(name, topics); got != want || ok != (want != "") {
			t.Errorf("Name(%q) = %q, %v; want %q", name, got, ok, want)
		}
	}
	if _, ok := Name("orders", nil); ok {
		t.Error("found a name among none")
	}
}
