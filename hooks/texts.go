package hooks

import "sync"

// texts remembers what statements of the app were turned into. The text of a
// statement says all that its other one depends on, besides what the catalog
// knows of the table.
type texts struct {
	mutex sync.RWMutex
	known map[string]string
}

// maxTexts is how many are remembered of a table, and longText is too long for
// that.
const (
	maxTexts = 256
	longText = 4 << 10
)

func (t *texts) get(text string) (other string, ok bool) {
	t.mutex.RLock()
	defer t.mutex.RUnlock()
	other, ok = t.known[text]
	return other, ok
}

func (t *texts) put(text, other string) {
	if len(text) > longText {
		return
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.known == nil || len(t.known) == maxTexts {
		t.known = map[string]string{}
	}
	t.known[text] = other
}
