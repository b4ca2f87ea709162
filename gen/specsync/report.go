package main

import (
	"fmt"
	"io"
	"strings"

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
	if c.none() {
		fmt.Fprintf(w, "%s: nothing changed in meaning (%s against %s)\n", operationName, c.source, c.vendored)
		return
	}
	fmt.Fprintf(w, "%s changed: %s against %s\n", operationName, c.source, c.vendored)
	for title, lines := range c.grouped {
		fmt.Fprintf(w, "\n%s:\n", title)
		for _, line := range lines {
			fmt.Fprintln(w, "  -", line)
		}
	}
	fmt.Fprintln(w, "\nAll of it, as structure:")
	for line := range strings.Lines(c.structure) {
		fmt.Fprint(w, "  ", line)
	}
}

func asMarkdown(w io.Writer, c *changes) {
	if c.none() {
		fmt.Fprintf(w, "Nothing changed in meaning in `%s` (<%s>).\n", operationName, c.source)
		return
	}
	fmt.Fprintf(w, "## `%s` changed\n\nPublished: %s\n", operationName, c.source)
	for title, lines := range c.grouped {
		fmt.Fprintf(w, "\n### %s\n\n", title)
		for _, line := range lines {
			fmt.Fprintln(w, "-", line)
		}
	}
	// The fence is longer than any that the structure can hold.
	fmt.Fprintf(w, "\n<details><summary>All of it, as structure</summary>\n\n%[1]syaml\n%[2]s%[1]s\n\n</details>\n", strings.Repeat("`", 8), c.structure)
}

// grouped yields the titles of the levels that have changes, with the changes' texts.
func (c *changes) grouped(yield func(title string, lines []string) bool) {
	if len(c.named) == 0 {
		yield("Other", []string{"a change that oasdiff's changelog has no name for: the structure below holds it"})
		return
	}
	say := checker.NewLocalizer("en")
	for _, g := range groups {
		var lines []string
		for _, change := range c.named {
			if change.GetLevel() == g.level {
				lines = append(lines, strings.TrimSpace(change.GetUncolorizedText(say)))
			}
		}
		if lines != nil && !yield(g.title, lines) {
			return
		}
	}
}
