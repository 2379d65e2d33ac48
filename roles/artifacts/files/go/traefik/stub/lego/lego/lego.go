// SPDX-License-Identifier: GPL-3.0-or-later

// Package lego stands in for the client of ACME (RFC 8555) by which Traefik asks an authority for certificates: just what
// Traefik needs to compile, and a client that cannot be made. Certificates from Secrets have nothing to do with it.
package lego

import (
	"crypto/x509"
	"errors"
	"net/http"
	"time"

	"github.com/go-acme/lego/v5/certificate"
	"github.com/go-acme/lego/v5/challenge"
	"github.com/go-acme/lego/v5/registration"
)

// ErrLeftOut is what every call returns.
var ErrLeftOut = errors.New("this Traefik is built without ACME: its certificates are those of Secrets")

// DirectoryURLLetsEncrypt would be asked.
const DirectoryURLLetsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

type CertificateConfig struct{ Timeout time.Duration }

type Config struct {
	CADirURL    string
	UserAgent   string
	Certificate CertificateConfig
	HTTPClient  *http.Client
}

type Client struct {
	Challenge    *challenge.Manager
	Certificate  *certificate.Certifier
	Registration *registration.Registrar
}

func NewConfig(any) *Config { return &Config{} }

func NewClient(*Config) (*Client, error) { return nil, ErrLeftOut }

func CreateCertPool([]string, bool) (*x509.CertPool, error) { return nil, ErrLeftOut }
