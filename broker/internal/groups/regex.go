package groups

import (
	"errors"
	"maps"
	"regexp"
	"regexp/syntax"
	"time"
)

// How often regular expressions are matched with all topics again: at most, and
// at least.
const (
	regexMinInterval = 10 * time.Second
	regexMaxInterval = 10 * time.Minute
)

// compileRegex compiles a subscription as Kafka does: RE2, and the whole name
// must match. Its error is only what is wrong, without the expression.
func compileRegex(s string) (*regexp.Regexp, error) {
	_, err := regexp.Compile(s) // on its own, so that no parenthesis closes ours
	if e, ok := errors.AsType[*syntax.Error](err); ok {
		if e.Code == syntax.ErrUnexpectedParen {
			return nil, errors.New("regexp/syntax: internal error") // what Kafka's RE2/J calls it
		}
		return nil, errors.New(string(e.Code))
	}
	return regexp.Compile(`\A(?:` + s + `)\z`)
}

// resolve lists the topics that a regular expression names for who sees them;
// sees may be nil.
func (img image) resolve(regex string, sees func(topic string) bool) map[string]bool {
	topics := make(map[string]bool)
	re, err := compileRegex(regex)
	if err != nil {
		return topics // refused when it came in
	}
	for name := range img.byName {
		if re.MatchString(name) && (sees == nil || sees(name)) {
			topics[name] = true
		}
	}
	return topics
}

// maybeResolve matches the group's regular expressions with all topics, soon:
// when there is one that has not been, when topics were created, and from time
// to time. As in Kafka it is the member who brings it about whose rights decide
// what topics there are.
func (c *consumer) maybeResolve(search bool, sees func(topic string) bool) {
	wanted := make(map[string]bool)
	for _, mb := range c.members {
		if mb.regex != "" {
			wanted[mb.regex] = true
		}
	}
	if len(wanted) == 0 || c.resolving.call != nil {
		return
	}
	since := time.Since(c.resolvedAt)
	if len(c.resolved) > 0 && since <= regexMinInterval {
		return
	}
	if search || len(wanted) != len(c.resolved) || c.resolvedFor < c.m.newTopics || since > regexMaxInterval {
		c.m.set(&c.resolving, 0, func() { c.resolve(sees) })
	}
}

// resolve matches regular expressions with topics. The new epoch that it starts
// where they have changed reaches members with their next heartbeats.
func (c *consumer) resolve(sees func(topic string) bool) {
	if c.g.consumer != c {
		return
	}
	bump := false
	c.resolvedAt, c.resolvedFor, c.kept.regexes = time.Now(), c.m.newTopics, true
	for _, mb := range c.members {
		if mb.regex == "" {
			continue
		}
		topics := c.m.image.resolve(mb.regex, sees)
		bump = bump || !maps.Equal(topics, c.resolved[mb.regex])
		c.resolved[mb.regex] = topics
	}
	c.resubscribed()
	topics := c.m.image.fingerprint(c.subscribed())
	if bump || topics != c.topics {
		c.epoch++
		c.topics = topics
	}
	c.announce()
}
