package wrapper_test

import (
	"encoding/json"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// Every block of code in a document is executed: Go by the tests of this file, and the others
// by the test or script that is named here. A kind of block, or a document, that is not
// named fails.
func TestDocumentedBlocksAreExecuted(t *testing.T) {
	t.Parallel()
	executedBy := map[struct{ document, heading, language string }]string{
		{"README.md", "See it work", "console"}:                        "wrapper/cmd/whop-notify/readme_test.go",
		{"README.md", "The first program", "sh"}:                       "wrapper/documents_test.go",
		{"README.md", "The command", "sh"}:                             "wrapper/cmd/whop-notify/readme_test.go",
		{"README.md", "Installing", "sh"}:                              ".ci/test-release",
		{"wrapper/bench/README.md", "Benchmarks", "sh"}:                "wrapper/bench/readme_test.go",
		{".github/CONTRIBUTING.md", "When Whop changes its API", "sh"}: "gen/specsync/contributing_test.go",
		{".github/CONTRIBUTING.md", "Under another module path", "sh"}: ".ci/test-rename",
		{"wrapper/queue/README.md", "On your own NATS", "conf"}:        "wrapper/queue/readme_test.go",
		{"wrapper/queue/README.md", "The states", "text"}:              "wrapper/queue/readme_test.go",
	}
	used := map[string]bool{}
	for _, document := range documents(t) {
		for _, f := range fencesOf(read(t, document)) {
			if f.language == "go" || strings.HasPrefix(document, "wrapper/cmd/whop-notify/") { // which has a test for all of its own
				continue
			}
			by := executedBy[struct{ document, heading, language string }{document, f.heading, f.language}]
			require.NotEmpty(t, by, "no test executes a block in %s under %q, in %q:\n%s", document, f.heading, f.language, f.text)
			used[document+f.heading] = true
			if by != "wrapper/documents_test.go" {
				source := read(t, by)
				assert.Contains(t, source, f.heading, by)
				assert.Contains(t, source, path.Base(document), by)
			}
		}
	}
	for place := range executedBy {
		assert.True(t, used[place.document+place.heading], "there is no such block: %v", place)
	}
}

// A block of Go is a whole program, or line for line a part of an example or test that
// runs.
func TestDocumentedGo(t *testing.T) {
	t.Parallel()
	var executed []string
	for _, name := range files(t) {
		if strings.HasSuffix(name, "_test.go") {
			executed = append(executed, bodies(t, name)...)
		}
	}
	programs := 0
	for _, document := range documents(t) {
		for _, f := range fencesOf(read(t, document)) {
			switch {
			case f.language != "go":
			case strings.HasPrefix(f.text, "package main"):
				programs++
			default:
				found := slices.ContainsFunc(executed, func(body string) bool { return strings.Contains(body, unindented(f.text)) })
				assert.True(t, found, "no example or test has what %s has under %q:\n%s", document, f.heading, f.text)
			}
		}
	}
	assert.Equal(t, 1, programs) // TestDocumentedProgram
}

// bodies are those of the tests of a file, and of the examples that have output to check.
func bodies(t *testing.T, name string) (texts []string) {
	t.Helper()
	source := read(t, name)
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, name, source, parser.ParseComments)
	require.NoError(t, err)
	add := func(node ast.Node) {
		texts = append(texts, unindented(source[files.Position(node.Pos()).Offset:files.Position(node.End()).Offset]))
	}
	for _, d := range parsed.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
			add(f.Body)
		}
	}
	for _, example := range doc.Examples(parsed) {
		if example.Output != "" || example.EmptyOutput {
			for _, d := range parsed.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "Example"+example.Name {
					add(f.Body)
				}
			}
		}
	}
	return texts
}

func unindented(text string) string {
	return regexp.MustCompile(`\n\s*`).ReplaceAllString("\n"+strings.TrimSpace(text)+"\n", "\n")
}

// The first program runs by the commands beside it, saved where the README says.
func TestDocumentedProgram(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	var program, commands string
	for _, f := range fencesOf(read(t, "README.md")) {
		if f.heading == "The first program" && f.language == "go" {
			program = f.text
		} else if f.heading == "The first program" {
			commands = f.text
		}
	}
	require.Contains(t, read(t, "README.md"), "`hello/main.go`")
	saved := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(saved, []byte(program), 0o600))
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "hello", "main.go"): saved}})
	require.NoError(t, err)
	overlaid := filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(overlaid, overlay, 0o600))
	flags := "-overlay=" + overlaid
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		flags += " -race" // what was compiled for this test serves the program too
	}

	commands = strings.Replace(commands, "WHOP_API_KEY=…", "WHOP_API_KEY="+server.APIKey(), 1)
	bash := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", commands)
	bash.Dir, bash.Env = root, append(os.Environ(), "GOFLAGS="+flags, "GOWORK=off", "WHOP_BASE_URL="+server.URL())
	out, err := bash.CombinedOutput()
	require.NoError(t, err, "%s", out)
	queued := server.Queued()
	require.Len(t, queued, 1)
	require.Equal(t, "queued under the idempotency key "+queued[0].IdempotencyKey+"\n", string(out))
}

