package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/whopnotify/whopnotify/gen"
	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/bench/oas"
)

// client is one way to send notifications.
type client struct {
	name string
	send func(context.Context) error
	all  *whop.Client // sends by SendAll, in place of send
}

func (c client) sender(ctx context.Context, workers *crew) sender {
	if c.all != nil {
		return sendAllSender(ctx, c.all, workers.size)
	}
	return workers.sender(ctx, c.send)
}

// clients returns all that are compared, by hand first. By hand comes twice: how far the
// second is from the first is how far the figures can be trusted.
func clients(baseURL string, transport http.RoundTripper) ([]client, error) {
	httpClient := &http.Client{Transport: transport}
	url := baseURL + "/notifications"
	hand := func(ctx context.Context) error { return byHand(ctx, httpClient, url) }
	wrapper, err := whop.NewClient(
		whop.WithAPIKey(apiKey), whop.WithBaseURL(baseURL), whop.WithHTTPClient(httpClient), whop.WithLimiter(nil),
	)
	if err != nil {
		return nil, err
	}
	generated, err := byGenerated(baseURL, httpClient)
	if err != nil {
		return nil, err
	}
	ogen, err := byOgen(baseURL, httpClient)
	if err != nil {
		return nil, err
	}
	return []client{
		{name: "by hand", send: hand},
		{name: "by hand again", send: hand},
		{name: "generated", send: generated},
		{name: "Send", send: func(ctx context.Context) error {
			_, err := wrapper.Send(ctx, notification())
			return err
		}},
		{name: "SendAll", all: wrapper},
		{name: "ogen", send: ogen},
		{name: "go-retryablehttp", send: byRetryable(url, httpClient)},
	}, nil
}

func notification() whop.Notification {
	return whop.ToCompany(companyID, whop.Message{Title: title, Content: content})
}

// notifications returns n of them.
func notifications(n int) iter.Seq[whop.Notification] {
	return func(yield func(whop.Notification) bool) {
		for range n {
			if !yield(notification()) {
				return
			}
		}
	}
}

// byGenerated is gen's client without wrapper.
func byGenerated(baseURL string, httpClient *http.Client) (func(context.Context) error, error) {
	c, err := gen.NewClientWithResponses(baseURL, gen.WithHTTPClient(httpClient), gen.WithRequestEditorFn(setHeaders))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		var body gen.CreateNotificationJSONRequestBody
		err := body.FromCreateNotificationJSONBody0(gen.CompanyNotification{CompanyID: companyID, Title: title, Content: content})
		if err != nil {
			return err
		}
		resp, err := c.CreateNotificationWithResponse(ctx, body)
		if err != nil {
			return err
		}
		if ok := resp.JSON200; ok == nil || !ok.Success {
			return fmt.Errorf("not queued: %s", resp.Status())
		}
		return nil
	}, nil
}

type bearer struct{}

func (bearer) BearerAuth(context.Context, oas.OperationName) (oas.BearerAuth, error) {
	return oas.BearerAuth{Token: apiKey}, nil
}

// byOgen is the client that ogen generates from the same specification.
func byOgen(baseURL string, httpClient *http.Client) (func(context.Context) error, error) {
	c, err := oas.NewClient(baseURL, bearer{}, oas.WithClient(httpClient), oas.WithRequestEditor(setHeaders))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		resp, err := c.CreateNotification(ctx, &oas.CreateNotificationReq{
			OneOf: oas.NewCreateNotificationReqSum0CreateNotificationReqSum(
				oas.CreateNotificationReqSum0{CompanyID: companyID, Title: title, Content: content},
			),
		})
		if err != nil {
			return err
		}
		if ok, is200 := resp.(*oas.CreateNotificationOK); !is200 || !ok.Success {
			return fmt.Errorf("not queued: %T", resp)
		}
		return nil
	}, nil
}

// byRetryable is by hand, but for the client that retries.
func byRetryable(url string, httpClient *http.Client) func(context.Context) error {
	c := retryablehttp.NewClient()
	c.HTTPClient = httpClient
	c.Logger = nil
	return func(ctx context.Context) error {
		body, err := json.Marshal(&gen.CompanyNotification{CompanyID: companyID, Title: title, Content: content})
		if err != nil {
			return err
		}
		r, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		if err := setHeaders(ctx, r.Request); err != nil {
			return err
		}
		resp, err := c.Do(r)
		if err != nil {
			return err
		}
		return readAnswer(resp)
	}
}
