package main

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// watched is a contract that the module keeps, and where Whop publishes it.
type watched struct {
	name      string
	file      string
	sources   []string // the first that can be read is compared
	generated bool     // Go is generated from it
	origin    bool     // its first lines say where it is from
}

// contracts are all that are watched. Whop's stable document is neither of the two that Go is
// generated from: it is compared with its own last state, as it may show first what comes.
var contracts = []watched{
	{
		name: "vendored", file: "openapi.yml", generated: true,
		sources: []string{"https://app.stainless.com/api/spec/documented/whopsdk/openapi.documented.yml"},
	},
	{
		name: "current", file: "gen/current/openapi.yml", generated: true, origin: true,
		sources: []string{"https://docs.whop.com/openapi/api-v1-native.json", "https://api.whop.com/openapi.json"},
	},
	{
		name: "stable", file: "gen/specsync/seen/api-v1-stable.json",
		sources: []string{"https://docs.whop.com/openapi/api-v1-stable.json"},
	},
}

func contractNamed(name string) (watched, error) {
	var names []string
	for _, c := range contracts {
		if c.name == name {
			return c, nil
		}
		names = append(names, c.name)
	}
	return watched{}, fmt.Errorf("--contract %q is none of %s", name, strings.Join(names, ", "))
}

// withOrigin is text with a line at its top that says where it is from, in the place of
// what its file said of that before.
func (w watched) withOrigin(text []byte, source string) []byte {
	if !w.origin {
		return text
	}
	if u, err := url.Parse(source); err == nil && u.Host != "" {
		u.User, u.RawQuery, u.Fragment = nil, "", ""
		source = u.String()
	} else {
		source = filepath.Base(source)
	}
	return append(fmt.Appendf(nil, "# %s in the contract that Whop serves today, with what it refers to.\n"+
		"# Origin: taken over by specsync from %s, as published there.\n", operationName, printable(source)), text...)
}
