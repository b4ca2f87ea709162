// Package wrapper sends Whop push notifications, and says what became of them.
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
// # What it promises
//
// A retry never notifies twice. Every send carries an idempotency key, the same on each
// attempt, under which Whop queues at most one notification in 24 hours.
//
// An error says whether the notification may go out. Each is a [*SendError] with an
// [Outcome]: [NotSent] and [Rejected] are certain, from what the connection showed or
// from Whop's answer; everything else is [Unknown].
//
// A mistake cannot become a broadcast. A notification has one target by construction,
// and one that [Notification.OnlyUsers] narrowed to nobody is invalid.
//
// # Where to look
//
// Build with [ToCompany], [ToExperience] and [Notification.OnlyUsers]; send with
// [Client.Send], or [Client.SendAll] for many; tell errors apart with [SendError], the
// sentinels such as [ErrRateLimited], and [APIError]. [RetryPolicy] has the retry rules
// as a table. [Client.API] is the generated client underneath.
package wrapper
