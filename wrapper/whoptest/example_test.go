package whoptest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// testThatCustomersHear is a test of a program that notifies. Three lines give it a Whop
// of its own; go test calls it with a *testing.T.
func testThatCustomersHear(t testing.TB) {
	server := whoptest.NewServer(t)
	server.Script(whoptest.Error(503, "", "Try later"))
	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()))
	if err != nil {
		t.Fatal(err)
	}

	// Here the program under test would send.
	_, err = client.Send(context.Background(), whop.ToCompany("biz_1", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"}))
	if err != nil {
		t.Error(err)
	}

	if queued := server.Queued(); len(queued) != 1 {
		t.Errorf("%d notifications were queued, not 1", len(queued))
	}
}

// A test in which Whop fails once.
func ExampleNewServer() {
	t := &outsideOfGoTest{}
	testThatCustomersHear(t)
	t.cleanup()
	fmt.Println("failed:", t.failed)
	// Output: failed: false
}

// outsideOfGoTest stands in for a *testing.T, which an example does not have.
type outsideOfGoTest struct {
	testing.TB
	cleanup func()
	failed  bool
}

func (t *outsideOfGoTest) Helper()               {}
func (t *outsideOfGoTest) Cleanup(f func())      { t.cleanup = f }
func (t *outsideOfGoTest) Error(...any)          { t.failed = true }
func (t *outsideOfGoTest) Errorf(string, ...any) { t.failed = true }
func (t *outsideOfGoTest) Fatal(args ...any)     { panic(fmt.Sprint(args...)) }
func (t *outsideOfGoTest) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

// Outside of tests Start does the same. The scripted reset loses the answer to the
// first attempt, and the second is recognized by its idempotency key.
func ExampleStart() {
	server, err := whoptest.Start("127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	server.Script(whoptest.Reset().AfterQueueing())

	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()))
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := client.Send(context.Background(), whop.ToCompany("biz_1", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"}))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("attempts:", receipt.Attempts)
	fmt.Println("replayed:", receipt.Replayed)
	fmt.Println("queued:", len(server.Queued()))
	// Output:
	// attempts: 2
	// replayed: true
	// queued: 1
}

// A function chooses the fault for every request. Here the first attempt under each key is
// queued, and its answer lost.
func ExampleServer_ScriptFunc() {
	server, err := whoptest.Start("127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	seen := map[string]bool{}
	server.ScriptFunc(func(r whoptest.Request) whoptest.Reply {
		if seen[r.IdempotencyKey] {
			return whoptest.Serve()
		}
		seen[r.IdempotencyKey] = true
		return whoptest.Truncate()
	})

	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()))
	if err != nil {
		fmt.Println(err)
		return
	}
	n := whop.ToCompany("biz_1", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"}).WithIdempotencyKey("invoice-7")
	for range 2 {
		_, err := client.Send(context.Background(), n)
		fmt.Println(errors.Is(err, whop.ErrMalformedResponse), len(server.Queued()))
	}
	// Output:
	// true 1
	// false 1
}
