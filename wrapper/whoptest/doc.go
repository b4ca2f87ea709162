// Package whoptest is a Whop notifications API to test against, in a test or as a
// process of its own:
//
//	server := whoptest.NewServer(t)
//	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()))
//	...
//	require.Len(t, server.Queued(), 1)
//
// It behaves as the API is documented to: it checks bearer authentication, serves dated
// versions, remembers idempotency keys for 24 hours, and limits the rate if
// [Server.SetRateLimit] sets a limit. It checks every request against the specification of
// the request's version. Up to 2026-07-20 that is the vendored one, which has company_id and
// answers 200. Later versions use the one that Whop serves today, which has account_id and
// answers 202. A request without a version gets the vendored one, or that of
// [Server.SetAPIVersion].
//
// It delivers nothing. It keeps every request in memory; [Server.SetHistoryLimit] bounds
// how many.
//
// # What goes wrong in production
//
// [Server.Script] sets other replies for the next requests, in order. [Server.ScriptFunc]
// sets a function that chooses the reply to every request:
//
//   - [Error], [RateLimited], [RateLimitedAfter], [NotQueued] and [Raw] are answers.
//   - [Reset], [Stall], [StallFor], [Truncate] and [Garbage] are broken, silent and slow
//     connections.
//   - [Reply.AfterQueueing] does the same after queueing the notification: Whop delivers it,
//     and the client never learns.
//   - [Reply.Remembered] keeps a refusal under the idempotency key, as Whop does.
//
// # What to check
//
// [Server.Requests] returns all requests, [Server.Queued] those whose notifications Whop
// would have delivered. Count the latter to see whether a notification went out twice, or
// never. [Server.Changes] follows requests as they come, and [Server.Forget] starts over. A
// test fails if it scripted replies that no request used.
//
// Without a test, [Start] does the same, and [New] makes an [net/http.Handler] to mount
// elsewhere, say behind TLS.
package whoptest
