package admin

import "slices"

// segment is a run of text that two values share, or that only one of them has.
type segment struct {
	Text    string
	Changed bool
}

// maxDiff bounds the work of a comparison, in pairs of characters.
const maxDiff = 250_000

// diff returns two texts in segments that show what changed from one to the
// other. Together the segments of each are the text; those that are not
// Changed are the same in both.
func diff(a, b string) (old, new []segment) {
	x, y := []rune(a), []rune(b)
	head := 0
	for head < len(x) && head < len(y) && x[head] == y[head] {
		head++
	}
	tail := 0
	for tail < len(x)-head && tail < len(y)-head && x[len(x)-1-tail] == y[len(y)-1-tail] {
		tail++
	}
	before, after := middles(x[head:len(x)-tail], y[head:len(y)-tail])
	assemble := func(text []rune, changed []bool) []segment {
		marks := slices.Concat(make([]bool, head), changed, make([]bool, tail))
		return segments(text, marks)
	}
	return assemble(x, before), assemble(y, after)
}

// middles marks the characters that are in only one of the texts, or all of
// them where to find out would take too long or leave crumbs.
func middles(x, y []rune) (before, after []bool) {
	before, after = all(len(x)), all(len(y))
	if len(x)*len(y) == 0 || len(x)*len(y) > maxDiff {
		return before, after
	}
	common := commonRunes(x, y)
	if 3*len(common) < max(len(x), len(y)) { // what is left in common is chance
		return before, after
	}
	for _, pair := range common {
		before[pair[0]], after[pair[1]] = false, false
	}
	return before, after
}

func all(n int) []bool { return slices.Repeat([]bool{true}, n) }

// commonRunes returns the places of a longest common subsequence.
func commonRunes(x, y []rune) (pairs [][2]int) {
	width := len(y) + 1
	longest := make([]int32, (len(x)+1)*width) // of x[i:] and y[j:]
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				longest[i*width+j] = longest[(i+1)*width+j+1] + 1
			} else {
				longest[i*width+j] = max(longest[(i+1)*width+j], longest[i*width+j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(x) && j < len(y); {
		switch {
		case x[i] == y[j]:
			pairs = append(pairs, [2]int{i, j})
			i, j = i+1, j+1
		case longest[(i+1)*width+j] >= longest[i*width+j+1]:
			i++
		default:
			j++
		}
	}
	return pairs
}

// segments joins neighbours that are marked alike.
func segments(text []rune, changed []bool) (joined []segment) {
	for from := 0; from < len(text); {
		to := from
		for to < len(text) && changed[to] == changed[from] {
			to++
		}
		joined = append(joined, segment{string(text[from:to]), changed[from]})
		from = to
	}
	return joined
}
