package hooks

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
)

// warnings tells about raw SQL once for each place in the app, verb and list
// of tables. The text of the SQL takes no part: it may hold values.
type warnings struct {
	mutex sync.Mutex
	given map[warning]bool
}

type warning struct{ source, verb, tables string }

// maxWarnings bounds the memory. An app that gives more starts over.
const maxWarnings = 1000

func (w *warnings) warn(ctx context.Context, logger *slog.Logger, way unseen, b bypass) {
	if this := (warning{caller(), b.verb, strings.Join(b.tables(), ",")}); w.first(this) {
		logger.WarnContext(ctx, way.what+"; "+way.instead+", or set on_bypass to record or refuse it",
			"verb", this.verb, "tables", this.tables, "source", this.source)
	}
}

// warnOpaque tells about raw SQL that may write to any table.
func (w *warnings) warnOpaque(ctx context.Context, logger *slog.Logger, verb string) {
	if this := (warning{caller(), verb, ""}); w.first(this) {
		logger.WarnContext(ctx, "raw SQL runs code of the database; what it writes to audited tables leaves no event",
			"verb", verb, "source", this.source)
	}
}

// first reports whether the warning is new.
func (w *warnings) first(this warning) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.given[this] {
		return false
	}
	if w.given == nil || len(w.given) >= maxWarnings {
		w.given = map[warning]bool{}
	}
	w.given[this] = true
	return true
}

// caller returns the place in the app that called GORM.
func caller() string {
	var counters [32]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(2, counters[:])])
	for {
		frame, more := frames.Next()
		if !more || !strings.HasPrefix(frame.Function, "gorm.io/") && !strings.HasPrefix(frame.Function, "github.com/eventaudit/eventaudit/hooks.") {
			return fmt.Sprintf("%s:%d", frame.File, frame.Line)
		}
	}
}
