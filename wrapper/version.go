package wrapper

import (
	"runtime"
	"runtime/debug"
	"slices"
)

const modulePath = "github.com/whopnotify/whopnotify"

// userAgent is "product whopnotify/v1.2.3 (go1.26.8)".
func userAgent(product string) string {
	ua := "whopnotify/" + moduleVersion() + " (" + runtime.Version() + ")"
	if product != "" {
		ua = product + " " + ua
	}
	return ua
}

// moduleVersion is the version that the program was built with, "devel" if it was
// built from a work tree.
func moduleVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	for _, m := range slices.Concat(info.Deps, []*debug.Module{&info.Main}) {
		if m.Path != modulePath {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		if m.Version != "" && m.Version != "(devel)" {
			return m.Version
		}
	}
	return "devel"
}
