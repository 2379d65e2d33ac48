// SPDX-License-Identifier: GPL-3.0-or-later

// Package types stands in for the types of the Systems Manager that Traefik names.
package types

// InstanceInformationStringFilter chooses instances.
type InstanceInformationStringFilter struct {
	Key    *string
	Values []string
}

// InstanceInformation has a name and an address; no call returns one.
type InstanceInformation struct {
	InstanceId *string
	IPAddress  *string
}
