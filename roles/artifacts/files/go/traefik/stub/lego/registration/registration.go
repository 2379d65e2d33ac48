// SPDX-License-Identifier: GPL-3.0-or-later

// Package registration would make an account.
package registration

import (
	"context"
	"errors"

	"github.com/go-acme/lego/v5/acme"
)

var errLeftOut = errors.New("this Traefik is built without ACME")

type RegisterOptions struct{ TermsOfServiceAgreed bool }

type RegisterEABOptions struct {
	TermsOfServiceAgreed bool
	Kid                  string
	HmacEncoded          string
}

type Registrar struct{}

func (*Registrar) Register(context.Context, RegisterOptions) (*acme.ExtendedAccount, error) {
	return nil, errLeftOut
}

func (*Registrar) RegisterWithExternalAccountBinding(
	context.Context, RegisterEABOptions,
) (*acme.ExtendedAccount, error) {
	return nil, errLeftOut
}
