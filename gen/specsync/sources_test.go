package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
)

const origin = "# POST /notifications in the contract that Whop serves today.\n# Origin: an excerpt transcribed by hand; the bodies of the errors are assumed.\n"

// watching puts contracts of the test in the place of the known ones: the vendored one, a
// current one that was transcribed by hand, and a stable one in JSON. Each is published at
// its path of a server, by what published returns.
func watching(t *testing.T, published map[string]string) (files map[string]string) {
	t.Helper()
	address := strings.TrimSuffix(serve(t, func(w http.ResponseWriter, r *http.Request) {
		text, ok := published[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusGone)
			return
		}
		_, _ = w.Write([]byte(text))
	}), "/openapi.yml")
	doc, err := parse([]byte(content(t, later)))
	require.NoError(t, err)
	inYAML, err := yaml.Dump(plain(doc.root), yaml.WithV4Defaults())
	require.NoError(t, err)
	files = map[string]string{
		"vendored": file(t, "openapi.yml", shortened(content(t, vendored))),
		"current":  file(t, "openapi.yml", origin+string(inYAML)),
		"stable":   file(t, "stable.json", content(t, "seen/api-v1-stable.json")),
	}
	known := contracts
	t.Cleanup(func() { contracts = known })
	contracts = []watched{
		{name: "vendored", file: files["vendored"], generated: true, sources: []string{address + "/vendored"}},
		{name: "current", file: files["current"], generated: true, origin: true, sources: []string{address + "/current?key=secret", address + "/all"}},
		{name: "stable", file: files["stable"], sources: []string{address + "/stable"}},
	}
	return files
}

// asPublished is what the three contracts were when they were vendored.
func asPublished(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"/vendored": shortened(content(t, vendored)), "/current": content(t, later), "/stable": content(t, "seen/api-v1-stable.json"), "/all": content(t, later)}
}

func TestSourcesAllCompared(t *testing.T) {
	for name, c := range map[string]struct {
		change func(map[string]string)
		code   int
		report []string // in its order
		errors []string
	}{
		"none changed": {
			func(map[string]string) {}, exitSame,
			[]string{"nothing changed in meaning", "nothing changed in meaning", "nothing changed in meaning"},
			nil,
		},
		"one changed": {
			func(p map[string]string) { p["/current"] = strings.ReplaceAll(p["/current"], `"202"`, `"200"`) }, exitDrift,
			[]string{"nothing changed", "changed: http", "removed the success response with the status `202`", "nothing changed"},
			nil,
		},
		"one gone": {
			func(p map[string]string) { delete(p, "/vendored") }, exitCannotTell,
			[]string{"cannot tell what changed", "nothing changed", "nothing changed"},
			[]string{"the vendored contract", "410 Gone"},
		},
		"one gone, one changed": {
			func(p map[string]string) {
				delete(p, "/vendored")
				p["/stable"] = strings.ReplaceAll(p["/stable"], "account_id", "company_id")
			}, exitDrift,
			[]string{"cannot tell what changed", "nothing changed", "company_id"},
			[]string{"the vendored contract", "410 Gone"},
		},
		"one at its second address": {
			func(p map[string]string) { delete(p, "/current") }, exitSame,
			[]string{"/all", "Read in the place of", "/current", "410 Gone"},
			nil,
		},
		"one at neither": {
			func(p map[string]string) { delete(p, "/current"); delete(p, "/all") }, exitCannotTell,
			[]string{"nothing changed", "cannot tell what changed", "nothing changed"},
			[]string{"the current contract", "/current", "/all"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			published := asPublished(t)
			c.change(published)
			watching(t, published)
			code, stdout, stderr := specsync(t, "diff")
			assert.Equal(t, c.code, code, stdout+stderr)
			rest := stdout
			for _, want := range c.report {
				_, after, found := strings.Cut(rest, want)
				assert.True(t, found, "%q is not in\n%s", want, rest)
				rest = after
			}
			if c.errors == nil {
				assert.Empty(t, stderr)
			}
			for _, want := range c.errors {
				assert.Contains(t, stderr, want)
			}
		})
	}
}

