// SPDX-License-Identifier: GPL-3.0-or-later

// Package stdlib stands in for the names of the standard library that plugins may use.
package stdlib

import "reflect"

// Symbols are none.
var Symbols map[string]map[string]reflect.Value
