package consumer

import "testing"

func TestASlabNeverGivesAValueTwice(t *testing.T) {
	var s slab[int]
	seen := map[*int]bool{}
	for i := range 10 * slabBytes {
		x := s.get()
		if *x != 0 || seen[x] {
			t.Fatalf("value %d was given before", i)
		}
		*x, seen[x] = 1, true
	}
}
