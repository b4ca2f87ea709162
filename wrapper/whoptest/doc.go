// Package whoptest is a Whop notifications API to test against, in a test or as a
// process of its own:
//
//	server := whoptest.NewServer(t)
//	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()))
//	...
//	require.Len(t, server.Queued(), 1)
//
// It behaves as the API is documented to: bearer authentication, the vendored
// specification checked on every request, dated versions, idempotency keys and, once
// asked for by [Server.SetRateLimit], the rate limit. [Server.Script] makes it answer
// otherwise, for the next requests in their order: with errors, waits, broken and
// silent connections, before or after the notification was queued.
package whoptest