// tooSlow are the targets that nothing runs by itself: they take minutes, npm or a browser.
var tooSlow = []string{"bench", "browser", "interop", "soak"}

// The make targets, scripts and files that the documents name are there, and CI runs the targets.
func TestDocumentsNameWhatThereIs(t *testing.T) {
	t.Parallel()
	runs := []string{read(t, ".ci/run"), read(t, ".github/workflows/ci.yml"), read(t, ".ci/test-rename")}
	for _, f := range fencesOf(read(t, ".github/CONTRIBUTING.md")) {
		runs = append(runs, f.text)
	}
	runByItself := func(target string) bool {
		return slices.ContainsFunc(runs, regexp.MustCompile(`make `+target+`\b`).MatchString)
	}
	sources := map[string]bool{}
	for _, name := range files(t) {
		sources[path.Base(name)] = true
	}
	targets := map[string]bool{}
	for _, document := range documents(t) {
		text := read(t, document)
		for _, m := range regexp.MustCompile("`make (?:-s )?([a-z-]+)").FindAllStringSubmatch(text, -1) {
			targets[m[1]] = true
		}
		for _, m := range regexp.MustCompile("`((?:\\.ci|\\.github|gen|wrapper)/[\\w/.-]*)").FindAllStringSubmatch(text, -1) {
			_, err := os.Stat(filepath.Join("..", m[1]))
			assert.NoError(t, err, document)
		}
		for _, m := range regexp.MustCompile("`(\\w+\\.go)`").FindAllStringSubmatch(text, -1) {
			assert.True(t, sources[m[1]], "%s: there is no %s", document, m[1])
		}
	}
	for target := range targets {
		out, err := exec.CommandContext(t.Context(), "make", "-C", "..", "-n", target).CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.True(t, runByItself(target) || slices.Contains(tooSlow, target), target)
	}
}

// A link within the tree leads to a file, and to a heading of it.
func TestDocumentedLinks(t *testing.T) {
	t.Parallel()
	for _, document := range documents(t) {
		for _, m := range regexp.MustCompile(`\]\(([^)\s]*)\)`).FindAllStringSubmatch(prose(read(t, document)), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			name, anchor, anchored := strings.Cut(m[1], "#")
			target := document
			if name != "" {
				target = path.Join(path.Dir(document), name)
			}
			_, err := os.Stat(filepath.Join("..", filepath.FromSlash(target)))
			if assert.NoError(t, err, document) && anchored {
				assert.Contains(t, anchors(read(t, target)), anchor, "%s links to %s", document, m[1])
			}
		}
	}
}

// anchors are those that a forge makes of the headings.
func anchors(markdown string) (names []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(prose(markdown), -1) {
		kept := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		names = append(names, strings.ReplaceAll(kept, " ", "-"))
	}
	return names
}

// prose is a document without its blocks of code.
func prose(markdown string) string {
	return regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(markdown, "")
}

// documents are the pages of the project.
func documents(t *testing.T) (names []string) {
	t.Helper()
	for _, name := range files(t) {
		if strings.HasSuffix(name, ".md") {
			names = append(names, name)
		}
	}
	require.Contains(t, names, "README.md")
	return names
}

// fence is a block of code.
type fence struct{ heading, language, text string }

func fencesOf(markdown string) (fences []fence) {
	heading := ""
	for _, m := range regexp.MustCompile("(?ms)^#+ ([^\n]+)$|^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(markdown, -1) {
		if m[1] != "" {
			heading = m[1]
			continue
		}
		fences = append(fences, fence{heading: heading, language: m[2], text: m[3]})
	}
	return fences
}

// files are those of the tree, committed or not yet.
func files(t *testing.T) (names []string) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = ".."
	out, err := list.Output()
	require.NoError(t, err)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if _, err := os.Stat(filepath.Join("..", name)); err == nil { // else deleted, and not committed yet
			names = append(names, name)
		}
	}
	return names
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", name))
	require.NoError(t, err)
	return string(data)
}
