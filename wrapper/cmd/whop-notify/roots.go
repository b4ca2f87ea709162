package main

// The root certificates of Mozilla, for where the system has none, as in an image from scratch.
// Those of the system, SSL_CERT_FILE and SSL_CERT_DIR come first.
import _ "golang.org/x/crypto/x509roots/fallback"
