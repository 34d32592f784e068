package main

import (
	"math/rand/v2"
	"testing"
)

func TestIntervalHoldsTheMedianOfRatios(t *testing.T) {
	for _, c := range []struct {
		ratios         []float64
		mid, low, high float64
	}{
		{nil, 0, 0, 0},
		{[]float64{3, 1, 2}, 2, 1, 3},
		{[]float64{6, 5, 4, 3, 2, 1}, 3.5, 1, 6}, // 2 of 64 orders are outside
		{[]float64{15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 8, 4, 12}, // P(X <= 3) of Binomial(15, 1/2) is 1.8 %, P(X <= 4) is 5.9 %
	} {
		if mid, low, high := interval(c.ratios); mid != c.mid || low != c.low || high != c.high {
			t.Errorf("interval of %v is %v, %v to %v; want %v, %v to %v", c.ratios, mid, low, high, c.mid, c.low, c.high)
		}
	}
}

func TestZipfDrawsTheFirstKeyTwiceAsOftenAsTheSecond(t *testing.T) {
	r := row{zipf: true}
	r.task.Keys = 1000
	draw := r.keysOf(rand.New(rand.NewPCG(1, 2)))
	counts := make([]int, r.task.Keys)
	for range 1_000_000 {
		counts[draw()]++
	}
	if q := float64(counts[0]) / float64(counts[1]); q < 1.95 || q > 2.05 {
		t.Errorf("first to second is %v", q)
	}
	if q := float64(counts[0]) / float64(counts[9]); q < 9.5 || q > 10.5 {
		t.Errorf("first to tenth is %v", q)
	}
}

func TestEveryRowHasItsOwnNameAndSaysWhatItIsJudgedBy(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rows() {
		if seen[r.name] || r.what == "" || r.metric == "" || len(r.sides) < 2 || r.sides[0] != "sordini" {
			t.Errorf("row %+v", r)
		}
		seen[r.name] = true
	}
}
