// SPDX-License-Identifier: GPL-3.0-or-later

// Package ext stands in for what another edition of Traefik adds to its configuration: nothing.
package ext

// HTTP is added to the configuration of HTTP.
type HTTP struct{}

// Router is added to that of a router.
type Router struct{}
