// SPDX-License-Identifier: GPL-3.0-or-later

// Package ssm stands in for the Systems Manager of a cloud provider's SDK, which only Traefik's provider ecs uses: just
// what that needs to compile, and calls that fail with ErrLeftOut.
package ssm

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// ErrLeftOut is what every call returns.
var ErrLeftOut = errors.New("this Traefik is built without the Systems Manager, which its provider ecs needs")

type Client struct{}

type DescribeInstanceInformationInput struct {
	Filters []types.InstanceInformationStringFilter
}

type DescribeInstanceInformationOutput struct {
	InstanceInformationList []types.InstanceInformation
}

type DescribeInstanceInformationPaginator struct{}

func NewFromConfig(any) *Client { return &Client{} }

func NewDescribeInstanceInformationPaginator(
	*Client, *DescribeInstanceInformationInput,
) *DescribeInstanceInformationPaginator {
	return &DescribeInstanceInformationPaginator{}
}

func (*DescribeInstanceInformationPaginator) HasMorePages() bool { return true }

func (*DescribeInstanceInformationPaginator) NextPage(context.Context) (*DescribeInstanceInformationOutput, error) {
	return nil, ErrLeftOut
}
