package wrapper_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"golang.org/x/time/rate"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// exampleServer is a stand-in for Whop; leave WithBaseURL and WithAPIKey out to send to
// Whop itself with the key in WHOP_API_KEY.
func exampleServer(replies ...whoptest.Reply) (server *whoptest.Server, opts []whop.Option) {
	server, err := whoptest.Start("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server.Script(replies...)
	return server, []whop.Option{whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey())}
}

func ExampleClient_Send() {
	server, opts := exampleServer()
	defer server.Close()

	client, err := whop.NewClient(opts...)
	if err != nil {
		log.Fatal(err)
	}
	m := whop.Message{Title: "Class at six", Content: "Room 2", RestPath: "/bookings/upcoming"}
	n := whop.ToExperience("exp_xxxxxxxxxxxxxx", m).OnlyUsers("user_xxxxxxxxxxxxx")
	receipt, err := client.Send(context.Background(), n.WithIdempotencyKey("class-17-moved"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("queued under", receipt.IdempotencyKey)
	// Output: queued under class-17-moved
}

func ExampleNotification_OnlyUsers() {
	var interested []string // nobody, this time
	n := whop.ToCompany("biz_xxxxxxxxxxxxxx", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"})
	fmt.Println(n.OnlyUsers(interested...).Validate())
	// Output: whop: invalid notification: user_ids: narrows the audience to nobody; leave OnlyUsers out to notify everybody
}

// What to do with each kind of failure.
func ExampleSendError() {
	server, opts := exampleServer(whoptest.Stall().AfterQueueing())
	defer server.Close()

	client, err := whop.NewClient(append(opts,
		whop.WithAttemptTimeout(100*time.Millisecond),
		whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1}))...)
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
		// It may go out. Within 24 hours, the same key makes it certain and cannot
		// notify twice.
		again := n.WithIdempotencyKey(failure.IdempotencyKey)
		for {
			receipt, err := client.Send(context.Background(), again)
			if errors.Is(err, whop.ErrIdempotencyInProgress) {
				continue // the first one still runs; a real program waits
			}
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println("queued by the first attempt:", receipt.Replayed)
			break
		}
	case failure.Retryable():
		fmt.Println("later, in", failure.RetryAfter)
	default:
		fmt.Println("never:", failure)
	}
	// Output: queued by the first attempt: true
}

func ExampleAPIError() {
	server, opts := exampleServer(whoptest.Error(403, "", "You do not have permission to access this resource"))
	defer server.Close()

	client, err := whop.NewClient(opts...)
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Send(context.Background(), whop.ToCompany("biz_xxxxxxxxxxxxxx", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"}))
	if errors.Is(err, whop.ErrForbidden) {
		fmt.Println("the key lacks the permission notification:create")
	}
	if api, ok := errors.AsType[*whop.APIError](err); ok {
		fmt.Println(api.StatusCode, api.Message)
	}
	// Output:
	// the key lacks the permission notification:create
	// 403 You do not have permission to access this resource
}

func ExampleClient_SendAll() {
	server, opts := exampleServer()
	defer server.Close()

	client, err := whop.NewClient(opts...)
	if err != nil {
		log.Fatal(err)
	}
	invoices := func(yield func(whop.Notification) bool) { // rows of a database, say
		for id := range 3 {
			m := whop.Message{Title: "Paid", Content: fmt.Sprintf("Invoice %d is paid", id)}
			n := whop.ToCompany("biz_xxxxxxxxxxxxxx", m).WithIdempotencyKey(fmt.Sprintf("invoice-%d-paid", id))
			if !yield(n) {
				return
			}
		}
	}
	for result := range client.SendAll(context.Background(), invoices, 8) {
		if result.Err != nil {
			log.Println(result.Index, result.Err)
		}
	}
	fmt.Println(len(server.Queued()), "queued")
	// Output: 3 queued
}

// A retry policy and a pace of one's own, and a look at every attempt.
func ExampleWithObserver() {
	server, opts := exampleServer(whoptest.Error(503, "", "Try again later."))
	defer server.Close()

	client, err := whop.NewClient(append(opts,
		whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 5, BaseDelay: time.Millisecond}),
		whop.WithLimiter(rate.NewLimiter(rate.Every(time.Second/5), 5)),
		whop.WithObserver(func(_ context.Context, a whop.Attempt) {
			fmt.Println("attempt", a.Number, "status", a.StatusCode, "again", a.RetryIn > 0)
		}))...)
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Send(context.Background(), whop.ToCompany("biz_xxxxxxxxxxxxxx", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"}))
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// attempt 1 status 503 again true
	// attempt 2 status 200 again false
}
