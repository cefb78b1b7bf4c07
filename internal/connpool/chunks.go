package connpool

import "iter"

// maxBytes is how much is stored by one INSERT, unless a single row is larger.
// MariaDB takes statements of 16 MiB by default, and a driver may have to write
// two characters for one.
const maxBytes = 4 << 20

// Chunks cuts rows into those of one INSERT each: at most that many, and not
// too many bytes for a server to take them.
func Chunks[T any](rows []T, most int, bytes func(*T) int) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		start, size := 0, 0
		for i := range rows {
			more := bytes(&rows[i])
			if i > start && (i-start == most || size+more > maxBytes) {
				if !yield(rows[start:i]) {
					return
				}
				start, size = i, 0
			}
			size += more
		}
		if start < len(rows) {
			yield(rows[start:])
		}
	}
}
