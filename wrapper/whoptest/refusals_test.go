package whoptest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func TestBearerAuthentication(t *testing.T) {
	server := whoptest.NewServer(t)
	server.SetAPIKey("key-of-the-company")
	for authorization, status := range map[string]int{
		"":                           401,
		"Bearer":                     401,
		"Bearer ":                    401,
		"Bearer another-key":         401,
		"Bearer key-of-the-company2": 401,
		"Basic key-of-the-company":   401,
		"key-of-the-company":         401,
		"Bearer key-of-the-company":  200,
		"bearer key-of-the-company":  200,
	} {
		a := exchange{body: toCompany, header: header("Authorization", authorization)}.do(t, server)
		assert.Equal(t, status, a.status, "%q", authorization)
		if status == http.StatusUnauthorized {
			assert.Equal(t, "unauthorized", a.apiError(t).Type)
			assert.NotEmpty(t, a.apiError(t).Message)
		}
	}
	assert.Len(t, server.Queued(), 2)
}

func TestContentTypes(t *testing.T) {
	server := whoptest.NewServer(t)
	for contentType, status := range map[string]int{
		"application/json":                200,
		"application/json; charset=utf-8": 200,
		"Application/JSON":                200,
		"application/jsonp":               400,
		"application/json-patch+json":     400,
		"text/plain":                      400,
		"":                                400,
	} {
		a := exchange{body: toCompany, header: header("Content-Type", contentType)}.do(t, server)
		assert.Equal(t, status, a.status, "%q", contentType)
		if status == http.StatusBadRequest {
			assert.Equal(t, "Content-Type", a.apiError(t).Param)
		}
	}
	assert.Len(t, server.Queued(), 3)
}

func TestOtherOperations(t *testing.T) {
	server := whoptest.NewServer(t)
	for _, path := range []string{"/", "/notification", "/notifications/", "/notifications/1", "/payments"} {
		exchange{path: path, body: toCompany}.fails(t, server, 404, "")
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		exchange{method: method, body: toCompany}.fails(t, server, 405, "")
	}
	assert.Empty(t, server.Queued())
	assert.Len(t, server.Requests(), 9)
}

func TestBodySizes(t *testing.T) {
	server := whoptest.NewServer(t)
	exchange{body: toCompany + strings.Repeat(" ", 32<<20)}.fails(t, server, 413, "")
	assert.Empty(t, server.Queued())

	large := exchange{body: toCompany + strings.Repeat(" ", 8<<20)}.do(t, server)
	assert.Equal(t, 200, large.status, "large is not absurd")
}
