package migrate

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"gorm.io/gorm"
)

func sqlite() dialect {
	return dialect{
		name:        "sqlite",
		begin:       beginImmediate,
		end:         endTransaction,
		undoes:      true,
		quote:       `"`,
		placeholder: "?",
		columns:     `SELECT name FROM pragma_table_info(?)`,
		eventTable: func(_ context.Context, _ gorm.ConnPool, name, prefix string) ([]string, error) {
			return sqliteEventTable(name, prefix), nil
		},
		text:   func(column string) string { return "CAST(" + column + " AS TEXT)" },
		moment: func(column string) string { return "CAST(" + column + " AS TEXT)" },
		hold:   func([]string) string { return "" },
	}
}

// patience is how long to wait before the lock is tried again.
const patience = 20 * time.Millisecond

// beginImmediate starts a transaction that may write, which is SQLite's lock.
// While another process writes it tries again, since the driver's own patience
// may be set to none.
func beginImmediate(ctx context.Context, conn *sql.Conn) error {
	for {
		err := execute(ctx, conn, "BEGIN IMMEDIATE")
		if err == nil || !busy(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(patience):
		}
	}
}

// busy knows the error by its text: each driver has a type of its own for it.
func busy(err error) bool {
	return strings.Contains(err.Error(), "database is locked") || strings.Contains(err.Error(), "SQLITE_BUSY")
}

func sqliteEventTable(name, prefix string) []string {
	return []string{
		`CREATE TABLE "` + name + `" (
			"sequence" INTEGER PRIMARY KEY AUTOINCREMENT,
			"id" TEXT NOT NULL,
			"category" TEXT NOT NULL,
			"action" TEXT NOT NULL,
			"actor" TEXT NOT NULL,
			"action_object" TEXT NOT NULL,
			"action_object_id" TEXT NOT NULL,
			"target_type" TEXT NOT NULL,
			"target_id" TEXT NOT NULL,
			"timestamp" TEXT NOT NULL,
			"result" TEXT,
			"payload" TEXT,
			"outcome" TEXT NOT NULL,
			"error" TEXT NOT NULL,
			"transaction_id" TEXT NOT NULL,
			"request_id" TEXT NOT NULL,
			"trace_id" TEXT NOT NULL,
			"tenant" TEXT NOT NULL,
			"reason" TEXT NOT NULL,
			"on_behalf_of" TEXT NOT NULL,
			"ip_address" TEXT NOT NULL,
			"user_agent" TEXT NOT NULL,
			"meta" TEXT,
			"schema_version" INTEGER NOT NULL,
			"before_unknown" INTEGER NOT NULL,
			"overflow" TEXT
		)`,
		`CREATE UNIQUE INDEX "` + prefix + `_id" ON "` + name + `" ("id")`,
		// The category and the action stand behind the order, so that a list by
		// them passes over the others without looking at their rows.
		`CREATE INDEX "` + prefix + `_timestamp" ON "` + name + `" ("timestamp", "id", "category", "action")`,
		`CREATE INDEX "` + prefix + `_actor" ON "` + name + `" ("actor", "timestamp", "id")`,
		// The id is in front: with statistics SQLite would look for an id alone
		// under every object, and sort what it finds.
		`CREATE INDEX "` + prefix + `_object" ON "` + name + `" ("action_object_id", "action_object", "timestamp", "id")`,
	}
}
