package main

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// ruling are the words by which a sentence says what is accepted, as "exactly one of" does.
var ruling = regexp.MustCompile(`(?i)\b(must|shall|required?|requires|mandatory|exactly|at (least|most)|only|either|neither|one of|both|together|cannot|can't|may not|not allowed|never|unless|maximum|minimum|up to|(no|not) (more|less|longer|fewer)|limited)\b`)

var sentenceEnd = regexp.MustCompile(`[.!?](\s|$)`)

// words keeps the sentences of a description that say what is accepted: they are not
// compared, and a reader is told which come and go.
func (b *builder) words(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode {
		return
	}
	rest := strings.Join(strings.Fields(n.Value), " ")
	for rest != "" {
		sentence := rest
		if end := sentenceEnd.FindStringIndex(rest); end != nil {
			sentence = rest[:end[1]]
		}
		rest = rest[len(sentence):]
		if sentence = strings.TrimSpace(sentence); ruling.MatchString(sentence) {
			b.rules = append(b.rules, sentence)
		}
	}
}

// without are the sentences of one that the other does not have, each once.
func without(these, those []string) []string {
	said := map[string]bool{}
	for _, sentence := range those {
		said[sentence] = true
	}
	var left []string
	for _, sentence := range these {
		if !said[sentence] {
			said[sentence] = true
			left = append(left, sentence)
		}
	}
	return left
}
