// SPDX-License-Identifier: GPL-3.0-or-later

// Package v20170312 stands in for the cloud provider's SDK: the types that flannel's tencent-vpc backend names, and
// calls that all fail with ErrLeftOut.
package v20170312

import "errors"

// ErrLeftOut is what every call returns.
var ErrLeftOut = errors.New("this flannel is built without the tencent-vpc backend")

type Filter struct {
	Name   *string
	Values []*string
}

type Route struct {
	DestinationCidrBlock, GatewayType, GatewayId, RouteType *string
	RouteId                                                 *uint64
	Enabled                                                 *bool
}

type RouteTable struct {
	RouteTableId *string
	RouteSet     []*Route
}

type DescribeRouteTablesRequest struct{ Filters []*Filter }

type DescribeRouteTablesResponse struct {
	Response *struct{ RouteTableSet []*RouteTable }
}

type CreateRoutesRequest struct {
	RouteTableId *string
	Routes       []*Route
}

type DeleteRoutesRequest CreateRoutesRequest

type Response struct{}

type Client struct{}

func NewClientWithSecretId(_, _, _ string) (*Client, error) { return &Client{}, ErrLeftOut }

func NewDescribeRouteTablesRequest() *DescribeRouteTablesRequest {
	return &DescribeRouteTablesRequest{}
}

func NewCreateRoutesRequest() *CreateRoutesRequest { return &CreateRoutesRequest{} }

func NewDeleteRoutesRequest() *DeleteRoutesRequest { return &DeleteRoutesRequest{} }

func (*Client) DescribeRouteTables(*DescribeRouteTablesRequest) (*DescribeRouteTablesResponse, error) {
	return nil, ErrLeftOut
}

func (*Client) CreateRoutes(*CreateRoutesRequest) (*Response, error) { return nil, ErrLeftOut }

func (*Client) DeleteRoutes(*DeleteRoutesRequest) (*Response, error) { return nil, ErrLeftOut }
