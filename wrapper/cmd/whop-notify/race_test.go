//go:build race

package main_test

// raceFlags give a command the race detector that its tests run with.
var raceFlags = []string{"-race"}
