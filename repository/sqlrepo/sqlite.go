package sqlrepo

import "time"

// sqlite keeps timestamps as text of fixed width, which sorts as time does.
// Its chunks are smaller because the cost of the pure Go driver grows with the
// number of parameters.
func sqlite() dialect {
	return dialect{
		name:         "sqlite",
		quote:        `"`,
		passOver:     ` ON CONFLICT ("id") DO NOTHING`,
		chunk:        50,
		shares:       true,
		prepares:     true,
		bindTime:     func(t time.Time) any { return t.UTC().Format(textTime) },
		readTime:     `"timestamp"`,
		comparesRows: true,
		packs:        shorts,
		unindexed:    "+",
		repeatsWhere: true,
		noLimit:      "-1",
		columns:      `SELECT name FROM pragma_table_info(?)`,
	}
}
