// Package whoptest is a Whop notifications API to test against, in a test or as a
// process of its own:
//
//	server := whoptest.NewServer(t)
//	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()))
//	...
//	require.Len(t, server.Queued(), 1)
//
// It behaves as the API is documented to: bearer authentication, dated versions,
// idempotency keys that last 24 hours and, once asked for by [Server.SetRateLimit], the
// rate limit. Every request is checked against the specification of its version: up to
// 2026-07-20 the vendored one, which has company_id and answers 200, then the one that
// Whop serves today, which has account_id and answers 202. A request without a version
// gets the vendored one, or that of [Server.SetAPIVersion].
//
// It delivers nothing, and keeps every request in memory, or as many as
// [Server.SetHistoryLimit] says.
//
// # What goes wrong in production
//
// [Server.Script] makes it answer otherwise, for the next requests in their order, and
// [Server.ScriptFunc] for every request as a function decides:
//
//   - [Error], [RateLimited], [RateLimitedAfter], [NotQueued] and [Raw] are answers.
//   - [Reset], [Stall], [StallFor], [Truncate] and [Garbage] are broken, silent and slow
//     connections.
//   - [Reply.AfterQueueing] does the same after the notification was queued: the client
//     never hears, and Whop delivers.
//   - [Reply.Remembered] keeps a refusal under the idempotency key, as Whop does.
//
// # What became of it
//
// [Server.Requests] are all requests, [Server.Queued] those whose notifications Whop
// would have delivered. A test that counts the second sees a notification that went out
// twice, or never. [Server.Changes] follows them as they come, and [Server.Forget] begins
// anew. Replies that a test scripted and nobody asked for fail it.
//
// Without a test, [Start] does the same, and [New] makes an [net/http.Handler] to mount
// elsewhere, say behind TLS.
package whoptest
