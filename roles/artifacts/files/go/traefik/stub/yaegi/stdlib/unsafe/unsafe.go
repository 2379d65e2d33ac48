// SPDX-License-Identifier: GPL-3.0-or-later

// Package unsafe stands in for the names of unsafe that plugins may use.
package unsafe

import "reflect"

// Symbols are none.
var Symbols map[string]map[string]reflect.Value
