// SPDX-License-Identifier: GPL-3.0-or-later

// Package dns01 has the settings of a challenge by DNS, and the one function of it that Traefik uses elsewhere.
package dns01

import (
	"strings"
	"time"
)

type Options struct{ RecursiveNameservers []string }

type Client struct{}

type ChallengeOption func()

func NewClient(*Options) *Client { return &Client{} }

func SetDefaultClient(*Client) {}

func CondOptions(bool, ...ChallengeOption) ChallengeOption { return func() {} }

func DisableAuthoritativeNssPropagationRequirement() ChallengeOption { return func() {} }

func DisableRecursiveNSsPropagationRequirement() ChallengeOption { return func() {} }

func PropagationWait(time.Duration, bool) ChallengeOption { return func() {} }

// UnFqdn is a name without a dot at its end.
func UnFqdn(name string) string { return strings.TrimSuffix(name, ".") }
