// Package whopnotify holds the contracts that the module is generated from: two OpenAPI
// specifications of Whop's POST /notifications, the vendored one and the one that Whop
// serves today. Programs import [github.com/whopnotify/whopnotify/wrapper].
package whopnotify

import _ "embed"

//go:generate env GOWORK=off go tool oapi-codegen -config oapi-codegen.yaml openapi.yml
//go:generate env GOWORK=off go tool oapi-codegen -config gen/current/oapi-codegen.yaml gen/current/openapi.yml

// Spec is openapi.yml: the vendored specification as Whop published it, byte for byte.
// Package gen is generated from it.
//
//go:embed openapi.yml
var Spec []byte

// CurrentSpec is gen/current/openapi.yml: the contract that Whop serves today, with a
// comment on top that states its origin. Package gen/current is generated from it.
//
//go:embed gen/current/openapi.yml
var CurrentSpec []byte
