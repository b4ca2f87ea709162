package inbox

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
)

// page has its style and script within it. What came with a request reaches it as JSON, and
// its script shows it as text.
//
//go:embed page.html
var page []byte

// policy lets nothing run but the page's own script, and reach nothing but the inbox. Trusted
// Types make the browser refuse to read text as HTML.
var policy = "default-src 'none'; script-src " + digest("script") + "; style-src " + digest("style") +
	"; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" +
	"; require-trusted-types-for 'script'; trusted-types 'none'"

// digest is the source expression of the page's only element of that name.
func digest(element string) string {
	_, rest, _ := bytes.Cut(page, []byte("<"+element+">"))
	content, _, _ := bytes.Cut(rest, []byte("</"+element+">"))
	sum := sha256.Sum256(content)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func (in *inbox) page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	_, _ = w.Write(page)
}