// update says of the current contract where it was taken from, in the place of the words
// by which it was transcribed; where nothing changed those stay, and are still true.
func TestSourcesUpdated(t *testing.T) {
	published := asPublished(t)
	files := watching(t, published)
	code, _, stderr := specsync(t, "update")
	require.Equal(t, exitSame, code, stderr)
	assert.True(t, strings.HasPrefix(content(t, files["current"]), origin))

	for path, text := range published {
		published[path] = strings.NewReplacer("'401'", "'451'", "\"422\"", "\"451\"", "409", "451").Replace(text)
	}
	code, stdout, stderr := specsync(t, "update")
	require.Equal(t, exitSame, code, stderr)
	for name, text := range files {
		assert.Contains(t, stdout, text+" is rewritten")
		assert.Contains(t, content(t, text), "451", name)
	}
	current := content(t, files["current"])
	assert.Regexp(t, `(?s)\A# POST /notifications in the contract that Whop serves today, .*\n# Origin: taken over by specsync from http://127\.0\.0\.1:\d+/current, as published there\.\nopenapi: `, current)
	assert.NotContains(t, current, "transcribed")
	assert.NotContains(t, current, "secret")
	assert.True(t, strings.HasPrefix(content(t, files["vendored"]), documentStart), "that is as published, to the byte")
	assert.True(t, json.Valid([]byte(content(t, files["stable"]))))

	code, stdout, stderr = specsync(t, "diff")
	assert.Equal(t, exitSame, code, stdout+stderr)
	code, _, stderr = specsync(t, "update", "--contract", "current", filepath.Join("testdata", "later.json"))
	require.Equal(t, exitSame, code, stderr)
	assert.Contains(t, content(t, files["current"]), "# Origin: taken over by specsync from later.json, as published there.\n")
}

func TestSourcesAreListed(t *testing.T) {
	code, stdout, _ := specsync(t, "sources")
	assert.Equal(t, exitSame, code)
	for _, line := range []string{
		"vendored\topenapi.yml\thttps://app.stainless.com/api/spec/documented/whopsdk/openapi.documented.yml\n",
		"current\tgen/current/openapi.yml\thttps://docs.whop.com/openapi/api-v1-native.json\n",
		"current\tgen/current/openapi.yml\thttps://api.whop.com/openapi.json\n",
		"stable\tgen/specsync/seen/api-v1-stable.json\thttps://docs.whop.com/openapi/api-v1-stable.json\n",
	} {
		assert.Contains(t, stdout, line)
	}
	_, err := os.Stat(filepath.Join("../..", "gen/specsync/seen/api-v1-stable.json"))
	assert.NoError(t, err)
}

// What a publisher wrote is a text in the report: no line that a runner obeys, no mention,
// no end of the fence it stands in.
func TestSourcesSayNothingToTheRunner(t *testing.T) {
	published := asPublished(t)
	evil := "\\n::error::obey @whop ```\\n```` \\u001b[31m"
	published["/current"] = strings.Replace(published["/current"], `"account_id": {`, `"`+evil+`": {"enum": ["`+evil+`"], "description": "You must`+evil+`"}, "account_id": {`, 1)
	published["/stable"] = "openapi: '3.1.0'\n::stop: [\n"
	watching(t, published)
	for _, format := range []string{"text", "markdown"} {
		code, stdout, stderr := specsync(t, "diff", "--format", format)
		require.Equal(t, exitDrift, code)
		fence := ""
		for line := range strings.Lines(stdout + stderr) {
			assert.False(t, strings.HasPrefix(strings.TrimSpace(line), "::"), line)
			assert.NotContains(t, line, "\x1b")
			switch run := fenceOf(line); {
			case run != "" && fence == "":
				fence = run
			case run != "" && strings.TrimSpace(line) == fence:
				fence = ""
			}
			if format == "markdown" && strings.HasPrefix(line, "- ") {
				assert.NotEmpty(t, fence, line)
			}
		}
		assert.Empty(t, fence)
	}
}

// A panic does not look like "cannot tell", with which Go's own exit code is the same.
func TestGuard(t *testing.T) {
	var stderr strings.Builder
	assert.Equal(t, exitPanic, guard(&stderr, func() int { panic("some\x1bthing") }))
	assert.Contains(t, stderr.String(), "a fault of specsync itself")
	assert.Contains(t, stderr.String(), `some\u001bthing`)
	assert.Equal(t, exitDrift, guard(&stderr, func() int { return exitDrift }))
}
