//go:build !unix

package main

func crashByAbort() {}
