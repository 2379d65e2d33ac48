// SPDX-License-Identifier: GPL-3.0-or-later

// Package certcrypto has the kinds of keys that could be asked for.
package certcrypto

// KeyType is one.
type KeyType string

// Those that Traefik names.
const (
	EC256   KeyType = "EC256"
	EC384   KeyType = "EC384"
	RSA2048 KeyType = "RSA2048"
	RSA4096 KeyType = "RSA4096"
	RSA8192 KeyType = "RSA8192"
)
