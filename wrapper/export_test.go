package wrapper

// NewTransport makes what clients without a transport of their own share, for tests that
// have to trust a server of theirs.
var NewTransport = newTransport
