package inbox

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// guard lets in whoever has the key or, where there is none, programs of this machine. Of
// web pages it lets in the inbox's own alone.
func (in *inbox) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Referrer-Policy", "no-referrer")
		switch {
		case in.Key == "" && !in.ownHost(r.Host):
			refuse(w, http.StatusForbidden, "The host of the address must be localhost or a loopback IP address, or the one of --addr.")
		case in.Key != "" && !in.hasKey(r):
			header.Set("WWW-Authenticate", `Basic realm="whop-notify", charset="UTF-8"`)
			refuse(w, http.StatusUnauthorized, "Give the key as a bearer token, or as the password of basic authentication.")
		case in.foreign(r):
			refuse(w, http.StatusForbidden, "Web pages of other origins have no access.")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// foreign reports whether a web page of another origin makes the request. What is no
// browser says nothing of origins.
func (in *inbox) foreign(r *http.Request) bool {
	if r.URL.Path == "/" {
		return false // the page has nothing of a notification: anybody may link to it
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return true
	}
	return in.origin.Check(r) != nil
}

func (in *inbox) ownHost(hostport string) bool {
	host := hostport
	if name, _, err := net.SplitHostPort(hostport); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().IsLoopback() {
		return true
	}
	return strings.EqualFold(host, "localhost") || in.Host != "" && strings.EqualFold(host, in.Host)
}

func (in *inbox) hasKey(r *http.Request) bool {
	_, given, basic := r.BasicAuth()
	if !basic {
		var scheme string
		if scheme, given, _ = strings.Cut(r.Header.Get("Authorization"), " "); !strings.EqualFold(scheme, "Bearer") {
			return false
		}
	}
	return subtle.ConstantTimeCompare([]byte(given), []byte(in.Key)) == 1
}
