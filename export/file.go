package export

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/eventaudit/eventaudit/event"
)

// WriteFile writes the events to a file of that name, which only its owner may
// read. It writes beside it, under a name with a dot in front and ".partial"
// behind, and renames at the end, so that the name never stands for a part: a
// file that was there before stays until the new one is complete, and stays for
// good when there is an error. What was written so far is removed then; it is
// left only where the process was killed.
func WriteFile(name string, exporter Exporter, events iter.Seq2[event.Event, error]) error {
	name, err := target(name)
	if err != nil {
		return err
	}
	partial, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.partial")
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if err := complete(partial, exporter, events); err != nil {
		return errors.Join(err, os.Remove(partial.Name()))
	}
	if err := os.Rename(partial.Name(), name); err != nil {
		return errors.Join(fmt.Errorf("export: %w", err), os.Remove(partial.Name()))
	}
	return nil
}

// target returns where the file is, behind symbolic links.
func target(name string) (string, error) {
	at, err := filepath.EvalSymlinks(name)
	if errors.Is(err, fs.ErrNotExist) {
		return name, nil
	}
	if err != nil {
		return "", fmt.Errorf("export: %w", err)
	}
	info, err := os.Stat(at)
	if err != nil {
		return "", fmt.Errorf("export: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", &event.FieldError{Field: "output", Value: name, Reason: "is there and no regular file; choose another name"}
	}
	return at, nil
}

// complete writes the file to the disk and closes it.
func complete(file *os.File, exporter Exporter, events iter.Seq2[event.Event, error]) error {
	err := exporter.Export(file, events)
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}
