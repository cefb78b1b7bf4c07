package export

import (
	"strings"
	"unicode/utf8"
)

// formulaStarts are what makes spreadsheets take a cell for a formula: the list
// of OWASP's page "CSV Injection", with the full-width signs that East Asian
// versions of Excel know. The apostrophe is there so that Unguard is exact.
const formulaStarts = "=+-@\t\r\n＝＋－＠'"

// Guard returns the cell with an apostrophe in front when it begins with
// = + - @, a full-width one of these, a tab, a carriage return, a line feed or
// an apostrophe. Unguard gives the cell back.
func Guard(cell string) string {
	first, _ := utf8.DecodeRuneInString(cell)
	if cell == "" || !strings.ContainsRune(formulaStarts, first) {
		return cell
	}
	return "'" + cell
}

// Unguard undoes Guard: it takes one apostrophe from the front, if there is
// one. Programs that read a guarded file use it on every cell.
func Unguard(cell string) string { return strings.TrimPrefix(cell, "'") }
