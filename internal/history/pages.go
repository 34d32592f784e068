package history

import (
	"maps"
	"slices"
)

const pageSize = 128

// pages is an array indexed by offset that takes memory only around the offsets that are used: a gap of any width costs nothing.
type pages[T any] struct {
	byNumber map[int64]*T
	last     *T
	lastNo   int64
}

// at is the page of an offset, made when missing, and the offset's index in it.
func (p *pages[T]) at(offset int64) (*T, int) {
	page, i := p.get(offset)
	if page == nil {
		if p.byNumber == nil {
			p.byNumber = map[int64]*T{}
		}
		page = new(T)
		p.byNumber[offset/pageSize] = page
		p.last, p.lastNo = page, offset/pageSize
	}
	return page, i
}

// get is the page of an offset, or nil.
func (p *pages[T]) get(offset int64) (*T, int) {
	no, i := offset/pageSize, int(offset%pageSize)
	if p.last == nil || p.lastNo != no {
		page := p.byNumber[no]
		if page == nil {
			return nil, i
		}
		p.last, p.lastNo = page, no
	}
	return p.last, i
}

// numbers are those of the pages that exist, ascending.
func (p *pages[T]) numbers() []int64 { return slices.Sorted(maps.Keys(p.byNumber)) }

// each calls f for every stretch of from <= offset < to that lies in one page, in order; a stretch of pages that do not exist is one call with nil.
func (p *pages[T]) each(from, to int64, f func(page *T, from, to int64)) {
	if from >= to {
		return
	}
	if (to-from)/pageSize <= int64(len(p.byNumber)) {
		for at := from; at < to; {
			end := min(to, (at/pageSize+1)*pageSize)
			page, _ := p.get(at)
			f(page, at, end)
			at = end
		}
		return
	}
	at := from
	numbers := p.numbers()
	first, _ := slices.BinarySearch(numbers, from/pageSize)
	for _, no := range numbers[first:] {
		start, end := max(from, no*pageSize), min(to, (no+1)*pageSize)
		if start >= to {
			break
		}
		if at < start {
			f(nil, at, start)
		}
		f(p.byNumber[no], start, end)
		at = end
	}
	if at < to {
		f(nil, at, to)
	}
}

// ranges are sorted, disjoint and not empty once normal was called.
type ranges []Range

// normal sorts and joins them; the argument is not changed.
func normal(rs []Range) ranges {
	sorted := true
	for i, r := range rs {
		if r.From >= r.To || i > 0 && r.From <= rs[i-1].To {
			sorted = false
			break
		}
	}
	if sorted {
		return rs
	}
	rs = slices.Clone(rs)
	slices.SortFunc(rs, func(a, b Range) int {
		switch {
		case a.From < b.From:
			return -1
		case a.From > b.From:
			return 1
		}
		return 0
	})
	out := rs[:0]
	for _, r := range rs {
		switch {
		case r.From >= r.To:
		case len(out) > 0 && r.From <= out[len(out)-1].To:
			out[len(out)-1].To = max(out[len(out)-1].To, r.To)
		default:
			out = append(out, r)
		}
	}
	return out
}

// has says whether an offset is in one of them.
func (rs ranges) has(offset int64) bool {
	_, ok := slices.BinarySearchFunc(rs, offset, func(r Range, o int64) int {
		switch {
		case r.To <= o:
			return -1
		case r.From > o:
			return 1
		}
		return 0
	})
	return ok
}

// minus calls f for every stretch that is in rs and not in old. Both are normal.
func (rs ranges) minus(old ranges, f func(from, to int64)) {
	i := 0
	for _, r := range rs {
		at := r.From
		for ; i < len(old) && old[i].To <= at; i++ {
		}
		for j := i; j < len(old) && old[j].From < r.To; j++ {
			if old[j].From > at {
				f(at, old[j].From)
			}
			at = max(at, old[j].To)
		}
		if at < r.To {
			f(at, r.To)
		}
	}
}
