package hooks

// place ends a RETURNING list with the place of the row, where a trigger may
// move its key: the place leads to the version of the row that the trigger
// made.
func (s *statement) place() string {
	if !s.dialect.documents || !s.table.facts.triggers || s.table.facts.composed {
		return ""
	}
	return "," + s.tableName() + ".ctid::text"
}

// atPlace reads what became of the row that was there; nil when it is gone.
func (s *statement) atPlace(place any) (*image, error) {
	q := s.fresh()
	name := s.table.quoted()
	q.WriteString("SELECT " + s.dialect.row(s.table, name) + " FROM " + name + " WHERE ctid = currtid2(")
	q.AddVar(q, name)
	q.WriteString("::text,")
	q.AddVar(q, place)
	q.WriteString("::text::tid)")
	rows, err := s.selectRows(q)
	if err != nil {
		return nil, err
	}
	set, err := s.imagesOf(s.table, rows)
	if err != nil || len(set.rows) == 0 {
		return nil, err
	}
	return &set.rows[0], nil
}
