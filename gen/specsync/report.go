package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/oasdiff/oasdiff/checker"
)

// groups are the levels of a report, worst first.
var groups = []struct {
	level checker.Level
	title string
}{
	{checker.ERR, "Breaking"},
	{checker.WARN, "Perhaps breaking"},
	{checker.INFO, "Other"},
}

func reporter(format string) (func(io.Writer, *changes), error) {
	switch format {
	case "text":
		return asText, nil
	case "markdown":
		return asMarkdown, nil
	default:
		return nil, fmt.Errorf("--format %q is neither text nor markdown", format)
	}
}

func asText(w io.Writer, c *changes) {
	if c.failure != nil {
		fmt.Fprintf(w, "%s: cannot tell what changed against %s; standard error says why\n", operationName, c.vendored)
		return
	}
	if c.none() {
		fmt.Fprintf(w, "%s: nothing changed in meaning (%s against %s)\n", operationName, printable(c.source), c.vendored)
	} else {
		fmt.Fprintf(w, "%s changed: %s against %s\n", operationName, printable(c.source), c.vendored)
	}
	for title, lines := range c.sections {
		fmt.Fprintf(w, "\n%s:\n", title)
		for _, line := range lines {
			fmt.Fprintln(w, "  -", line)
		}
	}
}

// asMarkdown puts what comes from outside into fences, so that it is read as text alone: no
// link, no mention of a person.
func asMarkdown(w io.Writer, c *changes) {
	if c.failure != nil {
		fmt.Fprintf(w, "## Cannot tell what changed: `%s`\n", c.vendored)
		fenced(w, "", []string{printable(c.failure.Error())})
		return
	}
	if c.none() {
		fmt.Fprintf(w, "## Nothing changed in meaning: `%s`\n", c.vendored)
	} else {
		fmt.Fprintf(w, "## `%s` changed: `%s`\n", operationName, c.vendored)
	}
	fenced(w, "Published", []string{printable(c.source)})
	for title, lines := range c.sections {
		if title != byPlaceTitle {
			fenced(w, title, lines)
			continue
		}
		fmt.Fprintf(w, "\n<details><summary>%s</summary>\n", title)
		fenced(w, "", lines)
		fmt.Fprint(w, "\n</details>\n")
	}
}

func fenced(w io.Writer, title string, lines []string) {
	text := "- " + strings.Join(lines, "\n- ") + "\n"
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if title != "" {
		fmt.Fprintf(w, "\n### %s\n", title)
	}
	fmt.Fprintf(w, "\n%stext\n%s%s\n", fence, text, fence)
}

const byPlaceTitle = "All of it, by place"

// sections yields the parts of a report that have lines.
func (c *changes) sections(yield func(title string, lines []string) bool) {
	for _, g := range groups {
		var lines []string
		for _, change := range c.named {
			if change.level == g.level {
				lines = append(lines, printable(change.text))
			}
		}
		if lines != nil && !yield(g.title, lines) {
			return
		}
	}
	var places, words, skipped []string
	for _, d := range c.places {
		places = append(places, printable(fmt.Sprintf("%s: was %s, is %s", d.where(), brief(d.old), brief(d.new))))
	}
	if places != nil && !yield(byPlaceTitle, places) {
		return
	}
	for _, sentence := range c.unsaid {
		words = append(words, "no longer said: "+printable(sentence))
	}
	for _, sentence := range c.said {
		words = append(words, "now said: "+printable(sentence))
	}
	if words != nil && !yield("Words that changed, of those that say what is accepted", words) {
		return
	}
	for _, failure := range c.skipped {
		skipped = append(skipped, printable(failure.Error()))
	}
	if skipped != nil {
		yield("Read in the place of", skipped)
	}
}

// printable makes one line of what others wrote, without anything that a terminal obeys.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t':
			b.WriteByte(' ')
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}
