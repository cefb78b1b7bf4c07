package config

import (
	"slices"
	"strings"
)

func fileKeys() []string {
	var keys []string
	for _, s := range settings() {
		keys = append(keys, fileSection+"."+s.key)
	}
	return keys
}

func variableNames() []string {
	var names []string
	for _, s := range settings() {
		names = append(names, s.variable())
	}
	return names
}

// nearest returns the known name that takes the fewest edits, without case.
func nearest(name string, known []string) string {
	return slices.MinFunc(known, func(a, b string) int {
		return distance(strings.ToLower(name), strings.ToLower(a)) - distance(strings.ToLower(name), strings.ToLower(b))
	})
}

// distance counts the insertions, deletions and replacements of bytes between
// the two (Levenshtein), one row of the table at a time.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
