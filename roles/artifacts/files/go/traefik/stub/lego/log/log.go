// SPDX-License-Identifier: GPL-3.0-or-later

// Package log would write what the client does.
package log

import "log/slog"

func SetDefault(*slog.Logger) {}
