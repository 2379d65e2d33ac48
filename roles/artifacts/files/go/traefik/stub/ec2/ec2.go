// SPDX-License-Identifier: GPL-3.0-or-later

// Package ec2 stands in for the EC2 API of a cloud provider's SDK, which only Traefik's provider ecs uses: just what that
// needs to compile, and calls that fail with ErrLeftOut.
package ec2

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// ErrLeftOut is what every call returns.
var ErrLeftOut = errors.New("this Traefik is built without the EC2 API, which its provider ecs needs")

type Client struct{}

type DescribeInstancesInput struct{ InstanceIds []string }

type DescribeInstancesOutput struct{ Reservations []types.Reservation }

type DescribeInstancesPaginator struct{}

func NewFromConfig(any) *Client { return &Client{} }

func NewDescribeInstancesPaginator(*Client, *DescribeInstancesInput) *DescribeInstancesPaginator {
	return &DescribeInstancesPaginator{}
}

func (*DescribeInstancesPaginator) HasMorePages() bool { return true }

func (*DescribeInstancesPaginator) NextPage(context.Context) (*DescribeInstancesOutput, error) {
	return nil, ErrLeftOut
}
