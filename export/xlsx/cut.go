package xlsx

import "unicode/utf16"

// maxCharacters is how many a cell can have, in UTF-16.
const maxCharacters = 32_767

const cutMark = "… [cut]"

// cut returns the text, or as much of it as a cell can hold with a mark behind.
func cut(text string) string {
	if len(text) <= maxCharacters {
		return text
	}
	length, end := 0, 0 // end is where the mark may stand
	for i, r := range text {
		units := max(utf16.RuneLen(r), 1)
		if length+units <= maxCharacters-utf16Length(cutMark) {
			end = i + len(string(r))
		}
		if length += units; length > maxCharacters {
			return text[:end] + cutMark
		}
	}
	return text
}

func utf16Length(text string) int {
	length := 0
	for _, r := range text {
		length += max(utf16.RuneLen(r), 1)
	}
	return length
}
