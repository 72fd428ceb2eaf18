// Package presets holds example presets, one file per model.
package presets

import "embed"

// Files holds the examples, named after their models.
//
//go:embed *.schema
var Files embed.FS
