// SPDX-License-Identifier: GPL-3.0-or-later

// Package types stands in for the types of the EC2 API that Traefik names.
package types

// InstanceStateName says what an instance does.
type InstanceStateName string

// InstanceStateNameRunning is the one state that counts.
const InstanceStateNameRunning InstanceStateName = "running"

// InstanceState is an instance's.
type InstanceState struct{ Name InstanceStateName }

// Reservation holds instances; no call returns one.
type Reservation struct{ Instances []Instance }

// Instance has a name, an address and a state.
type Instance struct {
	InstanceId       *string
	PrivateIpAddress *string
	State            *InstanceState
}
