package outbox

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// dialect is what one kind of database says in its own way. There is one file
// for each.
type dialect struct {
	// numbered says that placeholders are $1, $2, … rather than question marks.
	numbered bool
	// now is the database's clock, in microseconds since 1970.
	now string
	// isolation is the level of our transactions.
	isolation sql.IsolationLevel
	// begin is a statement that our transactions begin with, if there is one.
	begin string
	// locking ends a SELECT of rows that nobody else is to change before the
	// transaction ends.
	locking string
	// claim takes rows that are due, in any order.
	claim func(ctx context.Context, q queue, c claim) ([]row, error)
	// choose, change and remove begin the statements that find the sequences of
	// claimed rows, change or delete them.
	choose, change, remove string
	// among is the condition that a row is one of a run of claimed ones, with
	// its arguments; the claim itself is a condition beside it.
	among func(run []row) (condition string, args []any)
	// columns asks for the names of a table's columns; its argument is the
	// name of the table.
	columns string
}

func dialectOf(name string) (dialect, error) {
	switch name {
	case "postgres":
		return postgres(), nil
	case "sqlite":
		return sqlite(), nil
	case "mysql":
		return mysql(), nil
	}
	return dialect{}, &event.FieldError{
		Field: "database", Value: name,
		Reason: "is a GORM dialect that the outbox is not made for; use postgres, sqlite or mysql",
	}
}

// claim says which rows are to be claimed, and for whom.
type claim struct {
	// token is new for each claim.
	token string
	// after is the sequence that all of them are behind; 0 is no limit.
	after int64
	limit int
	lease time.Duration
}

// due is the condition that a row may be claimed: it is not to wait, and no
// other claim on it holds.
const due = "next_at <= {now} AND claimed_until <= {now}"

// sql returns the text with the clock in the place of {now}, and with the
// placeholders of the database in the place of question marks.
func (d dialect) sql(text string) string {
	text = strings.ReplaceAll(text, "{now}", d.now)
	if !d.numbered {
		return text
	}
	var numbered strings.Builder
	n := 0
	for part := range strings.SplitSeq(text, "?") {
		if n > 0 {
			numbered.WriteString("$" + strconv.Itoa(n))
		}
		numbered.WriteString(part)
		n++
	}
	return numbered.String()
}

// between is the condition for a run of rows by its ends. Rows in between that
// were committed meanwhile are not claimed, and so not meant.
func between(run []row) (string, []any) {
	return "sequence BETWEEN ? AND ?", []any{run[0].sequence, run[len(run)-1].sequence}
}

// listed is the condition for a run of rows one by one.
func listed(run []row) (string, []any) { return oneOf(sequences(run)), nil }

// oneOf is the condition that a row has one of the sequences.
func oneOf(sequences []int64) string {
	var list strings.Builder
	list.WriteString("sequence IN (")
	for i, sequence := range sequences {
		if i > 0 {
			list.WriteByte(',')
		}
		list.WriteString(strconv.FormatInt(sequence, 10))
	}
	list.WriteByte(')')
	return list.String()
}
