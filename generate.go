// Package whopnotify holds the contract that the module is generated from: the
// OpenAPI specification of Whop's POST /notifications. Programs import
// [github.com/whopnotify/whopnotify/wrapper].
package whopnotify

import _ "embed"

//go:generate go tool oapi-codegen -config oapi-codegen.yaml openapi.yml

// Spec is openapi.yml: the specification as Whop published it, byte for byte.
//
//go:embed openapi.yml
var Spec []byte
