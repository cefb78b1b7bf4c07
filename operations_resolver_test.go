package eventaudit_test

import (
	"database/sql"
	"errors"
	"testing"

	"gorm.io/gorm"
	"gorm.io/plugin/dbresolver"

	"github.com/eventaudit/eventaudit/internal/testdb"
)

// deadReplica registers dbresolver with a source of its own and a replica that
// is closed by the function it returns: reading from it is an error then.
func deadReplica(t *testing.T, d *testdb.Database, db *gorm.DB) (die func() error) {
	t.Helper()
	resolver := dbresolver.Register(dbresolver.Config{
		Sources:  []gorm.Dialector{d.Open(t).Dialector},
		Replicas: []gorm.Dialector{d.Open(t).Dialector},
	})
	if err := db.Use(resolver); err != nil {
		t.Fatal(err)
	}
	var pools []*sql.DB // the source, the replica
	err := resolver.Call(func(pool gorm.ConnPool) error {
		pools = append(pools, pool.(*sql.DB))
		return nil
	})
	if err != nil || len(pools) != 2 {
		t.Fatalf("%d pools, %v", len(pools), err)
	}
	t.Cleanup(func() {
		if err := pools[0].Close(); err != nil {
			t.Error(err)
		}
	})
	return func() error {
		err := pools[1].Close()
		if db.Find(&[]Product{}).Error == nil {
			return errors.Join(err, errors.New("the replica is not used for reading"))
		}
		return err
	}
}
