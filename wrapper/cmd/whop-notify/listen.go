package main

import (
	"errors"
	"fmt"
	"net"
)

// checkAddress refuses what is not HOST:PORT, and returns the host.
func checkAddress(flag, address, example string) (host string, err error) {
	host, _, err = net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("%s %q is not HOST:PORT, as in %s", flag, address, example)
	}
	return host, nil
}

// listen listens at the address of a flag. Its error says which exit code is due.
func listen(flag, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if _, wrong := errors.AsType[*net.AddrError](err); wrong {
		return nil, usageError(fmt.Errorf("%s: %w", flag, err), "")
	}
	if err != nil {
		return nil, &exitError{code: exitNot, err: err, hint: "Choose another address with " + flag + "; 127.0.0.1:0 picks a free port."}
	}
	return listener, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
