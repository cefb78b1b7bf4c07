package hooks

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// memoryRows is how many rows of a statement are kept in memory; the rest
// waits in a file, because their events can only be written when the database
// has sent the last of them.
const memoryRows = 2_000

// pieceRows is how many of them come back at a time.
const pieceRows = 500

// spill is a file of rows. It has no name: nobody else can open it, and it is
// gone when it is closed or the process dies.
type spill struct {
	*spillFile
	// from and to are the columns of interest; to is zero for all of them.
	from, to int
}

type spillFile struct {
	file    *os.File
	buffer  *bufio.Writer
	encoder *gob.Encoder
	rows    int
}

// cut returns the spill with only some of its columns.
func (s *spill) cut(from, to int) *spill {
	return &spill{spillFile: s.spillFile, from: s.from + from, to: s.from + to}
}

func newSpill() (*spill, error) {
	gob.Register(time.Time{})
	file, err := os.CreateTemp("", "eventaudit-*")
	if err != nil {
		return nil, fmt.Errorf("hooks: a file for the rows of a large statement: %w", err)
	}
	s := &spill{spillFile: &spillFile{file: file, buffer: bufio.NewWriterSize(file, 1<<16)}}
	s.encoder = gob.NewEncoder(s.buffer)
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return s, nil
}

// spilledRow is a row in the file. Gob has no nil within a slice of any, so
// that nulls are named by their places.
type spilledRow struct {
	Values []any
	Nulls  []int
}

func (s *spill) add(values []any) error {
	row := spilledRow{Values: make([]any, len(values))}
	for i, value := range values {
		if value == nil {
			row.Nulls = append(row.Nulls, i)
			value = false
		}
		row.Values[i] = value
	}
	s.rows++
	return s.encoder.Encode(row)
}

// pieces calls each with the rows, some at a time, in order.
func (s *spill) pieces(each func(values [][]any) error) error {
	if err := s.buffer.Flush(); err != nil {
		return err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	decoder := gob.NewDecoder(bufio.NewReaderSize(s.file, 1<<16))
	for left := s.rows; left > 0; {
		piece := make([][]any, min(left, pieceRows))
		for i := range piece {
			var row spilledRow
			if err := decoder.Decode(&row); err != nil {
				return err
			}
			for _, null := range row.Nulls {
				row.Values[null] = nil
			}
			piece[i] = row.Values
			if s.to > 0 {
				piece[i] = row.Values[s.from:s.to]
			}
		}
		left -= len(piece)
		if err := each(piece); err != nil {
			return err
		}
	}
	return nil
}

func (s *spill) close() error { return s.file.Close() }
