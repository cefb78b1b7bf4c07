package pgpipe_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const insert = "INSERT INTO records (id, note) VALUES ($1, $2)"

// programs are what apps do, by name.
var programs = map[string]func(a *app){
	"types": func(a *app) {
		const all = `SELECT 1::int2, 2::int4, 3::int8, 1.5::float4, 2.5::float8, 12345.678::numeric(10,3), 'text', 'c'::char(3), 'v'::varchar(7),
			'\xDEADBEEF'::bytea, true, NULL::int, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid, '{"a":1}'::json, '{"b":[1,2]}'::jsonb,
			'2026-03-02 10:30:00.123456+01'::timestamptz, '2026-03-02 10:30:00'::timestamp, '2026-03-02'::date, '10:30:00'::time, '1 day 2 hours'::interval,
			'192.168.0.0/24'::cidr, '127.0.0.1'::inet, ARRAY[1,2,3], ARRAY['a',NULL,'b'], point(1,2), int4range(1,9), 'infinity'::timestamptz, 'NaN'::float8`
		a.query(a.db, all)
		a.commit(func(tx *sql.Tx) {
			a.query(tx, all)
			a.query(tx, "SELECT $1::int8, $2::text, $3::bytea, $4::timestamptz, $5::bool, $6::float8, $7::numeric, $8::int[]",
				int64(math.MaxInt64), "ünï\x01", []byte{0, 1, 255}, time.Date(2026, 3, 2, 0, 0, 0, 1000, time.UTC), true, math.Pi, "1e10", []int{1, 2})
		})
	},
	"commit": func(a *app) {
		a.commit(func(tx *sql.Tx) { a.exec(tx, insert, 1, "a") })
		a.commit(func(tx *sql.Tx) { a.query(tx, insert+" RETURNING *", 2, "b"); a.exec(tx, insert, 3, "c") })
		a.commit(func(*sql.Tx) {})
	},
	"rollback": func(a *app) {
		a.rollback(func(tx *sql.Tx) { a.exec(tx, insert, 1, "a") })
		a.rollback(func(*sql.Tx) {})
	},
	"a constraint": func(a *app) {
		for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
			a.within(nil, end, func(tx *sql.Tx) {
				a.exec(tx, insert, 1, "a")
				a.exec(tx, insert, 2, "wrong")
				a.exec(tx, insert, 3, "c")
				a.query(tx, "SELECT 1")
			})
			a.within(nil, end, func(tx *sql.Tx) { a.exec(tx, insert, 2, "wrong") })
		}
	},
	"a first statement that fails": func(a *app) {
		for _, text := range []string{"SELEC 1", "SELECT nothing FROM records", "SELECT 1/0", "SELECT 1/$1::int"} {
			var args []any
			if strings.Contains(text, "$1") {
				args = []any{0}
			}
			a.commit(func(tx *sql.Tx) { a.query(tx, text, args...); a.exec(tx, insert, 1, "a") })
			a.commit(func(tx *sql.Tx) { a.exec(tx, text, args...) })
			a.query(a.db, text, args...)
		}
	},
	"an argument that cannot be encoded": func(a *app) {
		a.commit(func(tx *sql.Tx) {
			a.exec(tx, insert, "one", "a")
			a.exec(tx, insert, 1, "a")
			a.exec(tx, insert, struct{}{}, "a")
			a.exec(tx, insert, 2)
		})
	},
	"too many arguments": func(a *app) {
		args := make([]any, 70000)
		for i := range args {
			args[i] = i
		}
		a.commit(func(tx *sql.Tx) {
			_, err := tx.Exec("SELECT $1::int"+strings.Repeat(",$1::int", 10), args...)
			a.err("many", err)
			a.exec(tx, "SELECT 1")
		})
	},
	"isolation": func(a *app) {
		for level := sql.LevelDefault; level <= sql.LevelLinearizable; level++ {
			for _, only := range []bool{false, true} {
				a.within(&sql.TxOptions{Isolation: level, ReadOnly: only}, (*sql.Tx).Commit, func(tx *sql.Tx) {
					a.query(tx, "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')")
					a.exec(tx, insert, int(level)*2+1, "x")
				})
			}
		}
	},
	"a conflict of serializable transactions": func(a *app) {
		level := &sql.TxOptions{Isolation: sql.LevelRepeatableRead}
		a.exec(a.db, insert, 1, "a")
		a.within(level, (*sql.Tx).Commit, func(one *sql.Tx) {
			a.query(one, "SELECT note FROM records")
			a.within(level, (*sql.Tx).Commit, func(two *sql.Tx) { a.exec(two, "UPDATE records SET note = $1", "two") })
			a.query(one, "SELECT note FROM records")
			a.exec(one, "UPDATE records SET note = $1", "one")
		})
	},
	"savepoints": func(a *app) {
		a.commit(func(tx *sql.Tx) {
			a.exec(tx, "SAVEPOINT first")
			a.exec(tx, insert, 1, "a")
			a.exec(tx, "SAVEPOINT second")
			a.exec(tx, insert, 2, "wrong")
			a.exec(tx, insert, 3, "c")
			a.exec(tx, "ROLLBACK TO SAVEPOINT second")
			a.exec(tx, insert, 4, "d")
			a.exec(tx, "RELEASE SAVEPOINT second")
			a.exec(tx, "/* back */ ROLLBACK TO first")
			a.exec(tx, insert, 5, "e")
			a.exec(tx, "ROLLBACK TO SAVEPOINT nowhere")
			a.exec(tx, "ROLLBACK TO SAVEPOINT first")
			a.exec(tx, insert, 6, "f")
		})
	},
	"prepared statements": func(a *app) {
		s, err := a.db.Prepare(insert)
		a.err("prepare", err)
		a.commit(func(tx *sql.Tx) {
			for n, note := range []string{"a", "b", "wrong", "d"} {
				_, err := tx.Stmt(s).Exec(n, note)
				a.err("prepared", err)
			}
		})
		a.commit(func(tx *sql.Tx) {
			own, err := tx.Prepare("SELECT note FROM records WHERE id = $1")
			a.err("prepare", err)
			var note string
			a.err("prepared", own.QueryRow(1).Scan(&note))
			a.err("close", own.Close())
			_, err = tx.Stmt(s).Exec(9, "i")
			a.err("prepared", err)
		})
		a.commit(func(tx *sql.Tx) {
			_, err := tx.Prepare("SELEC 1")
			a.err("prepare", err)
		})
		a.err("close", s.Close())
	},
	"a table that changes": func(a *app) {
		a.conn(func(conn *sql.Conn) {
			a.exec(conn, insert, 1, "a")
			a.query(conn, "SELECT * FROM records")
			a.exec(conn, "ALTER TABLE records ADD COLUMN more int")
			for range 2 {
				tx, err := conn.BeginTx(a.Context(), nil)
				a.err("begin", err)
				a.query(tx, "SELECT * FROM records")
				a.exec(tx, insert, 2, "b")
				a.err("commit", tx.Commit())
			}
			a.query(conn, "SELECT * FROM records")
		})
	},
	"rows that are not read to the end": func(a *app) {
		a.commit(func(tx *sql.Tx) {
			rows, err := tx.Query("SELECT n FROM generate_series(1, 3000) AS n")
			a.err("query", err)
			a.say("next %v", rows.Next())
			a.err("close", rows.Close())
			var n int
			a.err("row", tx.QueryRow("SELECT n FROM generate_series(1, 3) AS n").Scan(&n))
			a.exec(tx, insert, 1, "a")
		})
	},
	"large values": func(a *app) {
		large := bytes.Repeat([]byte("0123456789"), 300_000)
		a.commit(func(tx *sql.Tx) {
			a.exec(tx, "INSERT INTO records (id, data) VALUES ($1, $2)", 1, large)
			var back []byte
			a.err("read", tx.QueryRow("SELECT data FROM records WHERE id = $1", 1).Scan(&back))
			a.say("the same: %v", bytes.Equal(large, back))
			a.exec(tx, "INSERT INTO records (id, note) SELECT n, repeat('x', 1000) FROM generate_series(2, 3000) AS n")
			rows, err := tx.Query("SELECT id, note FROM records WHERE id > 1")
			a.err("query", err)
			n := 0
			for rows.Next() {
				n++
			}
			a.err("rows", rows.Err())
			a.say("%d rows", n)
			a.exec(tx, "DELETE FROM records WHERE id > $1", 1)
			a.exec(tx, "UPDATE records SET data = NULL")
		})
	},
	"several statements in one text": func(a *app) {
		a.exec(a.db, "INSERT INTO records VALUES (1, 'a'); INSERT INTO records VALUES (2, 'b')")
		a.exec(a.db, "INSERT INTO records VALUES (3, 'c'); INSERT INTO records VALUES (4, 'wrong')")
		a.commit(func(tx *sql.Tx) {
			a.exec(tx, "INSERT INTO records VALUES (5, 'e'); INSERT INTO records VALUES (6, 'f')")
		})
		a.commit(func(tx *sql.Tx) { a.exec(tx, "INSERT INTO records VALUES (7, 'e'); SELECT 1/0") })
		a.commit(func(tx *sql.Tx) {
			a.exec(tx, "INSERT INTO records VALUES (8, 'e'); COMMIT; SELECT 1/0")
			a.exec(tx, insert, 9, "x")
		})
	},
	"empty statements": func(a *app) {
		for _, text := range []string{"", ";", "-- nothing"} {
			a.exec(a.db, text)
			a.commit(func(tx *sql.Tx) { a.exec(tx, text) })
			a.commit(func(tx *sql.Tx) { a.exec(tx, insert, len(text), "a"); a.exec(tx, text) })
		}
	},
	"notices": func(a *app) {
		const loud = "DO $$ BEGIN RAISE NOTICE 'heard'; RAISE WARNING 'heard too'; END $$"
		a.exec(a.db, loud)
		a.commit(func(tx *sql.Tx) { a.exec(tx, loud); a.exec(tx, "DROP TABLE IF EXISTS nothing") })
		a.commit(func(tx *sql.Tx) { a.exec(tx, insert, 1, "a"); a.exec(tx, loud) })
	},
	"cursors": func(a *app) {
		a.commit(func(tx *sql.Tx) {
			a.exec(tx, "DECLARE c CURSOR FOR SELECT n FROM generate_series(1, 10) AS n")
			a.query(tx, "FETCH 3 FROM c")
			a.exec(tx, insert, 1, "a")
			a.query(tx, "FETCH 3 FROM c")
			a.exec(tx, "CLOSE c")
		})
		a.query(a.db, "FETCH 3 FROM c")
	},
	"transactions as text": func(a *app) {
		for _, texts := range [][]string{
			{"BEGIN", "COMMIT"},
			{"begin", "commit"},
			{"begin", "rollback"},
			{"START TRANSACTION", "ROLLBACK"},
			{"begin read only", "commit"},
			{"begin; INSERT INTO records VALUES (50, 'x')", "commit"},
			{"BEGIN", "COMMIT AND CHAIN", "ROLLBACK"},
			{"begin", "ABORT"},
			{"begin", "begin", "end"},
			{"begin", "PREPARE TRANSACTION 'twice'", "rollback"},
			{"commit"},
			{"rollback"},
			{"begin", "SAVEPOINT a", "ROLLBACK TO a", "commit"},
		} {
			a.conn(func(conn *sql.Conn) {
				for i, text := range texts {
					a.exec(conn, text)
					a.exec(conn, insert, i+1, text)
				}
				a.exec(conn, "ROLLBACK")
			})
			a.rows()
			a.exec(a.db, "DELETE FROM records")
		}
	},
	"a transaction ended by text": func(a *app) {
		for _, text := range []string{"COMMIT", "commit", "ROLLBACK", "rollback", "COMMIT AND CHAIN"} {
			a.commit(func(tx *sql.Tx) {
				a.exec(tx, insert, len(text), text)
				a.exec(tx, text)
				a.exec(tx, insert, len(text)+20, text)
			})
			a.commit(func(tx *sql.Tx) { a.exec(tx, text) })
			a.exec(a.db, "DELETE FROM records")
		}
	},
	"settings": func(a *app) {
		a.commit(func(tx *sql.Tx) {
			a.exec(tx, "SET LOCAL TimeZone = 'Europe/Berlin'")
			a.query(tx, "SELECT current_setting('TimeZone')")
		})
		a.query(a.db, "SELECT current_setting('TimeZone') <> 'Europe/Berlin'")
		a.conn(func(conn *sql.Conn) {
			for _, name := range []string{"first", "second"} {
				tx, err := conn.BeginTx(a.Context(), nil)
				a.err("begin", err)
				a.exec(tx, "SET application_name = '"+name+"'")
				a.err("commit", tx.Commit())
				a.raw(conn, func(conn *pgx.Conn) error {
					a.say("called %s, status %c", conn.PgConn().ParameterStatus("application_name"), conn.PgConn().TxStatus())
					return nil
				})
			}
		})
	},
	"time stands still": func(a *app) {
		a.commit(func(tx *sql.Tx) {
			var before, after time.Time
			a.err("now", tx.QueryRow("SELECT now()").Scan(&before))
			a.exec(tx, "SELECT pg_sleep(0.01)")
			a.err("now", tx.QueryRow("SELECT now()").Scan(&after))
			a.say("the same: %v", before.Equal(after))
		})
	},
	"a constraint that is checked at the end": func(a *app) {
		a.conn(func(conn *sql.Conn) {
			var before, after int
			a.err("pid", conn.QueryRowContext(a.Context(), "SELECT pg_backend_pid()").Scan(&before))
			tx, err := conn.BeginTx(a.Context(), nil)
			a.err("begin", err)
			a.exec(tx, "INSERT INTO records (id, kind) VALUES ($1, $2)", 1, 7)
			a.err("commit", tx.Commit())
			a.err("pid", conn.QueryRowContext(a.Context(), "SELECT pg_backend_pid()").Scan(&after))
			a.say("the same connection: %v", before == after)
		})
		a.rows()
	},
	"temporary tables": func(a *app) {
		a.commit(func(tx *sql.Tx) {
			a.exec(tx, "CREATE TEMPORARY TABLE here (n int) ON COMMIT DROP")
			a.exec(tx, "INSERT INTO here VALUES ($1)", 1)
			a.query(tx, "SELECT * FROM here")
		})
		a.query(a.db, "SELECT * FROM here")
	},
	"a statement that takes too long": func(a *app) {
		a.commit(func(tx *sql.Tx) {
			a.exec(tx, "SET LOCAL statement_timeout = 10")
			a.exec(tx, "SELECT pg_sleep($1)", 10)
			a.exec(tx, insert, 1, "a")
		})
	},
	"a context that ends": func(a *app) {
		a.db.SetMaxOpenConns(1) // what comes next waits for the rollback
		ctx, cancel := context.WithCancel(a.Context())
		tx, err := a.db.BeginTx(ctx, nil)
		a.err("begin", err)
		a.exec(tx, insert, 1, "a")
		cancel()
		<-ctx.Done()
		if err := tx.Commit(); err == nil {
			a.say("committed")
		}
		a.rows()
		_, err = a.db.BeginTx(ctx, nil)
		a.err("begin", err)
		for _, before := range []bool{false, true} {
			a.commit(func(tx *sql.Tx) {
				if before {
					a.exec(tx, insert, 2, "b")
				}
				late, cancel := context.WithTimeout(a.Context(), 20*time.Millisecond)
				defer cancel()
				_, err := tx.ExecContext(late, "SELECT pg_sleep(10)")
				a.say("stopped: %v", err != nil)
				a.exec(tx, insert, 3, "c")
			})
		}
	},
	"copy": func(a *app) {
		in := [][]any{{1, "a"}, {2, "b"}, {3, "c"}}
		a.conn(func(conn *sql.Conn) {
			for _, wrong := range []bool{false, true} {
				for _, commits := range []bool{true, false} {
					tx, err := conn.BeginTx(a.Context(), nil)
					a.err("begin", err)
					rows := in
					if wrong {
						rows = append(rows[:2:2], []any{9, "wrong"})
					}
					a.raw(conn, func(conn *pgx.Conn) error {
						n, err := conn.CopyFrom(a.Context(), pgx.Identifier{"records"}, []string{"id", "note"}, pgx.CopyFromRows(rows))
						a.say("%d rows copied", n)
						return err
					})
					a.query(tx, "SELECT count(*) FROM records")
					a.raw(conn, func(conn *pgx.Conn) error {
						var out bytes.Buffer
						_, err := conn.PgConn().CopyTo(a.Context(), &out, "COPY records (id, note) TO STDOUT")
						a.say("%q", out.String())
						return err
					})
					if !commits {
						a.err("rollback", tx.Rollback())
					} else {
						a.err("commit", tx.Commit())
					}
					a.query(conn, "SELECT id, note FROM records")
					a.exec(conn, "DELETE FROM records")
				}
			}
			a.raw(conn, func(conn *pgx.Conn) error {
				_, err := conn.CopyFrom(a.Context(), pgx.Identifier{"records"}, []string{"id", "note"}, pgx.CopyFromFunc(func() ([]any, error) {
					return nil, fmt.Errorf("no more")
				}))
				return err
			})
		})
		a.rows()
	},
	"batches": func(a *app) {
		for _, wrong := range []bool{false, true} {
			a.conn(func(conn *sql.Conn) {
				tx, err := conn.BeginTx(a.Context(), nil)
				a.err("begin", err)
				a.raw(conn, func(conn *pgx.Conn) error {
					batch := &pgx.Batch{}
					batch.Queue(insert, 1, "a")
					if wrong {
						batch.Queue(insert, 2, "wrong")
					}
					batch.Queue("SELECT note FROM records WHERE id = $1", 1)
					results := conn.SendBatch(a.Context(), batch)
					for range batch.Len() {
						tag, err := results.Exec()
						a.say("batch: %s", tag)
						a.err("batch", err)
					}
					return results.Close()
				})
				a.err("commit", tx.Commit())
			})
			a.rows()
			a.exec(a.db, "DELETE FROM records")
		}
	},
	"a pipeline of the app's own": func(a *app) {
		a.conn(func(conn *sql.Conn) {
			tx, err := conn.BeginTx(a.Context(), nil)
			a.err("begin", err)
			a.raw(conn, func(conn *pgx.Conn) error {
				p := conn.PgConn().StartPipeline(a.Context())
				p.SendQueryParams("INSERT INTO records VALUES (1, 'a')", nil, nil, nil, nil)
				if err := p.Sync(); err != nil {
					return err
				}
				p.SendQueryParams("INSERT INTO records VALUES (2, 'wrong')", nil, nil, nil, nil)
				if err := p.Sync(); err != nil {
					return err
				}
				for {
					results, err := p.GetResults()
					if err != nil {
						a.err("results", err)
					}
					if reader, ok := results.(*pgconn.ResultReader); ok {
						tag, err := reader.Close()
						a.say("pipeline: %s", tag)
						a.err("pipeline", err)
					}
					if results == nil && err == nil {
						return p.Close()
					}
				}
			})
			a.err("commit", tx.Commit())
		})
		a.rows()
	},
	"notifications": func(a *app) {
		a.conn(func(listener *sql.Conn) {
			a.exec(listener, "LISTEN news")
			a.commit(func(tx *sql.Tx) { a.exec(tx, "NOTIFY news, 'from a transaction'"); a.exec(tx, insert, 1, "a") })
			a.raw(listener, func(conn *pgx.Conn) error {
				n, err := conn.WaitForNotification(a.Context())
				if err == nil {
					a.say("%s: %s", n.Channel, n.Payload)
				}
				return err
			})
			tx, err := listener.BeginTx(a.Context(), nil)
			a.err("begin", err)
			a.exec(a.db, "NOTIFY news, 'from outside'")
			a.exec(tx, insert, 2, "b")
			a.err("commit", tx.Commit())
			a.raw(listener, func(conn *pgx.Conn) error {
				n, err := conn.WaitForNotification(a.Context())
				if err == nil {
					a.say("%s: %s", n.Channel, n.Payload)
				}
				return err
			})
			a.exec(listener, "UNLISTEN *")
		})
	},
	"a connection that dies": func(a *app) {
		for _, before := range []bool{false, true} {
			tx, err := a.db.Begin()
			a.err("begin", err)
			if before {
				a.exec(tx, insert, 1, "a")
			}
			a.killAll()
			_, err = tx.Exec(insert, 2, "b")
			a.say("failed: %v", err != nil)
			a.say("commit failed: %v", tx.Commit() != nil)
			a.rows()
		}
	},
	"two transactions on a connection": func(a *app) {
		a.conn(func(conn *sql.Conn) {
			one, err := conn.BeginTx(a.Context(), nil)
			a.err("begin", err)
			a.exec(one, insert, 1, "a")
			a.err("commit", one.Commit())
			two, err := conn.BeginTx(a.Context(), nil)
			a.err("begin", err)
			a.err("rollback", two.Rollback())
			a.err("ping", conn.PingContext(a.Context()))
			three, err := conn.BeginTx(a.Context(), nil)
			a.err("begin", err)
			a.err("ping", conn.PingContext(a.Context()))
			a.exec(three, insert, 2, "b")
			a.err("commit", three.Commit())
		})
		a.rows()
	},
}
