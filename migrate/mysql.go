package migrate

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"gorm.io/gorm"
)

func mysql() dialect {
	return dialect{
		name:        "mysql",
		begin:       takeLock,
		end:         releaseLock,
		quote:       "`",
		placeholder: "?",
		columns:     "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?",
		eventTable:  mysqlEventTable,
		text:        func(column string) string { return "CAST(" + column + " AS CHAR)" },
		moment:      func(column string) string { return "CAST(" + column + " AS CHAR)" },
		hold: func(tables []string) string {
			return "LOCK TABLES " + strings.Join(tables, " WRITE, ") + " WRITE"
		},
		release: "UNLOCK TABLES",
	}
}

// lockName is one per database of the server, and within MySQL's 64 characters.
const lockName = "CONCAT('event_audit:', SHA1(DATABASE()))"

// takeLock waits for the lock in turns, so that the end of the context is seen
// by servers that a broken connection does not stop from waiting. Until
// releaseLock the session is in UTC, since a column of type TIMESTAMP is read
// in its time zone, and does not commit after each statement, which would cost
// a takeover a write to the disk for every page.
func takeLock(ctx context.Context, conn *sql.Conn) error {
	for {
		var taken sql.NullInt64
		if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK("+lockName+", 10)").Scan(&taken); err != nil {
			return err
		}
		if !taken.Valid {
			return fmt.Errorf("GET_LOCK was interrupted by the server; try again")
		}
		if taken.Int64 == 1 {
			return execute(ctx, conn,
				"SET @event_audit_time_zone = @@session.time_zone, @event_audit_autocommit = @@session.autocommit",
				"SET time_zone = '+00:00', autocommit = 0")
		}
	}
}

func releaseLock(ctx context.Context, conn *sql.Conn, keep bool) error {
	end := "ROLLBACK"
	if keep {
		end = "COMMIT"
	}
	return execute(ctx, conn, end, "UNLOCK TABLES",
		"SET time_zone = @event_audit_time_zone, autocommit = @event_audit_autocommit",
		"DO RELEASE_LOCK("+lockName+")")
}

// mysqlEventTable compares and sorts text by bytes, trailing spaces included.
// Documents are text: the JSON type of MySQL rewrites them.
func mysqlEventTable(ctx context.Context, conn gorm.ConnPool, name, prefix string) ([]string, error) {
	collation, err := mysqlCollation(ctx, conn)
	if err != nil {
		return nil, err
	}
	return []string{
		"CREATE TABLE `" + name + "` (" + `
			sequence BIGINT NOT NULL AUTO_INCREMENT,
			id VARCHAR(255) NOT NULL,
			category VARCHAR(255) NOT NULL,
			action VARCHAR(255) NOT NULL,
			actor VARCHAR(255) NOT NULL,
			action_object VARCHAR(255) NOT NULL,
			action_object_id VARCHAR(255) NOT NULL,
			target_type VARCHAR(255) NOT NULL,
			target_id VARCHAR(255) NOT NULL,
			` + "`timestamp`" + ` DATETIME(6) NOT NULL,
			result LONGTEXT,
			payload LONGTEXT,
			outcome VARCHAR(255) NOT NULL,
			error VARCHAR(255) NOT NULL,
			transaction_id VARCHAR(255) NOT NULL,
			request_id VARCHAR(255) NOT NULL,
			trace_id VARCHAR(255) NOT NULL,
			tenant VARCHAR(255) NOT NULL,
			reason VARCHAR(255) NOT NULL,
			on_behalf_of VARCHAR(255) NOT NULL,
			ip_address VARCHAR(255) NOT NULL,
			user_agent VARCHAR(255) NOT NULL,
			meta LONGTEXT,
			schema_version INT NOT NULL,
			before_unknown TINYINT(1) NOT NULL,
			overflow LONGTEXT,
			PRIMARY KEY (sequence),
			UNIQUE KEY ` + prefix + `_id (id),
			KEY ` + prefix + "_timestamp (`timestamp`, id)," + `
			KEY ` + prefix + "_actor (actor, `timestamp`, id)," + `
			KEY ` + prefix + "_object (action_object, action_object_id, `timestamp`, id)" + `
		) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE ` + collation,
	}, nil
}
