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
//	if _, err := q.Enqueue(ctx, n); err != nil { // nil: it is on the disk
//		log.Fatal(err)
//	}
//	if err := q.Work(ctx, client, 16); err != nil { // until ctx ends
//		log.Fatal(err)
//	}
//
// # What it promises
//
// Nothing is lost. Every accepted notification is either queued at Whop or kept as a
// [DeadLetter], with the reason, until you retry or drop it.
//
// Nothing is sent twice. Every notification has one idempotency key from the moment it is
// enqueued, and every attempt carries it, in whichever process. If Whop has queued the
// notification already, it replays its answer. Whop remembers a key for 24 hours
// (docs.whop.com, developer/api/idempotency), so the queue does not attempt a notification
// again when it may have been queued 23 hours ago: it becomes a dead letter with outcome
// unknown. A notification that was certainly refused or not sent has no such limit: it is tried
// again, at least every 5 minutes, until Whop takes it or refuses it for good. The queue
// stores a record before each attempt, so this also holds if worker and server are killed.
// Clocks must agree to within half an hour.
//
// The server decides how durable an accepted notification is. [Embedded] syncs each one to
// disk. A cluster keeps [WithReplicas] copies, and should set sync_interval to always. The
// server must be NATS 2.12 or later.
//
// Whoever can publish to the queue's subjects can notify with the worker's API key: grant that
// right in NATS to nobody else.
//
// # After an attempt
//
//	Client.Send returned             then
//	queued                           done
//	an error that is Retryable       again after RetryAfter, or after 1 s, doubled each time up to 5 min
//	any other error                  a dead letter
//	401, 403, 404, 405, 410, or a    again, unless another notification has shown since that key and
//	redirect                         address work; if nothing else comes, Work returns the error
//	a 408 or 429 that Whop replays   again under a new key, if the queue generated the old one and nothing
//	                                 is in doubt
//
// Retries wait apart from new notifications, and take at most a quarter of the attempts. If
// all new notifications fail, as in an outage, the workers slow down.
//
// README.md beside this file shows how to operate it, and what is stored where in each state.
package queue
