package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"

	"github.com/google/uuid"

	"github.com/whopnotify/whopnotify/gen"
	whop "github.com/whopnotify/whopnotify/wrapper"
)

// What every client sends.
const (
	apiKey    = "apik_test_0123456789"
	companyID = "biz_1"
	title     = "Paid"
	content   = "Invoice 7 is paid"
)

var agent = "whopnotify/devel (" + runtime.Version() + ")" // as wrapper's own in this build

// setHeaders sets the headers that wrapper sends.
func setHeaders(_ context.Context, r *http.Request) error {
	r.Header.Set("Authorization", "Bearer "+apiKey)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Api-Version-Date", whop.DefaultAPIVersion)
	r.Header.Set("User-Agent", agent)
	r.Header.Set("Idempotency-Key", uuid.NewString())
	return nil
}

// byHand sends one notification as one would without any client for it.
func byHand(ctx context.Context, client *http.Client, url string) error {
	body, err := json.Marshal(&gen.CompanyNotification{CompanyID: companyID, Title: title, Content: content})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if err := setHeaders(ctx, r); err != nil {
		return err
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	return readAnswer(resp)
}

func readAnswer(resp *http.Response) error {
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	var body gen.SuccessResponse
	if err := json.Unmarshal(answer, &body); err != nil {
		return err
	}
	if !body.Success {
		return errors.New("not queued")
	}
	return nil
}
