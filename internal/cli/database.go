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

// openDatabase opens the database that the URL names. A file that is not there
// is made only if it is to be created.
func openDatabase(address string, create bool) (*gorm.DB, error) {
	dialector, err := dialectorFor(address, create)
	if err != nil {
		return nil, misused(err)
	}
	return gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
}

func dialectorFor(address string, create bool) (gorm.Dialector, error) {
	scheme, rest, found := strings.Cut(address, ":")
	switch {
	case address == "":
		return nil, &event.FieldError{Field: "database", Value: "", Reason: "is missing; pass --database or set DATABASE_URL, for example sqlite:app.db"}
	case scheme == "postgres" || scheme == "postgresql":
		return postgres.Open(address), nil
	case scheme == "mysql" || scheme == "mariadb":
		return mysqlDialector(address)
	case found && (scheme == "sqlite" || scheme == "sqlite3"):
		file, err := sqliteFile(strings.TrimPrefix(rest, "//"), create)
		if err != nil {
			return nil, err
		}
		return sqliteDialector(file), nil
	}
	// The rest is not shown: it may hold a password. So may the beginning of what
	// is no URL.
	shown := "…"
	if found && isScheme(scheme) {
		shown = scheme + ":…"
	}
	return nil, &event.FieldError{Field: "database", Value: shown, Reason: "begins with none of postgres://, mysql:// and sqlite:; use one of these"}
}

// isScheme reports whether a URL may begin with this, see RFC 3986, section 3.1.
func isScheme(text string) bool {
	return text != "" && strings.Trim(strings.ToLower(text), "abcdefghijklmnopqrstuvwxyz") == ""
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

// sqliteFile returns the URI of a database, with room for one option more. What
// the path has behind a question mark are options already.
func sqliteFile(path string, create bool) (uri string, err error) {
	path, options, _ := strings.Cut(path, "?")
	file, whole := strings.CutPrefix(path, "file:")
	if file == "" {
		return "", &event.FieldError{Field: "database", Value: "sqlite:", Reason: "names no file; use sqlite:app.db, for example"}
	}
	if !whole { // a path and no URI
		file = strings.NewReplacer("%", "%25", "#", "%23").Replace(file)
	}
	given, err := url.ParseQuery(options)
	if err != nil {
		return "", &event.FieldError{Field: "database", Value: "sqlite:…", Reason: "has options behind the question mark that cannot be read: write them as name=value, with & between them"}
	}
	if !create && !given.Has("mode") && file != ":memory:" {
		options = strings.TrimPrefix(options+"&mode=rw", "&")
	}
	if options != "" {
		options += "&"
	}
	return "file:" + file + "?" + options, nil
}
