package export

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/eventaudit/eventaudit/event"
)

// Format is a file format that exporters are made of.
type Format struct {
	// MediaType is what HTTP calls it, for example "text/csv; charset=utf-8".
	MediaType string
	// New returns an exporter with these options.
	New func(Options) Exporter
}

var registry = struct {
	mutex   sync.RWMutex
	formats map[string]Format
}{formats: map[string]Format{
	"csv":   {"text/csv; charset=utf-8", func(o Options) Exporter { return CSV{o} }},
	"tsv":   {"text/tab-separated-values; charset=utf-8", func(o Options) Exporter { return TSV{o} }},
	"json":  {"application/json", func(o Options) Exporter { return JSON{o} }},
	"jsonl": {"application/jsonl", func(o Options) Exporter { return JSONLines{o} }},
}}

// Register makes a format known under its name, which is also the extension of
// its files. It panics when the name is empty or taken or New is nil, as
// database/sql does for drivers. It is safe for concurrent use.
func Register(name string, format Format) {
	registry.mutex.Lock()
	defer registry.mutex.Unlock()
	_, taken := registry.formats[name]
	switch {
	case name == "":
		panic("export: Register with an empty name")
	case format.New == nil:
		panic("export: Register of " + name + " without New")
	case taken:
		panic("export: Register called twice for " + name)
	}
	registry.formats[name] = format
}

// Lookup returns the format of that name: csv, tsv, json, jsonl, or one that
// was registered. The error is a *event.FieldError that lists the names.
func Lookup(name string) (Format, error) {
	registry.mutex.RLock()
	format, ok := registry.formats[name]
	registry.mutex.RUnlock()
	if !ok {
		return Format{}, &event.FieldError{
			Field: "format", Value: name,
			Reason: fmt.Sprintf("is unknown; use one of %s%s", strings.Join(Names(), ", "), missingImport(name)),
		}
	}
	return format, nil
}

func missingImport(name string) string {
	if name != "xlsx" {
		return ""
	}
	return `, or import _ "github.com/eventaudit/eventaudit/export/xlsx"`
}

// Names returns the names of all formats, sorted.
func Names() []string {
	registry.mutex.RLock()
	defer registry.mutex.RUnlock()
	return slices.Sorted(maps.Keys(registry.formats))
}
