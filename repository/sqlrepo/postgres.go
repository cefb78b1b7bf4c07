package sqlrepo

import "time"

func postgres() dialect {
	return dialect{
		name:         "postgres",
		quote:        `"`,
		numbered:     true,
		passOver:     ` ON CONFLICT ("id") DO NOTHING`,
		chunk:        500,
		unnests:      true,
		bindTime:     func(t time.Time) any { return t },
		readTime:     `"timestamp"`,
		comparesRows: true,
		packs:        texts,
		lateral:      true,
		always:       neverGeneric,
		noLimit:      "ALL",
		columns:      `SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0 AND NOT attisdropped`,
	}
}

// neverGeneric keeps PostgreSQL from answering a list with a generic plan.
//
// Drivers prepare statements, and from the sixth execution PostgreSQL may plan
// a prepared one once for all values, which costs two hundred times as much for
// an actor with half of the events as for one with three. It does so when the
// generic plan looks no dearer than those made for the values. The argument is
// always true: planned with its value, the condition folds away; planned
// without, it seems to cost the counting of 10^18 rows, so that the generic
// plan is never chosen. No row is ever counted, since OR stops at true.
const neverGeneric = `(%s OR (SELECT count(*) FROM generate_series(1, 1000000000000000000)) < 0)`
