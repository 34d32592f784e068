package dlt

import (
	"fmt"
	"strings"

	"github.com/sordini-go/sordini"
)

// maxTopicName is Kafka's limit (org.apache.kafka.common.internals.Topic).
const maxTopicName = 249

const (
	topicSuffix = ".dlt"
	inboxSuffix = ".retry"
)

// TopicName returns the name of the topic that holds the dead letters of (source topic, group): "<source>.<group>.dlt".
//
// The group's letters, digits and single hyphens stand as they are; every other byte of it becomes "--" and two hexadecimal digits ("order.service"
// becomes "order--2eservice"), for two reasons. A group id may hold anything while a topic name may not, and two pairs may not share a name: not
// literally ("a.b" with "c" and "a" with "b.c"), and not under Kafka's rule either, by which '.' and '_' collide because metric names do not tell
// them apart. So the mapping is injective, also by that rule, for source topics that do not collide themselves.
//
// A name of more than 249 characters, an empty group and an illegal source are refused with an error that wraps [sordini.ErrContract].
func TopicName(source, group string) (string, error) {
	return companion(source, group, topicSuffix, "dead-letter topic")
}

// InboxName returns the name of the topic that carries retries and redriven dead letters of (source topic, group): "<source>.<group>.retry", with the
// rules of [TopicName].
func InboxName(source, group string) (string, error) {
	return companion(source, group, inboxSuffix, "inbox")
}

func companion(source, group, suffix, what string) (string, error) {
	bad := func(why string) (string, error) {
		return "", fmt.Errorf("%s of topic %q and group %q: %s: %w", what, source, group, why, sordini.ErrContract)
	}
	switch {
	case source == "":
		return bad("the source topic's name is empty")
	case source == "." || source == "..":
		return bad(`a source topic can not be named "." or ".."`)
	case group == "":
		return bad("the group's name is empty")
	}
	for i := range len(source) {
		if c := source[i]; !plain(c) && c != '.' && c != '_' && c != '-' {
			return bad(fmt.Sprintf("the source topic's name has %q, which no topic name may have", c))
		}
	}
	name := source + "." + escapeGroup(group) + suffix
	if len(name) > maxTopicName {
		return bad(fmt.Sprintf("the name would have %d characters and Kafka allows %d; shorten the group's name or the topic's", len(name), maxTopicName))
	}
	return name, nil
}

// ParseTopicName returns the source topic and the group of a name that [TopicName] made, and false for any other name.
func ParseTopicName(name string) (source, group string, ok bool) {
	return parseCompanion(name, topicSuffix)
}

// ParseInboxName returns the source topic and the group of a name that [InboxName] made, and false for any other name.
func ParseInboxName(name string) (source, group string, ok bool) {
	return parseCompanion(name, inboxSuffix)
}

func parseCompanion(name, suffix string) (source, group string, ok bool) {
	rest, ok := strings.CutSuffix(name, suffix)
	if !ok {
		return "", "", false
	}
	dot := strings.LastIndexByte(rest, '.') // an escaped group has none
	if dot < 0 {
		return "", "", false
	}
	if group, ok = unescapeGroup(rest[dot+1:]); !ok {
		return "", "", false
	}
	// Only what the other direction would write is ours: a user's own "a.b_c.dlt" is not.
	if again, err := companion(rest[:dot], group, suffix, ""); err != nil || again != name {
		return "", "", false
	}
	return rest[:dot], group, true
}

// escapeGroup maps any group id to letters, digits and '-'. Reading from the left, "--" begins an escape and everything else stands for itself; hence
// a hyphen is escaped unless a plain character, or the end, follows it.
func escapeGroup(group string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for i := range len(group) {
		c := group[i]
		if plain(c) || c == '-' && (i+1 == len(group) || plain(group[i+1])) {
			b.WriteByte(c)
			continue
		}
		b.WriteString("--")
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

func unescapeGroup(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case plain(c):
			b.WriteByte(c)
		case c != '-':
			return "", false
		case !strings.HasPrefix(s[i:], "--"):
			b.WriteByte(c)
		case i+3 >= len(s):
			return "", false
		default:
			hi, lo := unhex(s[i+2]), unhex(s[i+3])
			if hi < 0 || lo < 0 {
				return "", false
			}
			b.WriteByte(byte(hi<<4 | lo))
			i += 3
		}
	}
	return b.String(), b.Len() > 0
}

func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
