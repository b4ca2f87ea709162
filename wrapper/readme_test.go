package wrapper_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// Everything in the README that a reader could copy is executed: programs, fragments of
// programs, commands, and the sessions with what they print. A fence of a kind, or in a
// place, that is not known here fails.
func TestREADME(t *testing.T) {
	server := whoptest.NewServer(t)
	user := newcomer(t, server)
	maintainers := map[string]*shell{} // by heading: each has a copy of the tree
	var fragments []string
	for _, f := range fencesOf(readme(t)) {
		switch {
		case f.language == "go" && strings.HasPrefix(f.text, "package main"):
			require.NoError(t, os.WriteFile(filepath.Join(user.dir, "main.go"), []byte(f.text), 0o600))
		case f.language == "go":
			fragments = append(fragments, f.text)
		case f.language == "console":
			user.session(f.text)
		case f.language == "ini":
			user.unit(f.text)
		case f.language == "sh" && f.heading == "The first program":
			user.script(f.text)
			queued := server.Queued()
			require.Len(t, queued, 1)
			require.Equal(t, "queued under the idempotency key "+queued[0].IdempotencyKey+"\n", user.printed)
		case f.language == "sh" && (f.heading == "When Whop changes its API" || f.heading == "Under another module path"):
			if maintainers[f.heading] == nil {
				maintainers[f.heading] = maintainer(t)
			}
			maintainers[f.heading].script(f.text)
		default:
			require.Fail(t, "no test executes this fence", "under %q, in %q:\n%s", f.heading, f.language, f.text)
		}
	}
	user.test(fragments)

	updated := maintainers["When Whop changes its API"]
	require.Contains(t, updated.read("openapi.yml"), "account_id")
	require.Contains(t, updated.read("gen/whop.gen.go"), "AccountID")
	renamed := maintainers["Under another module path"]
	require.Contains(t, renamed.read("go.mod"), "module example.org/renamed\n")
	renamed.script("! git grep -F " + module + "\n") // .ci/test-rename runs checks in such a clone
}

const module = "github.com/whopnotify/whopnotify"

func readme(t *testing.T) string {
	t.Helper()
	return read(t, "README.md")
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

// prelude is what the fragments of the README may take for granted, with a client that
// sends to a stand-in.
const prelude = `package main

import (
	"context"
	"errors"
	"iter"
	"log"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

var _, _, _ = errors.New, log.Println, whoptest.Start

var paid = whop.ToCompany("biz_1", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"})

func later(whop.Notification, time.Duration) {}
func giveUp(whop.Notification, error)        {}

var dir string

func test(t *testing.T, run func(ctx context.Context, client *whop.Client, n whop.Notification, notifications iter.Seq[whop.Notification])) {
	dir = t.TempDir()
	server := whoptest.NewServer(t)
	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()))
	require.NoError(t, err)
	run(t.Context(), client, paid, slices.Values([]whop.Notification{paid, paid}))
}
`

// test makes a test of each fragment, and runs them as those of the first program, whose
// module requires besides what they import.
func (s *shell) test(fragments []string) {
	s.t.Helper()
	var source strings.Builder
	source.WriteString(prelude)
	for i, fragment := range fragments {
		fmt.Fprintf(&source, `
func TestFragment%d(t *testing.T) {
	test(t, func(ctx context.Context, client *whop.Client, n whop.Notification, notifications iter.Seq[whop.Notification]) {
		{
%s
		}
	})
}
`, i+1, fragment)
	}
	require.NoError(s.t, os.WriteFile(filepath.Join(s.dir, "readme_test.go"), []byte(source.String()), 0o600))
	s.script("go get -t .\ngo test -count=1 .\n")
}
