package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/whopnotify/whopnotify/gen"
	whop "github.com/whopnotify/whopnotify/wrapper"
)

const (
	senders        = 64              // at a time, for every contender
	attemptTimeout = 2 * time.Second // for every contender
	retries        = 2               // the default of Send and of Whop's SDK
)

// verdict is what a client says became of a notification.
type verdict int

const (
	saidFailed verdict = iota
	saidSent
	saidUnknown
)

// account is a client's report of what it did: its verdict on each notification, and
// how long all took.
type account struct {
	said []verdict
	took time.Duration
}

// contender is a client as its users have it: unlike in the comparison of costs, it may
// retry, and it may or may not send an idempotency key.
type contender struct {
	name string
	// notify sends the invoices 0 to n-1, senders at a time.
	notify func(ctx context.Context, baseURL string, n int) (account, error)
}

// invoice is the text of notification i: the server tells by it which one it got.
func invoice(i int) string { return fmt.Sprintf("Invoice %d is paid", i) }

func invoiceNotification(i int) whop.Notification {
	return whop.ToCompany(companyID, whop.Message{Title: title, Content: invoice(i)})
}

func verdictOn(err error) verdict {
	if err == nil {
		return saidSent
	}
	if failed, ok := errors.AsType[*whop.SendError](err); ok && failed.Outcome == whop.Unknown {
		return saidUnknown
	}
	return saidFailed
}

func newWrapper(baseURL string, options ...whop.Option) (*whop.Client, error) {
	return whop.NewClient(append([]whop.Option{
		whop.WithAPIKey(apiKey), whop.WithBaseURL(baseURL), whop.WithAttemptTimeout(attemptTimeout),
	}, options...)...)
}

// contendBySend calls Send for each notification, without a limiter.
func contendBySend() contender {
	return bySend("Send", func(ctx context.Context, c *whop.Client, n whop.Notification) error {
		_, err := c.Send(ctx, n)
		return err
	})
}

// contendBySendAgain also does once what the error advises: where the outcome is unknown,
// it sends again under the same key. If that fails, the first is as much in doubt as before.
func contendBySendAgain() contender {
	return bySend("Send, the unknown again with their key", func(ctx context.Context, c *whop.Client, n whop.Notification) error {
		_, err := c.Send(ctx, n)
		if failed, ok := errors.AsType[*whop.SendError](err); ok && failed.Outcome == whop.Unknown {
			if _, again := c.Send(ctx, n.WithIdempotencyKey(failed.IdempotencyKey)); again == nil {
				return nil
			}
		}
		return err
	})
}

func bySend(name string, send func(context.Context, *whop.Client, whop.Notification) error) contender {
	return contender{name, func(ctx context.Context, baseURL string, n int) (account, error) {
		c, err := newWrapper(baseURL, whop.WithLimiter(nil))
		if err != nil {
			return account{}, err
		}
		defer c.CloseIdleConnections()
		return each(n, func(i int) verdict { return verdictOn(send(ctx, c, invoiceNotification(i))) }), nil
	}}
}

// contendBySendAll passes all notifications to one SendAll, with the default limiter.
func contendBySendAll() contender {
	return contender{"SendAll", func(ctx context.Context, baseURL string, n int) (account, error) {
		c, err := newWrapper(baseURL)
		if err != nil {
			return account{}, err
		}
		defer c.CloseIdleConnections()
		said, start := make([]verdict, n), time.Now()
		for r := range c.SendAll(ctx, invoices(n), senders) {
			said[r.Index] = verdictOn(r.Err)
		}
		return account{said, time.Since(start)}, nil
	}}
}

func invoices(n int) iter.Seq[whop.Notification] {
	return func(yield func(whop.Notification) bool) {
		for i := range n {
			if !yield(invoiceNotification(i)) {
				return
			}
		}
	}
}

// contendByHand is net/http without a retry. Like Whop's SDK it takes any 2xx for success.
func contendByHand() contender {
	return contender{"net/http by hand", func(ctx context.Context, baseURL string, n int) (account, error) {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = senders
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport, Timeout: attemptTimeout}
		return each(n, func(i int) verdict {
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, baseURL+"/notifications", invoiceBody(i))
			if err != nil {
				return saidFailed
			}
			_ = setHeaders(ctx, r)
			r.Header.Del("Idempotency-Key")
			resp, err := client.Do(r)
			if err != nil {
				return saidFailed
			}
			return verdictOn(readStatus(resp))
		}), nil
	}}
}

// contendByRetryable is go-retryablehttp, which knows neither idempotency keys nor Whop's
// answers.
func contendByRetryable() contender {
	return retryable("go-retryablehttp", func(r *http.Request) { r.Header.Del("Idempotency-Key") }, readStatus)
}

// contendByCareful is go-retryablehttp by somebody who has read Whop's documentation: each
// notification has an idempotency key, and success is read from the answer.
func contendByCareful() contender {
	return retryable("go-retryablehttp, with a key", func(*http.Request) {}, readAnswer)
}

func retryable(name string, edit func(*http.Request), read func(*http.Response) error) contender {
	return contender{name, func(ctx context.Context, baseURL string, n int) (account, error) {
		c := retryablehttp.NewClient()
		c.Logger = nil
		c.RetryMax = retries
		c.HTTPClient.Timeout = attemptTimeout
		defer c.HTTPClient.CloseIdleConnections()
		return each(n, func(i int) verdict {
			r, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, baseURL+"/notifications", invoiceBody(i))
			if err != nil {
				return saidFailed
			}
			_ = setHeaders(ctx, r.Request)
			edit(r.Request)
			resp, err := c.Do(r)
			if err != nil {
				return saidFailed
			}
			return verdictOn(read(resp))
		}), nil
	}}
}

func invoiceBody(i int) io.Reader {
	body, err := json.Marshal(&gen.CompanyNotification{CompanyID: companyID, Title: title, Content: invoice(i)})
	if err != nil {
		panic(err) // it holds only strings
	}
	return bytes.NewReader(body)
}

// readStatus takes any 2xx for success.
func readStatus(resp *http.Response) error {
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}

// each calls send for 0 to n-1, senders at a time.
func each(n int, send func(i int) verdict) account {
	said, start := make([]verdict, n), time.Now()
	var next atomic.Int64
	var running sync.WaitGroup
	for range min(senders, n) {
		running.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				said[i] = send(i)
			}
		})
	}
	running.Wait()
	return account{said, time.Since(start)}
}
