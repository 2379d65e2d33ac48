// SPDX-License-Identifier: GPL-3.0-or-later

// Package auth is go-http-auth as it is published, with the one method that Traefik's fork adds to it.
package auth

import (
	"net/http"
	"strings"

	published "reftopo.lab/artifacts/http-auth"
)

// BasicAuth and what belongs to it are the published ones.
type BasicAuth = published.BasicAuth

// SecretProvider looks a user's secret up.
type SecretProvider = published.SecretProvider

// CheckSecret and DigestAuthParams are the published ones.
var (
	CheckSecret      = published.CheckSecret
	DigestAuthParams = published.DigestAuthParams
)

// DigestAuth is the published one, and can say that a nonce is too old.
type DigestAuth struct{ *published.DigestAuth }

// NewDigestAuthenticator makes one.
func NewDigestAuthenticator(realm string, secrets SecretProvider) *DigestAuth {
	return &DigestAuth{published.NewDigestAuthenticator(realm, secrets)}
}

// RequireAuthStale asks anew, and says that it was the nonce and not the password (RFC 7616, 3.3).
func (a *DigestAuth) RequireAuthStale(w http.ResponseWriter, r *http.Request) {
	a.RequireAuth(&stale{w}, r)
}

// stale adds its word to the question on its way out.
type stale struct{ http.ResponseWriter }

// WriteHeader adds it.
func (s *stale) WriteHeader(status int) {
	for name, values := range s.Header() {
		if strings.HasSuffix(name, "-Authenticate") && len(values) == 1 {
			s.Header().Set(name, values[0]+`, stale=true`)
		}
	}
	s.ResponseWriter.WriteHeader(status)
}
