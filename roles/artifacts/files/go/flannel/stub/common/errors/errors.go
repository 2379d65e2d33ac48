// SPDX-License-Identifier: GPL-3.0-or-later

// Package errors stands in for the error type of the cloud provider's SDK.
package errors

// TencentCloudSDKError is the type that flannel tests errors for; nothing here returns one.
type TencentCloudSDKError struct{}

func (*TencentCloudSDKError) Error() string { return "cloud provider error" }
