// Package queue sends notifications that must survive a crash, or that outgrow one
// process: nothing is lost and nobody is notified twice, whichever process dies when.
// It keeps them on NATS JetStream, on a server inside the process or on a cluster.
//
//	nc, stop, err := queue.Embedded("/var/lib/billing/notifications")
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer stop()
//	q, err := queue.Open(ctx, nc)
//	if err != nil {
//		log.Fatal(err)
//	}
//	go q.Work(ctx, client, 16)
//	...
//	ticket, err := q.Enqueue(ctx, n) // it will go out, once err is nil
//
// # What it promises
//
// Nothing is lost. A notification that [Queue.Enqueue] accepted stays until Whop has
// queued it, or until it is a [DeadLetter] with the reason. Nothing leaves the dead letters
// by itself.
//
// Nothing is sent twice. Every notification has one idempotency key from the moment it is
// enqueued, and every attempt, by whichever process, carries it: what Whop has queued
// already it replays. Whop remembers a key for 24 hours
// (docs.whop.com, developer/api/idempotency), so a notification that may have been
// attempted is not attempted again after 23: it becomes a dead letter whose outcome is
// unknown. When attempts began is written down before each, so that this holds also where
// worker and server were killed. It takes clocks that differ by less than half an hour.
//
// How durable "accepted" is, is the server's matter: [Embedded] writes through to the
// disk; a cluster keeps as many copies as [WithReplicas] says, and should have sync_interval
// set to always.
//
// # What becomes of a notification
//
//	what Client.Send said            then
//	queued                           done
//	an error that is Retryable       again after RetryAfter, or after 1 s, doubled each time up to 5 min
//	any other error                  a dead letter
//	401, or a redirect               again; after several in a row Work returns the error, since it is
//	                                 the key or the address that is wrong, not the notification
//	a 408 or 429 that Whop replays   under a new key, if the queue made up the old one
//
// A notification that always fails holds up no other: while it waits for its next try,
// the others are sent, as long as fewer than 10,000 wait so. Where all fail, as in an
// outage, the workers slow down.
package queue
