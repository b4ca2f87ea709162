package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionLine is "whop-notify v1.2.3 (go1.26.8 linux/amd64)".
func versionLine() string {
	return fmt.Sprintf("whop-notify %s (%s %s/%s)", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// version is that of the module the program was built from, "devel" in a work tree.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
