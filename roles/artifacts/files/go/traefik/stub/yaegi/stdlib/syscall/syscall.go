// SPDX-License-Identifier: GPL-3.0-or-later

// Package syscall stands in for the names of syscall that plugins may use.
package syscall

import "reflect"

// Symbols are none.
var Symbols map[string]map[string]reflect.Value
