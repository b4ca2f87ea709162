package main

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// maxWork bounds a comparison: signatures made, over all rounds.
const maxWork = 20_000_000

// classify assigns a class to every node that roots reach, so that two nodes say the same if
// and only if they have the same class. It begins with what each node shows by itself and
// tells apart in each round what holds different things, until no class falls into more:
// schemas that hold themselves are compared without an end being needed.
func classify(roots ...*node) error {
	var nodes []*node
	seen := map[*node]bool{}
	pending := slices.Clone(roots)
	for len(pending) > 0 {
		n := the(pending[len(pending)-1])
		pending = pending[:len(pending)-1]
		if seen[n] {
			continue
		}
		seen[n] = true
		n.class = 0
		nodes = append(nodes, n)
		pending = append(pending, n.kids...)
	}
	classes, work := 0, 0
	for {
		numbers := map[string]int{}
		next := make([]int, len(nodes))
		for i, n := range nodes {
			key := signature(n)
			number, known := numbers[key]
			if !known {
				number = len(numbers)
				numbers[key] = number
			}
			next[i] = number
		}
		for i, n := range nodes {
			n.class = next[i]
		}
		if len(numbers) == classes {
			return nil
		}
		classes = len(numbers)
		if work += len(nodes); work > maxWork {
			return errors.New("too large to compare")
		}
	}
}

// signature is what a node shows of itself: with the classes so far of what it holds.
func signature(n *node) string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(int(n.kind)) + " " + strconv.Itoa(n.class) + " " + n.value)
	classes := make([]int, len(n.kids))
	for i, kid := range n.kids {
		classes[i] = the(kid).class
	}
	switch n.kind {
	case object:
		order := make([]int, len(n.keys))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(i, j int) int { return cmp.Compare(n.keys[i], n.keys[j]) })
		for _, i := range order {
			b.WriteString(quoted(n.keys[i]) + ":" + strconv.Itoa(classes[i]) + ",")
		}
		return b.String()
	case set:
		slices.Sort(classes)
		classes = slices.Compact(classes)
	case bag:
		slices.Sort(classes)
	}
	for _, class := range classes {
		b.WriteString("," + strconv.Itoa(class))
	}
	return b.String()
}
