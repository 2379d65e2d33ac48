// SPDX-License-Identifier: GPL-3.0-or-later

// Package ec2 stands in for the EC2 API of the cloud provider's SDK, which only Felix's setting awsSrcDstCheck uses: just
// what Felix needs to compile, and calls that fail with ErrLeftOut.
package ec2

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// ErrLeftOut is what every call returns.
var ErrLeftOut = errors.New("this Felix is built without the EC2 API, which awsSrcDstCheck needs")

type Options struct{ Region string }

type Client struct{}

type DescribeInstancesInput struct{ InstanceIds []string }

type DescribeInstancesOutput struct{ Reservations []types.Reservation }

type ModifyNetworkInterfaceAttributeInput struct {
	NetworkInterfaceId *string
	SourceDestCheck    *types.AttributeBooleanValue
}

type ModifyNetworkInterfaceAttributeOutput struct{}

func NewFromConfig(_ any, _ ...func(*Options)) *Client { return &Client{} }

func (*Client) DescribeInstances(
	context.Context, *DescribeInstancesInput, ...func(*Options),
) (*DescribeInstancesOutput, error) {
	return nil, ErrLeftOut
}

func (*Client) ModifyNetworkInterfaceAttribute(
	context.Context, *ModifyNetworkInterfaceAttributeInput, ...func(*Options),
) (*ModifyNetworkInterfaceAttributeOutput, error) {
	return nil, ErrLeftOut
}
