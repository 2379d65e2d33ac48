// SPDX-License-Identifier: GPL-3.0-or-later

// Package challenge has what would show an authority that a name is ours.
package challenge

import (
	"context"
	"errors"
)

var errLeftOut = errors.New("this Traefik is built without ACME")

// Provider answers challenges; Traefik has two of its own.
type Provider interface {
	Present(ctx context.Context, domain, token, keyAuth string) error
	CleanUp(ctx context.Context, domain, token, keyAuth string) error
}

type Manager struct{}

func (*Manager) SetHTTP01Provider(Provider, ...any) error { return errLeftOut }

func (*Manager) SetTLSALPN01Provider(Provider, ...any) error { return errLeftOut }

func (*Manager) SetDNS01Provider(Provider, ...any) error { return errLeftOut }
