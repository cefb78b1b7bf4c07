// Package pgpipe connects to PostgreSQL with fewer round trips. It is pgx's own
// database/sql driver; only what goes over the wire is put together better:
//
//   - BEGIN waits for the first statement of its transaction and is sent with it.
//   - A statement that begins with the comment [Deferred] waits for the next
//     statement, or the COMMIT, and is sent with it. One that begins with
//     [Ahead] does not end the wait.
//
// A transaction of one statement thus takes two round trips instead of three,
// with a deferred statement in it two instead of four, and one that does nothing
// takes none.
//
//	db, err := gorm.Open(pgpipe.Open("postgres://app@db/app"))
//
// or, for database/sql, sql.OpenDB(pgpipe.Connector(config)).
//
// Everything else is as without it: types, errors with their SQLSTATE, prepared
// statements and all query exec modes of pgx, savepoints, COPY, LISTEN, batches,
// TLS, cancellation. What a program can notice is:
//
//   - The server begins the transaction with its first statement: now() is the
//     time of that, and an error of BEGIN itself is that statement's. The
//     connection is then given up.
//   - A deferred statement seems to succeed at once and to affect no rows. Its
//     error is that of what was sent with it, a later statement or the COMMIT,
//     see [IsDeferred]. Nothing is ever committed without it. When the error says
//     that the prepared statement is gone, or its table another one, the
//     connection is given up, so that the next transaction prepares it anew.
//   - After a restart of the server, database/sql goes on with another connection
//     when BEGIN fails on a dead one. Here BEGIN fails with the first statement,
//     which is not tried again. Pgx asks a connection whether it lives before it
//     is used if that was idle for more than a second.
//   - Tracers and loggers of pgx see a BEGIN and a deferred statement that take
//     no time.
//   - A connection that is hijacked from pgx must not be in a transaction.
//   - PgConn.Conn returns a wrapped net.Conn; its method NetConn has the one below,
//     such as a *tls.Conn. Pgx binds a SCRAM login to the TLS channel where it
//     finds a *tls.Conn, so that login is not bound. With channel_binding=require
//     it is, and the connection is one without pipelining.
package pgpipe

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
)

// Deferred is the comment that a statement begins with that may wait. It has to
// be one without rows, in the extended protocol (any exec mode of pgx but
// QueryExecModeSimpleProtocol), whose count of rows the program does not look
// at. It waits in a transaction only; elsewhere, and over any other connection,
// the comment changes nothing. A pipeline of pgconn must not contain a statement
// with this mark or with that of Ahead.
const Deferred = "/*audit:defer*/"

// Ahead is the comment that a statement begins with that neither reads nor
// changes what deferred ones before it write. It goes to the server ahead of
// them, and they wait on: the many of a transaction are then sent at once. It
// has to be in the extended protocol, too; elsewhere, and over any other
// connection, the comment changes nothing.
const Ahead = "/*audit:ahead*/"

// IsDeferred reports whether the error is that of a deferred statement, which
// a later statement or the COMMIT returned in its place. It is a
// *pgconn.PgError, whose field Where says so too.
func IsDeferred(err error) bool {
	var said *pgconn.PgError
	return errors.As(err, &said) && strings.HasSuffix(said.Where, why)
}

// Connector returns a connector for sql.OpenDB. The configuration comes from
// pgx.ParseConfig. The connector is safe for use by several goroutines.
func Connector(config pgx.ConnConfig, opts ...stdlib.OptionOpenDB) driver.Connector {
	pipeline(&config)
	return stdlib.GetConnector(config, opts...)
}

// Open returns the dialector of gorm.io/driver/postgres for gorm.Open, with
// connections that are those of a Connector. The data source name is pgx's: a
// URL, or keywords and values.
func Open(dsn string) gorm.Dialector {
	before := stdlib.OptionBeforeConnect(func(_ context.Context, config *pgx.ConnConfig) error {
		pipeline(config)
		return nil
	})
	return postgres.New(postgres.Config{DSN: dsn, OptionOpenDB: []stdlib.OptionOpenDB{before}})
}

// pipeline puts a filter between pgx and every connection. Pgx writes a batch
// straight to the connection, past its codec, so the filter has to be there. It
// reads above the reader that pgx may leave waiting for the server while
// replies are made up.
func pipeline(config *pgx.ConnConfig) {
	if config.ChannelBinding == "require" {
		return
	}
	connected, build, told := config.AfterNetConnect, config.BuildFrontend, config.OnPgError
	config.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		if outdated(err) {
			return false // pgx closes the connection
		}
		return told == nil || told(conn, err)
	}
	config.AfterNetConnect = func(ctx context.Context, config *pgconn.Config, c net.Conn) (net.Conn, error) {
		if connected != nil {
			var err error
			if c, err = connected(ctx, config, c); err != nil {
				return c, err
			}
		}
		return &conn{c, newFilter(c)}, nil
	}
	config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		c, ok := w.(*conn)
		if !ok { // not a connection that was made here
			return build(r, w)
		}
		c.filter.r = r
		return build(c.filter, w)
	}
}

// outdated reports whether an error says that a deferred statement is not what
// the server knows: prepared statements were deallocated (26000), or the table
// is another one (class 42). Pgx would prepare the statement anew, but does not
// see the error as that of this statement.
func outdated(err *pgconn.PgError) bool {
	return IsDeferred(err) && (err.Code == "26000" || strings.HasPrefix(err.Code, "42"))
}

// conn is a connection that is written to through a filter.
type conn struct {
	net.Conn
	filter *filter
}

func (c *conn) Write(p []byte) (int, error) { return c.filter.Write(p) }

// NetConn returns the connection to the server, as that of a *tls.Conn does.
func (c *conn) NetConn() net.Conn { return c.Conn }
