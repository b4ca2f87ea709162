package wrapper_test

import (
	"context"
	"errors"
	"expvar"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

var invoicePaid = whop.ToCompany("biz_xxxxxxxxxxxxxx", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"})

// More patience than the default, for a job in the background. What is left out keeps
// its default.
func ExampleWithRetryPolicy() {
	server := standIn(
		whoptest.Error(http.StatusServiceUnavailable, "", "Try again later."),
		whoptest.Reset(),
		whoptest.Error(http.StatusInternalServerError, "", "Something went wrong"),
	)
	defer server.Close()

	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()),
		whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 6, BaseDelay: 10 * time.Millisecond}))
	if err != nil {
		log.Fatal(err)
	}
	receipt, err := client.Send(context.Background(), invoicePaid)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("queued after", receipt.Attempts, "attempts")
	// Output: queued after 4 attempts
}

// An own pace. Clients with the same credential share Whop's limit, so they share the
// limiter. One that counts in a store, to be shared by processes, has the same method.
func ExampleWithLimiter() {
	server := standIn()
	defer server.Close()

	pace := rate.NewLimiter(rate.Every(time.Minute/300), 5) // 300 a minute, 5 of them at once
	for _, product := range []string{"shop/1.2", "newsletter/0.9"} {
		client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()),
			whop.WithUserAgent(product), whop.WithLimiter(pace))
		if err != nil {
			log.Fatal(err)
		}
		if _, err := client.Send(context.Background(), invoicePaid); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(len(server.Queued()), "queued")
	// Output: 2 queued
}

type userOfRequest struct{}

// A token for each user, from the context of the send. A token that rotates is the
// same: it is asked for anew for every attempt.
func ExampleWithTokenSource() {
	server := standIn()
	defer server.Close()

	tokens := map[string]string{"user_xxxxxxxxxxxx1": server.APIKey()} // from a store, and refreshed there
	client, err := whop.NewClient(whop.WithBaseURL(server.URL()),
		whop.WithTokenSource(func(ctx context.Context) (string, error) {
			user, _ := ctx.Value(userOfRequest{}).(string)
			if token, ok := tokens[user]; ok {
				return token, nil
			}
			return "", errors.New("there is no token for " + user)
		}),
		whop.WithLimiter(nil)) // Whop's limit is for each credential, the default limiter for the client
	if err != nil {
		log.Fatal(err)
	}
	for _, user := range []string{"user_xxxxxxxxxxxx1", "user_xxxxxxxxxxxx2"} {
		ctx := context.WithValue(context.Background(), userOfRequest{}, user)
		_, err := client.Send(ctx, invoicePaid)
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// whop: notification not sent (1 attempt): token source: there is no token for user_xxxxxxxxxxxx2
}

// steady leaves out what differs in every run, so that the output of an example is the
// same each time.
func steady(_ []string, a slog.Attr) slog.Attr {
	switch a.Key {
	case "time", "took", "retry_in", "idempotency_key":
		return slog.Attr{}
	}
	return a
}

// Attempts in the program's log: those that will be retried at level warn, the others
// at debug. The error of a send is the program's own to log; it becomes a group.
func ExampleWithLogger() {
	server := standIn(
		whoptest.RateLimitedAfter(10*time.Millisecond),
		whoptest.Error(http.StatusNotFound, "", "Company not found"),
	)
	defer server.Close()

	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: steady}))
	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()), whop.WithLogger(logger))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Send(context.Background(), invoicePaid); err != nil {
		logger.Error("not notified", "send", err)
	}
	// Output:
	// level=WARN msg="whop: attempt failed, will retry" attempt=1 status=429 error="whop: 429 Too Many Requests: Rate limit exceeded. (type too_many_requests, code rate_limit_exceeded)"
	// level=ERROR msg="not notified" send.outcome=rejected send.attempts=2 send.retryable=false send.retry_after=10ms send.error="whop: 404 Not Found: Company not found (type not_found)" send.response.status=404 send.response.type=not_found send.response.message="Company not found"
}

// Metrics: a count by status, and the time that attempts take. The same function feeds
// any other library.
func ExampleWithObserver() {
	server := standIn(whoptest.Error(http.StatusServiceUnavailable, "", "Try again later."))
	defer server.Close()

	var attempts, retries expvar.Map // expvar.Publish shows them under /debug/vars
	var seconds expvar.Float
	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()),
		whop.WithObserver(func(_ context.Context, a whop.Attempt) {
			status := strconv.Itoa(a.StatusCode) // "0": no answer
			attempts.Add(status, 1)
			if a.RetryIn > 0 {
				retries.Add(status, 1)
			}
			seconds.Add(a.Duration.Seconds())
		}))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Send(context.Background(), invoicePaid); err != nil {
		log.Fatal(err)
	}
	fmt.Println("attempts:", attempts.String())
	fmt.Println("retries: ", retries.String())
	// Output:
	// attempts: {"200": 1, "503": 1}
	// retries:  {"503": 1}
}

// tracing stands where otelhttp.NewTransport(next) of OpenTelemetry would, on which
// this module does not depend. As that does, it makes a span of each request under the
// span of the context, and hands the request on with its context and a header more.
type tracing struct{ next http.RoundTripper }

func (t tracing) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context()) // an http.RoundTripper leaves the caller's request alone
	r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	resp, err := t.next.RoundTrip(r)
	if err == nil {
		fmt.Println("span:", r.Method, r.URL.Path, resp.StatusCode)
	}
	return resp, err
}

// OpenTelemetry, by a transport that makes a span of every attempt.
func ExampleWithHTTPClient_openTelemetry() {
	server := standIn(whoptest.Error(http.StatusServiceUnavailable, "", "Try again later."))
	defer server.Close()

	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16 // as many as send at the same time; net/http keeps 2
	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()),
		whop.WithHTTPClient(&http.Client{Transport: tracing{transport}}))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Send(context.Background(), invoicePaid); err != nil {
		log.Fatal(err)
	}
	fmt.Println("trace at Whop:", server.Queued()[0].Header.Get("Traceparent") != "")
	// Output:
	// span: POST /api/v1/notifications 503
	// span: POST /api/v1/notifications 200
	// trace at Whop: true
}
