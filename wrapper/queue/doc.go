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
//	if _, err := q.Enqueue(ctx, n); err != nil { // nil: it is on the disk, and will go out
//		log.Fatal(err)
//	}
//	if err := q.Work(ctx, client, 16); err != nil { // until ctx ends
//		log.Fatal(err)
//	}
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
// queued is not attempted again after 23: it becomes a dead letter whose outcome is
// unknown. What was certainly refused or not sent has no such limit. That an attempt begins is
// written down before it, so that this holds also where worker and server were killed.
// Clocks must agree to within half an hour.
//
// How durable "accepted" is, is the server's matter: [Embedded] syncs each to the
// disk; a cluster keeps as many copies as [WithReplicas] says, and should have sync_interval
// set to always. The server must be NATS 2.12 or later.
//
// Whoever may publish to the queue's subjects notifies with the worker's API key: give that right
// in NATS to nobody else.
//
// # What becomes of a notification
//
//	what Client.Send said            then
//	queued                           done
//	an error that is Retryable       again after RetryAfter, or after 1 s, doubled each time up to 5 min
//	any other error                  a dead letter
//	401, 403, 404, 405, 410, or a    again, unless another notification has shown meanwhile that key and
//	redirect                         address work; if nothing else comes, Work returns the error
//	a 408 or 429 that Whop replays   under a new key, if the queue made up the old one and nothing is in doubt
//
// What fails waits for its next try outside the line of new ones, and takes at most a quarter of the
// attempts. Where all that is new fails, as in an outage, the workers slow down.
//
// README.md beside this file shows how to operate it, and what is stored where in each state.
package queue
