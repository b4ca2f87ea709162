// Package wrapper sends Whop push notifications, and tells whether each one was queued,
// rejected, or may have gone out.
//
//	package main
//
//	import (
//		"context"
//		"log"
//
//		whop "github.com/whopnotify/whopnotify/wrapper"
//	)
//
//	func main() {
//		client, err := whop.NewClient() // the key is in WHOP_API_KEY
//		if err != nil {
//			log.Fatal(err)
//		}
//		n := whop.ToCompany("biz_xxxxxxxxxxxxxx", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"})
//		if _, err := client.Send(context.Background(), n); err != nil {
//			log.Fatal(err)
//		}
//	}
//
// # A map
//
//   - To build a notification: [ToCompany], [ToExperience], [Notification.OnlyUsers],
//     [Notification.WithIdempotencyKey], or JSON.
//   - To send: [NewClient] and its options, [Client.Send], [Client.SendAll] for many,
//     [Client.API] and [Client.Do] for the generated clients underneath.
//   - To know the result: [Receipt], [SendError] with its [Outcome], [APIError]
//     with Whop's words, and the sentinels such as [ErrRateLimited].
//   - To choose how: [RetryPolicy], which has the retry rules as a table, [Limiter],
//     [WithObserver] and [WithLogger] to watch.
//   - To survive a crash, or send from many processes: package
//     [github.com/whopnotify/whopnotify/wrapper/queue].
//   - To test: package [github.com/whopnotify/whopnotify/wrapper/whoptest], a Whop to
//     send to.
//
// # What it promises
//
// A retry never notifies twice. Every send carries an idempotency key, a random UUID
// or the notification's own, and every attempt of it the same key (but for one case
// below), body and API version. Whop queues at most one request under a key of a caller
// in 24 hours, and repeats its answer to any other. The promise rests on that: on Whop's
// general page (docs.whop.com, developer/api/idempotency), which speaks of every
// authenticated POST, and on the document of the current contract ([CurrentAPIVersion]),
// which names the header for this operation. The document of the vendored contract
// ([DefaultAPIVersion]) does not.
// [RetryPolicy.AtMostOnce] is for those who would rather lose a notification than rely
// on it. A send changes its key in one case: after a 408 or 429 that Whop repeats to the
// key, if the key was random and no earlier attempt may have been queued.
//
// An error says whether the notification may go out. Each is a [*SendError] with an
// [Outcome] over all attempts. [NotSent] needs proof from the connection that no request
// arrived whole, [Rejected] an answer that it was not queued. Everything else is [Unknown].
// Once one attempt is Unknown, the send is.
//
// A mistake cannot become a broadcast. A notification has one target by construction,
// and one that [Notification.OnlyUsers] narrowed to nobody is invalid, in Go and in JSON.
//
// The API key never shows: in no error, no log line, and in no formatting of the client.
//
// # Time
//
// An attempt ends within 30 seconds ([WithAttemptTimeout]), the answer read. Three are made by
// default. Between them the client waits: at most [RetryPolicy.MaxDelay], or as long as the
// server asks, up to [RetryPolicy.MaxRetryAfter] and 10 % more. Before each attempt a send waits for its turn at the limiter, and
// while another send's 429 holds the client back. That wait has no bound of its own:
// give the context a deadline. A wait that would outlast the deadline is not begun: the
// send ends at once, with [SendError.RetryAfter] where the server, a hold or the default limiter
// asks for the wait. When the context ends, Send returns, also
// where a token source, limiter or observer of yours does not.
//
// # Memory and concurrency
//
// A [Client] is safe for concurrent use, starts no goroutine that outlives a call, and
// has nothing to close. A [Notification] is an immutable value. An answer is read up to
// 1 MiB, and an [APIError] keeps 4 KiB of it and 64 KiB of its header. [Client.SendAll] holds as many
// notifications as it sends at the same time, whatever the length of the sequence. The
// limiter, the retry budget and the hold after a 429 are the client's. Processes with the same
// credential share Whop's limit; to share the pace too, give them a common [Limiter].
package wrapper
