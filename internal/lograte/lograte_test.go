package lograte

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestOneLineOfAKindInTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		written, told := 0, 0
		for i := range 1000 { // 100 s
			ok, skipped := l.Allow("orders", fmt.Sprintf(`charge order %d of "customer %d": timeout after 1.%ds`, i, i, i))
			if ok {
				written++
				told += skipped
			}
			time.Sleep(100 * time.Millisecond)
		}
		if written != 10 || told != 9*99 {
			t.Fatalf("%d lines told of %d more, want 10 and 891", written, told)
		}
	})
}

func TestDifferentKindsDoNotHideEachOther(t *testing.T) {
	var l Limiter
	for _, x := range [][2]string{{"orders", "timeout"}, {"payments", "timeout"}, {"orders", "refused"}, {"orders", "can't connect"}, {"orders", "can't send"}} {
		if ok, _ := l.Allow(x[0], x[1]); !ok {
			t.Errorf("%v is taken for another kind", x)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		for range 3 {
			for i := range 5 * maxKinds {
				l.Allow(fmt.Sprint("topic", i), "x")
			}
			time.Sleep(2 * Every)
		}
		if len(l.kinds) > maxKinds+1 {
			t.Fatalf("%d kinds are kept", len(l.kinds))
		}
	})
}

func TestAClockThatIsSetBackSilencesNothing(t *testing.T) {
	var l Limiter
	l.Allow("orders", "timeout")
	synctest.Test(t, func(t *testing.T) { // its clock starts in the year 2000
		if ok, _ := l.Allow("orders", "timeout"); !ok {
			t.Error("a line is held back until the clock has caught up")
		}
	})
}
