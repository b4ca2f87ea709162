package whoptest_test

import (
	"context"
	"fmt"
	"testing"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// A test of a program that notifies: three lines give it a Whop of its own.
func ExampleNewServer() {
	_ = func(t *testing.T) {
		server := whoptest.NewServer(t)
		client, _ := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()))
		server.Script(whoptest.Error(503, "", "Try later"))

		// ... what is to be tested, with client ...
		_, _ = client.Send(t.Context(), whop.ToCompany("biz_1", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"}))

		if queued := server.Queued(); len(queued) != 1 {
			t.Errorf("%d notifications were queued, not 1", len(queued))
		}
	}
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
