package main

import (
	"context"
	"sync"
	"time"

	"gorm.io/gorm"
)

// account has a dozen columns, as tables of apps have.
type account struct {
	gorm.Model
	Name      string `gorm:"size:60"`
	Email     string `gorm:"size:60"`
	Status    string `gorm:"size:20"`
	Age       int    `gorm:"index"`
	Balance   float64
	Active    bool
	LastLogin time.Time
	Settings  string `gorm:"size:200"`
}

func accounts(n int) []account {
	rows := make([]account, n)
	for i := range rows {
		rows[i] = account{
			Name: "Erika Mustermann", Email: "erika@example.org", Status: "active", Age: 20 + i%60, Balance: 1234.56, Active: true,
			LastLogin: time.Date(2026, 3, 2, 10, 30, 0, 0, time.UTC), Settings: `{"theme":"dark","language":"de"}`,
		}
	}
	return rows
}

// operation is what is measured. Prepare runs before each time and is not
// measured.
type operation struct {
	name string
	// large ones are measured less often.
	large   bool
	prepare func(db *gorm.DB) (any, error)
	run     func(db *gorm.DB, prepared any) error
}

func nothing(*gorm.DB) (any, error) { return nil, nil }

// stored stores rows without auditing them.
func stored(n int) func(db *gorm.DB) (any, error) {
	return func(db *gorm.DB) (any, error) {
		rows := accounts(n)
		return rows, beside(db).Create(&rows).Error
	}
}

func create(n int) func(db *gorm.DB, _ any) error {
	return func(db *gorm.DB, _ any) error {
		rows := accounts(n)
		if n == 1 {
			return db.Create(&rows[0]).Error
		}
		return db.Create(&rows).Error
	}
}

func update(db *gorm.DB, prepared any) error {
	row := prepared.([]account)[0]
	return db.Model(&row).Updates(map[string]any{"status": "closed", "balance": row.Balance + 1}).Error
}

// writers write at the same time.
const writers = 8

var operations = []operation{
	{"Create 1", false, nothing, create(1)},
	{"Update 1", false, stored(1), update},
	{"Delete 1", false, stored(1), func(db *gorm.DB, prepared any) error { return db.Delete(&prepared.([]account)[0]).Error }},
	{"Transaction of ten", false, stored(1), func(db *gorm.DB, prepared any) error {
		row := prepared.([]account)[0]
		return db.Transaction(func(tx *gorm.DB) error {
			for i := range 10 {
				var err error
				if i%2 == 0 {
					err = create(1)(tx, nil)
				} else {
					err = tx.Model(&row).Update("balance", float64(i)).Error
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}},
	{"Create 100", false, nothing, create(100)},
	{"Create 1000", true, nothing, create(1000)},
	{"Update 1000", true, func(db *gorm.DB) (any, error) {
		if err := beside(db).Exec("DELETE FROM accounts").Error; err != nil {
			return nil, err
		}
		return stored(1000)(db)
	}, func(db *gorm.DB, _ any) error {
		return db.Model(&account{}).Where("age >= ?", 0).Update("balance", gorm.Expr("balance + 1")).Error
	}},
	{"Create 1, 8 goroutines", true, nothing, func(db *gorm.DB, _ any) error {
		var group sync.WaitGroup
		failed := make(chan error, writers)
		for range writers {
			group.Go(func() {
				for range 10 {
					if err := create(1)(db.WithContext(context.Background()), nil); err != nil {
						failed <- err
						return
					}
				}
			})
		}
		group.Wait()
		close(failed)
		return <-failed
	}},
}
