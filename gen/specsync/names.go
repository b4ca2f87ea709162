package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oasdiff/oasdiff/checker"
	"github.com/oasdiff/oasdiff/diff"
	"github.com/oasdiff/oasdiff/load"
)

// change is a difference with a name and a level.
type change struct {
	level checker.Level
	text  string
}

// maxNaming bounds what oasdiff reads to look at the differences one by one, in bytes.
const maxNaming = 8 << 20

// name says what the differences are, breaking ones first: in oasdiff's words, and by
// their place where it has none.
func name(base, published *node, found []difference) []change {
	schemes := map[int]string{}
	before, err := newEmitter(schemes).document(base)
	if err != nil {
		return unnamed(found, func(difference) bool { return false })
	}
	all := oasdiff(before, schemes, published)
	named := slices.Clone(all)
	all = append(all, unnamed(found, func(d difference) bool {
		switch {
		case d.addsAlternatives():
			return false // oasdiff names it as a gain
		case len(found) == 1:
			return len(named) > 0
		}
		return len(found)*len(before) <= maxNaming && slices.ContainsFunc(oasdiff(before, schemes, patched(base, d.steps, d.new)), func(c change) bool {
			return slices.Contains(named, c) // together, changes may have no name that have one alone
		})
	})...)
	slices.SortStableFunc(all, func(a, b change) int { return cmp.Compare(b.level, a.level) })
	return slices.Compact(all)
}

// oasdiff compares before with a contract. It returns no changes for a document that it cannot
// read: names are for the reader, and do not decide whether there is drift.
func oasdiff(before []byte, schemes map[int]string, after *node) (named []change) {
	defer func() {
		if recover() != nil {
			named = nil // the difference is reported by its place
		}
	}()
	data, err := newEmitter(schemes).document(after)
	if err != nil {
		return nil
	}
	var specs [2]*load.SpecInfo
	for i, text := range [][]byte{before, data} {
		spec := &openapi3.T{} // read as JSON: the loader would try YAML first, which takes longer
		if json.Unmarshal(text, spec) != nil || openapi3.NewLoader().ResolveRefsIn(spec, nil) != nil {
			return nil
		}
		specs[i] = &load.SpecInfo{Spec: spec, Url: "openapi.yml"}
	}
	found, sources, err := diff.GetWithOperationsSourcesMap(diff.NewConfig(diff.WithExcludeElements([]string{diff.ExcludeTitleOption})), specs[0], specs[1])
	if err != nil || found.Empty() {
		return nil
	}
	say := checker.NewLocalizer("en")
	for _, c := range checker.CheckBackwardCompatibilityUntilLevel(checker.NewConfig(checker.GetAllChecks()), found, sources, checker.INFO) {
		named = append(named, change{c.GetLevel(), strings.TrimSpace(c.GetUncolorizedText(say))})
	}
	return named
}

// patched is n with one child replaced, added or taken away. What is not on the way is shared.
func patched(n *node, steps []step, value *node) *node {
	if len(steps) == 0 {
		return value
	}
	changed := *the(n)
	changed.keys, changed.kids = slices.Clone(changed.keys), slices.Clone(changed.kids)
	at := steps[0].index
	if at < 0 {
		if changed.kind == object {
			changed.keys = append(changed.keys, steps[0].key)
		}
		changed.kids = append(changed.kids, value)
		return &changed
	}
	if child := patched(changed.kids[at], steps[1:], value); child != nil {
		changed.kids[at] = child
		return &changed
	}
	changed.kids = slices.Delete(changed.kids, at, at+1)
	if changed.kind == object {
		changed.keys = slices.Delete(changed.keys, at, at+1)
	}
	return &changed
}

// unnamed says by place what has no name.
func unnamed(found []difference, hasName func(difference) bool) []change {
	var all []change
	for _, d := range found {
		if !hasName(d) {
			all = append(all, byPlace(d))
		}
	}
	return all
}

// narrowing are the keywords that, where they are added to what is sent, refuse what was
// accepted, and for which oasdiff has no name, or one that does not say so.
var narrowing = map[string]string{
	"additionalProperties":  "properties that it does not name are no longer free",
	"unevaluatedProperties": "properties that it does not name are no longer free",
	"unevaluatedItems":      "items that it does not name are no longer free",
	"prefixItems":           "its first items are no longer free",
	"not":                   "it refuses what it accepted",
	"enum":                  "it accepts these values alone",
	"contentSchema":         "its content is no longer free",
	"oneOf":                 "it accepts what fits exactly one of these alone",
	"anyOf":                 "it accepts what fits one of these alone",
	"x-whop-credentials":    "it accepts such credentials alone",
}

// byPlace names a change by its place.
func byPlace(d difference) change {
	where := strings.TrimPrefix(d.where(), "operation.")
	text := fmt.Sprintf("`%s` was %s and is %s", where, brief(d.old), brief(d.new))
	says, narrows := narrowing[d.keyword()]
	if !sent(d.steps) || !narrows || d.new == nil || d.old == nil && d.addsToACollection() && d.keyword() != "prefixItems" {
		return change{checker.WARN, text}
	}
	if d.new.is("false") && strings.HasSuffix(d.keyword(), "Properties") {
		says = "it no longer accepts properties that it does not name"
	}
	return change{checker.ERR, text + ": " + says}
}

// addsAlternatives says whether what is sent has to fit alternatives that were not there.
func (d difference) addsAlternatives() bool {
	return d.old == nil && !d.addsToACollection() && (d.keyword() == "oneOf" || d.keyword() == "anyOf") && sent(d.steps)
}
