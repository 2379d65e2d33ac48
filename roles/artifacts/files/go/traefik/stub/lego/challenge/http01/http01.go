// SPDX-License-Identifier: GPL-3.0-or-later

// Package http01 has the settings of a challenge by HTTP.
package http01

import "time"

// PathPrefix is where an authority would ask (RFC 8555, 8.3); Traefik answers 404 there, as it knows of no challenge.
const PathPrefix = "/.well-known/acme-challenge/"

func SetDelay(time.Duration) func() { return func() {} }
