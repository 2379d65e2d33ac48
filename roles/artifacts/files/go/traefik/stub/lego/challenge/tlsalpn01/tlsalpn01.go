// SPDX-License-Identifier: GPL-3.0-or-later

// Package tlsalpn01 has the settings of a challenge by TLS.
package tlsalpn01

import (
	"errors"
	"time"
)

// ACMETLS1Protocol is the protocol of TLS that an authority would ask for (RFC 8737); Traefik knows no certificate for it.
const ACMETLS1Protocol = "acme-tls/1"

func ChallengeBlocks(string, string) ([]byte, []byte, error) {
	return nil, nil, errors.New("this Traefik is built without ACME")
}

func SetDelay(time.Duration) func() { return func() {} }
