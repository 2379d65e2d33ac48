// SPDX-License-Identifier: GPL-3.0-or-later

// Package common stands in for process-exporter, by which the controller's metrics tell of nginx's processes: the release
// that it wants is not in Go's checksum database and does not compile with Kubernetes' libraries.
package common

import "fmt"

type ProcAttributes struct{ Cmdline []string }

type MatchNamer interface {
	MatchAndName(ProcAttributes) (bool, string)
	fmt.Stringer
}
