//go:build race

package main_test

// raceFlags build the command with the race detector if its tests run with it.
var raceFlags = []string{"-race"}
