// SPDX-License-Identifier: GPL-3.0-or-later

// Package common stands in for the cloud provider's SDK, which only flannel's tencent-vpc backend uses. It holds just
// what that backend needs to compile; the backend itself fails with vpc.ErrLeftOut.
package common

// StringPtr returns a pointer to s.
func StringPtr(s string) *string { return &s }

// BoolPtr returns a pointer to b.
func BoolPtr(b bool) *bool { return &b }

// StringPtrs returns a pointer to each of values.
func StringPtrs(values []string) []*string {
	pointers := make([]*string, len(values))
	for i := range values {
		pointers[i] = &values[i]
	}
	return pointers
}
