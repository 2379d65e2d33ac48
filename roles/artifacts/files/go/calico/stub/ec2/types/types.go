// SPDX-License-Identifier: GPL-3.0-or-later

// Package types stands in for the types of the EC2 API that Felix names.
package types

// AttributeBooleanValue is a switch of an interface.
type AttributeBooleanValue struct{ Value *bool }

// Reservation holds instances; no call returns one.
type Reservation struct{ Instances []Instance }

// Instance has interfaces.
type Instance struct{ NetworkInterfaces []InstanceNetworkInterface }

// InstanceNetworkInterface may be attached to its instance.
type InstanceNetworkInterface struct {
	NetworkInterfaceId *string
	Attachment         *InstanceNetworkInterfaceAttachment
}

// InstanceNetworkInterfaceAttachment says as which device an interface is attached.
type InstanceNetworkInterfaceAttachment struct{ DeviceIndex *int32 }
