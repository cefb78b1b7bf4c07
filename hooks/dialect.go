package hooks

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
)

// dialect is what capture has to know about a database.
type dialect struct {
	// syntax is the dialect of its SQL.
	syntax syntax
	// insertReturning and the others say that the statement can return the
	// rows it wrote.
	insertReturning, updateReturning, deleteReturning bool
	// oldReturning says that an UPDATE can return its old rows too.
	oldReturning bool
	// insertedFlag is an expression in the returning list of an upsert that is
	// true for inserted rows; empty where there is none.
	insertedFlag string
	// lock ends a SELECT of rows that are about to change; keyLock is the
	// stronger one for statements that may change keys.
	lock, keyLock string
	// byPrimary stands behind the name of a table whose rows are looked for by
	// primary key, where the database might read all of them instead.
	byPrimary string
	// orderedLocks says that rows are locked in the order of an ORDER BY.
	orderedLocks bool
	// writeLock says that a transaction must take the database's one write
	// lock before it reads, or a later write may find it taken.
	writeLock bool
	// prepareReads says that rows must be read by prepared statements, because
	// the text protocol rounds numbers.
	prepareReads bool
	// same compares two key columns, which may be null on SQLite.
	same string
	// folds says that the case of column names does not count.
	folds bool
	// lastInsertID is the query for the key of the row just inserted; empty
	// where the driver does not tell either.
	lastInsertID string

	// inTransaction asks whether the connection is within a transaction.
	inTransaction func(ctx context.Context, conn gorm.ConnPool) (bool, error)
	// errorsEnd says that a statement that fails may end its transaction, so
	// that the next one is committed by itself.
	errorsEnd bool

	// facts asks the catalog about a table.
	facts func(ctx context.Context, conn gorm.ConnPool, t *table) (facts, error)
	// row is the select list of whole rows of the table under the name that
	// the statement knows it by.
	row func(t *table, name string) string
	// tuple is an expression for several values as one text; empty, where the
	// database does not tell inserted rows, if one is null and conflicts with
	// nothing.
	tuple func(terms []string) string
	// documents says that the select list is one JSON document.
	documents bool
	// encode appends the JSON of a value read from a column of that type.
	encode func(into []byte, value any, typeName string) []byte
}

func dialectOf(db *gorm.DB) (dialect, error) {
	create, remove := db.Callback().Create().Clauses, db.Callback().Delete().Clauses
	switch db.Name() {
	case "postgres":
		return dialect{
			syntax:          postgresSyntax,
			insertReturning: true, updateReturning: true, deleteReturning: true, oldReturning: true,
			insertedFlag: "(xmax = 0)",
			lock:         " FOR NO KEY UPDATE", keyLock: " FOR UPDATE",
			orderedLocks:  true,
			same:          " = ",
			inTransaction: postgresInTransaction,
			facts:         postgresFacts,
			documents:     true,
			tuple:         func(terms []string) string { return "ROW(" + strings.Join(terms, ",") + ")::text" },
			row:           documentRow,
			encode:        encodeAny,
		}, nil
	case "sqlite":
		if !slices.Contains(create, "RETURNING") {
			return dialect{}, fmt.Errorf("hooks: this SQLite has no RETURNING; use SQLite 3.35 or newer")
		}
		return dialect{
			syntax:          sqliteSyntax,
			insertReturning: true, updateReturning: true, deleteReturning: true,
			writeLock:     true,
			same:          " IS ",
			folds:         true,
			lastInsertID:  "SELECT last_insert_rowid()",
			inTransaction: sqliteInTransaction,
			errorsEnd:     true,
			facts:         sqliteFacts,
			row:           storedRow,
			tuple: func(terms []string) string {
				exact := make([]string, len(terms))
				for i, term := range terms { // quote ends a text at its first zero
					exact[i] = "CASE typeof(" + term + ") WHEN 'text' THEN 't'||hex(" + term + ") ELSE quote(" + term + ") END"
				}
				return "CASE WHEN " + strings.Join(terms, " IS NULL OR ") + " IS NULL THEN '' ELSE " + strings.Join(exact, "||','||") + " END"
			},
			encode: encodeSQLite,
		}, nil
	case "mysql":
		return dialect{
			syntax:          mysqlSyntax,
			insertReturning: slices.Contains(create, "RETURNING"),
			deleteReturning: slices.Contains(remove, "RETURNING"),
			lock:            " FOR UPDATE", keyLock: " FOR UPDATE",
			byPrimary:     " FORCE INDEX (PRIMARY)",
			prepareReads:  true,
			same:          " = ",
			folds:         true,
			lastInsertID:  "SELECT LAST_INSERT_ID()",
			inTransaction: mysqlInTransaction,
			errorsEnd:     true,
			facts:         mysqlFacts,
			row:           wholeRow,
			encode:        encodeMySQL,
		}, nil
	default:
		return dialect{}, fmt.Errorf("hooks: database %q is not supported; use postgres, sqlite or mysql", db.Name())
	}
}

// wholeRow asks for every column, whatever was added since the last look. The
// invisible ones of MariaDB and MySQL come by their names only.
func wholeRow(t *table, name string) string {
	list := name + ".*"
	for _, column := range t.facts.invisible {
		list += "," + name + "." + t.quote(column)
	}
	return list
}

// storedRow asks for the columns by expressions: without a declared type the
// SQLite drivers return the stored value instead of a converted one.
func storedRow(t *table, name string) string {
	var list strings.Builder
	list.Grow(32 * len(t.facts.columns))
	if name != "" {
		name += "."
	}
	for i, column := range t.facts.columns {
		if i > 0 {
			list.WriteByte(',')
		}
		quoted := t.quote(column)
		list.WriteString("+" + name + quoted + " AS " + quoted)
	}
	return list.String()
}
