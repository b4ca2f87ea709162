package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// section is the part of the README under a heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	content, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, after, found := strings.Cut(string(content), "\n## "+heading+"\n")
	require.True(t, found)
	text, _, _ := strings.Cut(after, "\n## ")
	return text
}

// The README lists every metric, with its type, its labels and their values, and no other.
func TestREADMEListsTheMetrics(t *testing.T) {
	m := watched(t, &watchedStats{})
	m.attempt(t.Context(), whop.Attempt{StatusCode: 418})
	m.attempt(t.Context(), whop.Attempt{StatusCode: 600})
	families, err := m.registry.Gather()
	require.NoError(t, err)
	text := section(t, "Metrics and health")
	rows := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(whop_notify_\\w+)` \\| (\\w+) \\|(.*?)\\| (.*) \\|$").FindAllStringSubmatch(text, -1) {
		rows[row[1]] = row[2:]
	}
	code := regexp.MustCompile("`([^`]+)`")
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "whop_notify_") {
			continue
		}
		row, listed := rows[family.GetName()]
		require.True(t, listed, family.GetName())
		delete(rows, family.GetName())
		require.Equal(t, strings.ToLower(family.GetType().String()), row[0], family.GetName())
		var labels []string
		for _, metric := range family.GetMetric() {
			for _, pair := range metric.GetLabel() {
				if pair.GetName() == "queue" {
					continue
				}
				if !slices.Contains(labels, pair.GetName()) {
					labels = append(labels, pair.GetName())
				}
				if status := regexp.MustCompile(`^\d+$`).MatchString(pair.GetValue()); !status && family.GetName() != "whop_notify_build_info" {
					require.Contains(t, row[2], "`"+pair.GetValue()+"`", family.GetName())
				}
			}
		}
		var documented []string
		for _, label := range code.FindAllStringSubmatch(row[1], -1) {
			documented = append(documented, label[1])
		}
		require.ElementsMatch(t, labels, documented, family.GetName())
	}
	require.Empty(t, rows, "they are listed, and not there")
}

// Queries and alerts name metrics, labels and values that are there.
func TestREADMEQueries(t *testing.T) {
	got := series(t, watched(t, &watchedStats{}))
	text := section(t, "Metrics and health")
	queries := regexp.MustCompile("(?m)^\\| [A-Z][^|]*\\? \\| .*`.*$").FindAllString(text, -1)
	require.Len(t, queries, 5)

	fence := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindStringSubmatch(text)
	require.NotNil(t, fence)
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr string
				For         time.Duration
				Annotations struct{ Summary string }
			}
		}
	}
	decoder := yaml.NewDecoder(strings.NewReader(fence[1]))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(&file))
	require.Len(t, file.Groups, 1)
	require.Len(t, file.Groups[0].Rules, 6)
	for _, rule := range file.Groups[0].Rules {
		require.NotEmpty(t, rule.Annotations.Summary, rule.Alert)
		queries = append(queries, rule.Expr)
	}
	for _, query := range queries {
		names := regexp.MustCompile(`whop_notify_\w+`).FindAllString(query, -1)
		require.NotEmpty(t, names, query)
		for _, name := range names {
			require.Regexp(t, "(?m)^"+name+`[{ ]`, got, query)
		}
		for _, matcher := range regexp.MustCompile(`(whop_notify_\w+)\{(\w+)(?:=|!=|=~|!~)"([^"]*)"`).FindAllStringSubmatch(query, -1) {
			require.Regexp(t, "(?m)^"+matcher[1]+`\{.*`+matcher[2]+`="(`+matcher[3]+`)"`, got, query)
		}
	}
}
