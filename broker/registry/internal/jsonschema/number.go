package jsonschema

import (
	"math"
	"math/big"
	"strconv"
)

// number is a bound in a schema.
type number struct {
	value float64
	exact *big.Rat // nil where it is too large or too small to be worth it
}

func parseNumber(text string) *number {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(v, 0) {
		return nil
	}
	n := &number{value: v}
	if a := math.Abs(v); len(text) <= 64 && (v == 0 || a > 1e-100 && a < 1e100) {
		n.exact, _ = new(big.Rat).SetString(text)
	}
	return n
}

func (n *number) compare(o *number) int {
	if n.exact != nil && o.exact != nil {
		return n.exact.Cmp(o.exact)
	}
	switch {
	case n.value < o.value:
		return -1
	case n.value > o.value:
		return 1
	}
	return 0
}

// multipleOf says whether n is a multiple of o.
func (n *number) multipleOf(o *number) bool {
	if n.exact == nil || o.exact == nil || o.exact.Sign() == 0 {
		return false
	}
	return new(big.Rat).Quo(n.exact, o.exact).IsInt()
}
