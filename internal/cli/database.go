package cli

import (
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/eventaudit/eventaudit/event"
)

// openDatabase opens the database that the URL names.
func openDatabase(address string) (*gorm.DB, error) {
	dialector, err := dialectorFor(address)
	if err != nil {
		return nil, misused(err)
	}
	return gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
}

func dialectorFor(address string) (gorm.Dialector, error) {
	scheme, rest, found := strings.Cut(address, ":")
	switch {
	case address == "":
		return nil, &event.FieldError{Field: "database", Value: "", Reason: "is missing; pass --database or set DATABASE_URL, for example sqlite:app.db"}
	case scheme == "postgres" || scheme == "postgresql":
		return postgres.Open(address), nil
	case scheme == "mysql" || scheme == "mariadb":
		return mysqlDialector(address)
	case found && (scheme == "sqlite" || scheme == "sqlite3"):
		return sqliteDialector(strings.TrimPrefix(rest, "//")), nil
	}
	// The rest is not shown: it may hold a password.
	return nil, &event.FieldError{Field: "database", Value: scheme + ":…", Reason: "begins with none of postgres://, mysql:// and sqlite:; use one of these"}
}

// mysqlDialector translates the URL into the driver's own format. Rows are
// matched, not only changed ones counted, and times are times.
func mysqlDialector(address string) (gorm.Dialector, error) {
	wrong := &event.FieldError{Field: "database", Value: "mysql://…", Reason: "is not mysql://user:password@host:port/name; correct it, with special characters in the password as %XX"}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, wrong
	}
	cfg := mysql.NewConfig()
	cfg.User = u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	cfg.Net, cfg.Addr, cfg.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	dsn := cfg.FormatDSN()
	if u.RawQuery != "" {
		dsn += "&" + u.RawQuery
		if !strings.Contains(cfg.FormatDSN(), "?") {
			dsn = cfg.FormatDSN() + "?" + u.RawQuery
		}
	}
	if cfg, err = mysql.ParseDSN(dsn); err != nil {
		return nil, wrong
	}
	cfg.ParseTime, cfg.ClientFoundRows = true, true
	return gormmysql.New(gormmysql.Config{DSNConfig: cfg}), nil
}

// withOption adds an option of a SQLite driver to the path.
func withOption(path, option string) string {
	if strings.Contains(path, "?") {
		return "file:" + path + "&" + option
	}
	return "file:" + path + "?" + option
}
