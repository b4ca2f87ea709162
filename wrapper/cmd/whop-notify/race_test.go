//go:build race

package main_test

// buildFlags give the command the race detector that its tests run with.
var buildFlags = []string{"-race"}
