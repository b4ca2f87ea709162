package main

import (
	"fmt"
	"slices"
	"strings"
)

// difference is one place where a published contract says something else than the vendored one.
type difference struct {
	steps    []step
	old, new *node // nil: not there
	cut      bool  // so it would be as well if the published text had been cut short
}

// step leads from a node to one that it holds.
type step struct {
	key   string // of an object
	index int    // of the child in the vendored contract; -1: it is not there
}

// where is the place in words.
func (d difference) where() string {
	var b strings.Builder
	for _, s := range d.steps {
		switch {
		case s.key == "":
			fmt.Fprintf(&b, "[%s]", map[bool]string{true: "+", false: fmt.Sprint(s.index)}[s.index < 0])
		case b.Len() > 0:
			b.WriteString("." + s.key)
		default:
			b.WriteString(s.key)
		}
	}
	return b.String()
}

// keyword is the last name on the way to the place.
func (d difference) keyword() string {
	for _, s := range slices.Backward(d.steps) {
		if s.key != "" {
			return s.key
		}
	}
	return ""
}

// addsToACollection says whether the place is one more in a list or set.
func (d difference) addsToACollection() bool {
	return len(d.steps) > 0 && d.steps[len(d.steps)-1].key == ""
}

// sent says whether a place is of what is sent to Whop, and not of its answers.
func sent(steps []step) bool {
	return slices.ContainsFunc(steps, func(s step) bool {
		return s.key == "requestBody" || s.key == "parameters" || strings.HasPrefix(s.key, "x-whop-")
	})
}

type comparison struct {
	base, published *contract
	seen            map[pair]bool
	found           []difference
}

// pair is two nodes that are compared. What is both sent and answered is placed twice, since
// the same change may break the one and not the other.
type pair struct {
	old, new *node
	sent     bool
}

// differencesBetween compares the two meanings from the top down, and looks no further
// where both say the same.
func differencesBetween(base, published *contract) ([]difference, error) {
	if err := classify(base.meaning, published.meaning); err != nil {
		return nil, err
	}
	c := comparison{base: base, published: published, seen: map[pair]bool{}}
	c.walk(nil, base.meaning, published.meaning)
	return c.found, nil
}

func (c *comparison) report(steps []step, old, new *node, cut bool) {
	c.found = append(c.found, difference{slices.Clone(steps), old, new, cut})
}

func (c *comparison) walk(steps []step, old, new *node) {
	old, new = the(old), the(new)
	compared := pair{old, new, sent(steps)}
	if old.class == new.class || c.seen[compared] {
		return
	}
	c.seen[compared] = true
	switch {
	case old.kind != new.kind:
		c.report(steps, old, new, new.tail)
	case old.kind == scalar:
		part := new.value == "null" || strings.HasPrefix(bare(old), bare(new))
		c.report(steps, old, new, new.tail && part || c.levelCut(steps))
	case old.kind == object:
		c.objects(steps, old, new)
	default:
		c.collections(steps, old, new)
	}
}

func bare(n *node) string { return strings.Trim(n.value, `"`) }

func (c *comparison) objects(steps []step, old, new *node) {
	for i, key := range old.keys {
		at := append(slices.Clone(steps), step{key, i})
		value := new.get(key)
		if value != nil {
			c.walk(at, old.kids[i], value)
			continue
		}
		cut := new.tail && mayFollow(key, new.written, old.written)
		c.report(at, the(old.kids[i]), nil, cut || c.levelCut(at))
	}
	for _, key := range new.keys {
		if old.get(key) == nil {
			c.report(append(slices.Clone(steps), step{key, -1}), nil, new.get(key), false)
		}
	}
}

// collections compares what has no names. Of those without an order, what is on both
// sides is set apart first; the rest is compared in the order in which it stands.
func (c *comparison) collections(steps []step, old, new *node) {
	var olds, news []int
	matched := -1 // the last of the old that is in the new
	if old.kind == list {
		for i := range old.kids {
			olds = append(olds, i)
		}
		for i := range new.kids {
			news = append(news, i)
		}
		matched = min(len(olds), len(news)) - 1
	} else {
		taken := map[int]bool{}
		for i, kid := range old.kids {
			j := slices.IndexFunc(new.kids, func(other *node) bool { return the(other).class == the(kid).class })
			for old.kind == bag && j >= 0 && taken[j] {
				next := slices.IndexFunc(new.kids[j+1:], func(other *node) bool { return the(other).class == the(kid).class })
				if j += 1 + next; next < 0 {
					j = -1
				}
			}
			if j < 0 {
				olds = append(olds, i)
				continue
			}
			taken[j], matched = true, i
		}
		for j, kid := range new.kids {
			known := slices.ContainsFunc(old.kids, func(other *node) bool { return the(other).class == the(kid).class })
			if !taken[j] && (old.kind == bag || !known) {
				news = append(news, j)
			}
		}
	}
	for k := range max(len(olds), len(news)) {
		switch {
		case k >= len(olds):
			c.report(append(slices.Clone(steps), step{"", -1}), nil, the(new.kids[news[k]]), false)
		case k >= len(news):
			at := append(slices.Clone(steps), step{"", olds[k]})
			c.report(at, the(old.kids[olds[k]]), nil, new.tail && olds[k] > matched || c.levelCut(at))
		default:
			c.walk(append(slices.Clone(steps), step{"", olds[k]}), old.kids[olds[k]], new.kids[news[k]])
		}
	}
}

// mayFollow says whether key may have stood below the keys that a text had when it ended:
// in the vendored file it comes after them, or they stand by the alphabet and it is next.
func mayFollow(key string, written, inVendored []string) bool {
	if len(written) == 0 {
		return true
	}
	if slices.IsSorted(written) && key > written[len(written)-1] {
		return true
	}
	at := slices.Index(inVendored, key)
	if at < 0 {
		return false
	}
	return !slices.ContainsFunc(inVendored[at+1:], func(later string) bool { return slices.Contains(written, later) })
}

// levelCut says whether what is missing could have been said by a mapping above, the
// operation, its path or the document, that the end of the text may have cut short.
func (c *comparison) levelCut(steps []step) bool {
	if len(steps) < 2 || steps[0].key != "operation" {
		return false
	}
	key := steps[1].key
	if !slices.Contains([]string{"servers", "security", "parameters"}, key) {
		return false
	}
	says := func(l level) bool { return slices.Contains(l.keys, key) }
	saidAbove := slices.ContainsFunc(c.published.levels[:], says)
	for i, at := range c.published.levels {
		if says(at) {
			return false
		}
		before := c.base.levels[i]
		if at.tail && mayFollow(key, at.keys, before.keys) && (says(before) || !saidAbove) {
			return true
		}
	}
	return false
}
