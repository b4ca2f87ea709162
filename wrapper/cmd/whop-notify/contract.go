package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/pflag"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// contract says where requests go, and in which version of the API. Whop recognizes a repeated
// request only if both are the same.
type contract struct {
	BaseURL    string `json:"base_url"`
	APIVersion string `json:"api_version"` // "": that of the key
}

func (contract) named(version string) string {
	if version == "" {
		return "none"
	}
	return version
}

// contract reads it from a request that the client builds but does not send.
func (f *clientFlags) contract(flags *pflag.FlagSet) (contract, error) {
	opts, err := f.options(flags)
	if err != nil {
		return contract{}, err
	}
	var transport recorder
	client, err := whop.NewClient(append(opts, transport.options()...)...)
	if err != nil {
		return contract{}, err
	}
	if _, err := client.Send(context.Background(), whop.ToCompany("biz_1", whop.Message{Title: "T", Content: "C"})); err != nil {
		return contract{}, err
	}
	if transport.seen == nil {
		return contract{}, errors.New("the request could not be built")
	}
	return contract{BaseURL: strings.TrimSuffix(transport.seen.URL, "/notifications"), APIVersion: transport.seen.header("Api-Version-Date")}, nil
}
