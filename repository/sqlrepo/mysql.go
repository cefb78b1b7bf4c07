package sqlrepo

import "time"

// mysql passes timestamps as text both ways, so that the parseTime and loc
// settings of the driver and the time zone of the session cannot change them.
//
// INSERT IGNORE would be shorter than a no-op update, but it also ignores
// values that do not fit.
//
// The optimizer looks up an equality on the first columns of an index by these
// alone, even when a bound on the next follows: a page in the middle of a busy
// actor's list would cost all of the list before it. Spelled as a range whose
// ends are equal, with the actor in front of the order, the same condition is
// looked up by both columns.
func mysql() dialect {
	return dialect{
		name:          "mysql",
		quote:         "`",
		passOver:      " ON DUPLICATE KEY UPDATE `id` = `id`",
		chunk:         100,
		bindTime:      func(t time.Time) any { return t.UTC().Format("2006-01-02 15:04:05.000000") },
		readTime:      "DATE_FORMAT(`timestamp`, '%Y-%m-%dT%H:%i:%s.%fZ')",
		equalsAsRange: true,
		noLimit:       "18446744073709551615",
		columns:       "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?",
	}
}
