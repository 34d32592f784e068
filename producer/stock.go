package producer

import (
	"sync"

	"github.com/sordini-go/sordini"
)

// stock keeps calls that are over, for others. They come and go in lists (of next): passing each from one processor to another would cost more than making it anew.
type stock struct {
	lists sync.Pool // of *call, a list's first
}

// get returns a call that has nothing but its producer.
func (s *stock) get(p *Producer) *call {
	c, _ := s.lists.Get().(*call)
	if c == nil {
		c = &call{p: p}
		c.answer = c.take
		return c
	}
	next, answer := c.next, c.answer
	*c = call{} // all of it: it has left the processor's cache, and comes back faster at once than piece by piece
	c.p, c.answer = p, answer
	if next != nil {
		s.lists.Put(next)
	}
	return c
}

// listLength is how many calls are given back together.
const listLength = 64

// returns is a list of calls on its way to the stock, which nobody has any more.
type returns struct {
	first *call
	n     int
}

func (l *returns) add(c *call, to *stock) {
	c.state, c.record = state{}, sordini.Record{}
	c.next = l.first
	l.first = c
	if l.n++; l.n == listLength {
		l.flush(to)
	}
}

func (l *returns) flush(to *stock) {
	if l.first != nil {
		to.lists.Put(l.first)
		*l = returns{}
	}
}
