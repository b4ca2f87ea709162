package wrapper_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// What to do after each kind of failure. Here Whop asks for a longer wait than the
// client sleeps, which is 60 seconds unless RetryPolicy.MaxRetryAfter says otherwise.
func ExampleSendError() {
	server := standIn(whoptest.RateLimited(90 * time.Second))
	defer server.Close()

	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()))
	if err != nil {
		log.Fatal(err)
	}
	n := whop.ToCompany("biz_xxxxxxxxxxxxxx", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"})
	_, err = client.Send(context.Background(), n)
	failure, failed := errors.AsType[*whop.SendError](err)
	switch {
	case !failed:
		fmt.Println("queued")
	case failure.Outcome == whop.Unknown:
		fmt.Println("again under the same key, within 24 hours:", failure.IdempotencyKey)
	case failure.Retryable():
		fmt.Println("it was not queued; again in", failure.RetryAfter)
	default:
		fmt.Println("it was not queued, and would not be the next time:", failure)
	}
	// Output: it was not queued; again in 1m30s
}

// What to do with Unknown: the same notification again, under the key that the error
// names. What Whop has queued under it, it repeats the answer to; else it queues it now.
func ExampleOutcome() {
	server := standIn(whoptest.Reset().AfterQueueing()) // it is queued, and the answer is lost
	defer server.Close()

	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()),
		whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1})) // else it would do so itself
	if err != nil {
		log.Fatal(err)
	}
	n := whop.ToCompany("biz_xxxxxxxxxxxxxx", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"})
	receipt, err := client.Send(context.Background(), n)
	if failure, ok := errors.AsType[*whop.SendError](err); ok && failure.Outcome == whop.Unknown {
		fmt.Println("it may go out")
		// A real program keeps the notification and the key, and does this later.
		receipt, err = client.Send(context.Background(), n.WithIdempotencyKey(failure.IdempotencyKey))
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("it was queued before:", receipt.Replayed)
	fmt.Println("notifications:", len(server.Queued()))
	// Output:
	// it may go out
	// it was queued before: true
	// notifications: 1
}

// Errors told apart by kind, and Whop's own words.
func ExampleAPIError() {
	server := standIn(
		whoptest.Error(http.StatusUnauthorized, "", "Invalid or missing API key"),
		whoptest.Error(http.StatusForbidden, "", "You do not have permission to access this resource"),
		whoptest.Error(http.StatusNotFound, "", "Company not found"),
		whoptest.NotQueued(),
	)
	defer server.Close()

	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()))
	if err != nil {
		log.Fatal(err)
	}
	m := whop.Message{Title: "Paid", Content: "Invoice 7 is paid"}
	for _, n := range []whop.Notification{
		whop.ToCompany("biz_xxxxxxxxxxxxxx", m),
		whop.ToCompany("biz_xxxxxxxxxxxxxx", m),
		whop.ToCompany("biz_xxxxxxxxxxxxxx", m),
		whop.ToCompany("biz_xxxxxxxxxxxxxx", m),
		whop.ToCompany("exp_xxxxxxxxxxxxxx", m),
	} {
		_, err := client.Send(context.Background(), n)
		switch {
		case errors.Is(err, whop.ErrUnauthorized):
			fmt.Println("the API key is wrong, or of the sandbox")
		case errors.Is(err, whop.ErrForbidden):
			fmt.Println("the API key lacks the permission notification:create")
		case errors.Is(err, whop.ErrNotQueued):
			fmt.Println("Whop took the request and did not queue it")
		case errors.Is(err, whop.ErrInvalidNotification):
			fmt.Println("a mistake of the program:", err)
		default:
			if answer, ok := errors.AsType[*whop.APIError](err); ok {
				fmt.Println("Whop answered", answer.StatusCode, answer.Message)
			}
		}
	}
	// Output:
	// the API key is wrong, or of the sandbox
	// the API key lacks the permission notification:create
	// Whop answered 404 Company not found
	// Whop took the request and did not queue it
	// a mistake of the program: whop: invalid notification: company_id: is the id of an experience, "exp_xxxxxxxxxxxxxx", not of a company
}
