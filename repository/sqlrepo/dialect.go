package sqlrepo

import (
	"strconv"
	"strings"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// dialect is what one kind of database says in its own way. There is one file
// for each.
type dialect struct {
	// name is GORM's.
	name string
	// quote stands around identifiers.
	quote string
	// numbered says that placeholders are $1, $2, … rather than question marks.
	numbered bool
	// passOver ends an INSERT that leaves out ids that are stored already.
	passOver string
	// chunk is how many rows one INSERT takes at most.
	chunk int
	// unnests says that the rows of an INSERT come as arrays, one of each column.
	unnests bool
	// shares says that an INSERT names the values that its rows share once, by
	// number.
	shares bool
	// prepares says that an INSERT which comes again is worth preparing.
	prepares bool
	// bindTime returns a timestamp as the driver is to have it.
	bindTime func(time.Time) any
	// readTime is the expression by which the timestamp is read.
	readTime string
	// comparesRows says that an index serves (timestamp, id) < (?, ?).
	comparesRows bool
	// packs says which columns of a row are read as one text.
	packs packing
	// always is a condition that is true; see postgres.
	always string
	// unindexed stands before a column to keep its index out of the search,
	// where the database does not know which index is the best.
	unindexed string
	// repeatsWhere says that an index on some of the rows is used only when its
	// condition is in the question, word for word.
	repeatsWhere bool
	// equalsAsRange says that an equality on the first columns of an index
	// hides the bound on the timestamp behind them; see mysql.
	equalsAsRange bool
	// lateral says that a subquery may refer to a table before it; see each.
	lateral bool
	// noLimit stands for the LIMIT that an OFFSET cannot do without.
	noLimit string
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
		Reason: "is a GORM dialect that the event table is not made for; use postgres, sqlite or mysql, or another active_repo",
	}
}

func (d dialect) quoted(name string) string {
	return d.quote + strings.ReplaceAll(name, d.quote, d.quote+d.quote) + d.quote
}

// placeholder returns the mark of the nth argument, counted from 1.
func (d dialect) placeholder(n int) string {
	if d.numbered {
		return "$" + strconv.Itoa(n)
	}
	return "?"
}
