// SPDX-License-Identifier: GPL-3.0-or-later

// Package acme has an account as it would be kept in a file.
package acme

// Account is what an authority says of one.
type Account struct{}

// ExtendedAccount says where it is, too.
type ExtendedAccount struct {
	Account
	Location string
}
