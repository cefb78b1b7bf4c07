package hooks

import "sync"

// texts remembers what statements of the app were turned into. The text of a
// statement says all that its other one depends on, besides what the catalog
// knows of the table and how its rows are to be had.
type texts struct {
	mutex sync.RWMutex
	known map[asked]string
}

// asked is a statement of the app. Rows says that it is run for rows of its
// own, and old that it is to return the rows before it, too.
type asked struct {
	text      string
	rows, old bool
}

// maxTexts is how many are remembered of a table, and longText is too long for
// that.
const (
	maxTexts = 256
	longText = 4 << 10
)

func (t *texts) get(of asked) (other string, ok bool) {
	t.mutex.RLock()
	defer t.mutex.RUnlock()
	other, ok = t.known[of]
	return other, ok
}

func (t *texts) put(of asked, other string) {
	if len(of.text) > longText {
		return
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.known == nil || len(t.known) == maxTexts {
		t.known = map[asked]string{}
	}
	t.known[of] = other
}
