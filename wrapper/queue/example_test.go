package queue_test

import (
	"context"
	"fmt"
	"log"
	"os"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// example returns a stand-in for Whop, a client, and a directory.
func example() (server *whoptest.Server, client *whop.Client, dir string, end func()) {
	server, err := whoptest.Start("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	if client, err = whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey())); err != nil {
		log.Fatal(err)
	}
	if dir, err = os.MkdirTemp("", "queue-example-"); err != nil {
		log.Fatal(err)
	}
	return server, client, dir, func() {
		server.Close()
		_ = os.RemoveAll(dir)
	}
}

// A queue inside one process. A restarted process continues with the rest.
func Example() {
	_, client, dir, end := example()
	defer end()

	nc, stop, err := queue.Embedded(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer stop()
	ctx, cancel := context.WithCancel(context.Background())
	q, err := queue.Open(ctx, nc, queue.WithObserver(func(_ context.Context, e queue.Event) {
		fmt.Println(e.Notification.IdempotencyKey(), "sent:", e.Err == nil)
		cancel() // in a service, a signal does so
	}))
	if err != nil {
		log.Fatal(err)
	}
	n := whop.ToCompany("biz_xxxxxxxxxxxxxx", whop.Message{Title: "Shipped", Content: "Order 1234"}).
		WithIdempotencyKey("order-1234-shipped")
	for range 2 { // the second time as after a crash
		ticket, err := q.Enqueue(ctx, n)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("enqueued before:", ticket.Duplicate)
	}
	if err := q.Work(ctx, client, 1); err != nil {
		log.Fatal(err)
	}
	// Output:
	// enqueued before: false
	// enqueued before: true
	// order-1234-shipped sent: true
}

// Enqueue stores notifications, and Work sends them. README.md beside this file has the same
// lines.
func ExampleQueue_Work() {
	server, _, dir, end := example()
	defer end()
	ctx, cancel := context.WithCancel(context.Background())
	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()),
		whop.WithObserver(func(context.Context, whop.Attempt) { cancel() })) // in a service, a signal does so
	if err != nil {
		log.Fatal(err)
	}
	n := whop.ToCompany("biz_xxxxxxxxxxxxxx", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"})

	nc, stop, err := queue.Embedded(dir) // a NATS server in this process, its store in dir, on no port
	if err != nil {
		log.Fatal(err)
	}
	defer stop()
	q, err := queue.Open(ctx, nc)
	if err != nil {
		log.Fatal(err)
	}
	ticket, err := q.Enqueue(ctx, n) // on the disk once err is nil
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("enqueued before:", ticket.Duplicate)

	if err := q.Work(ctx, client, 16); err != nil { // until ctx ends, then it finishes what is in flight
		log.Fatal(err)
	}
	fmt.Println("queued at Whop:", len(server.Queued()))
	// Output:
	// enqueued before: false
	// queued at Whop: 1
}

// A program decides about each dead letter.
func ExampleQueue_Dead() {
	_, _, dir, end := example()
	defer end()
	nc, stop, err := queue.Embedded(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer stop()
	ctx := context.Background()
	q, err := queue.Open(ctx, nc)
	if err != nil {
		log.Fatal(err)
	}

	for letter, err := range q.Dead(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		switch letter.Outcome {
		case whop.Unknown: // it may have gone out
			log.Println(letter.ID, letter.Reason)
		default:
			if _, err := q.Retry(ctx, letter.ID, false); err != nil {
				log.Println(err)
			}
		}
	}
	stats, err := q.Stats(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stats.Waiting, "waiting,", stats.Dead, "dead")
	// Output:
	// 0 waiting, 0 dead
}
