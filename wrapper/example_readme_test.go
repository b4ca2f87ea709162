package wrapper_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// TestDocumentedGo holds README.md and wrapper/README.md to these, line for line.

func Example_build() {
	message := whop.Message{Title: "Class at six", Content: "Room 2", RestPath: "/bookings/upcoming"}
	n := whop.ToExperience("exp_…", message)   // everybody with access to an experience
	n = n.OnlyUsers("user_…", "user_…")        // of those, only these
	n = n.WithIdempotencyKey("class-17-moved") // survives a crash of your process

	fmt.Println(n.Validate(), n.IdempotencyKey())
	// Output: <nil> class-17-moved
}

func Example_failure() {
	server := standIn(whoptest.Reset().AfterQueueing(), whoptest.RateLimited(90*time.Second), whoptest.Error(403, "", "No."))
	defer server.Close()
	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()),
		whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1}))
	if err != nil {
		log.Fatal(err)
	}
	ctx, n := context.Background(), invoicePaid
	later := func(n whop.Notification, after time.Duration) { fmt.Println("later:", n.IdempotencyKey() != "", after) }
	giveUp := func(_ whop.Notification, err error) { fmt.Println("never:", errors.Is(err, whop.ErrForbidden)) }
	send := func() {
		_, err := client.Send(ctx, n)
		if failure, ok := errors.AsType[*whop.SendError](err); ok {
			switch {
			case failure.Outcome == whop.Unknown:
				// It may go out. The same key again, within 24 hours, cannot notify twice:
				later(n.WithIdempotencyKey(failure.IdempotencyKey), failure.RetryAfter)
			case failure.Retryable():
				later(n, failure.RetryAfter)
			default:
				giveUp(n, failure)
			}
		}
	}
	send()
	send()
	if client, err = whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey())); err != nil {
		log.Fatal(err) // the first client is held back by the 429
	}
	send()
	// Output:
	// later: true 0s
	// later: false 1m30s
	// never: true
}

func Example_many() {
	server := standIn()
	defer server.Close()
	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()))
	if err != nil {
		log.Fatal(err)
	}
	ctx, notifications := context.Background(), slices.Values([]whop.Notification{invoicePaid, invoicePaid})

	for result := range client.SendAll(ctx, notifications, 16) { // an iter.Seq, of any length
		if result.Err != nil {
			log.Println(result.Index, result.Err)
		}
	}

	fmt.Println(len(server.Queued()), "queued")
	// Output: 2 queued
}

func TestExampleTesting(t *testing.T) {
	n := invoicePaid

	server := whoptest.NewServer(t) // a stand-in for Whop, closed when the test ends
	server.Script(whoptest.Error(503, "", "down"), whoptest.Reset().AfterQueueing())
	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()),
		whop.WithRetryPolicy(whop.RetryPolicy{BaseDelay: time.Millisecond})) // retries really wait: 0.5 s by default
	require.NoError(t, err)

	_, err = client.Send(t.Context(), n) // in your code

	require.NoError(t, err)
	require.Len(t, server.Requests(), 3)
	require.Len(t, server.Queued(), 1)
}
