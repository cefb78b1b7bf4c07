package eventaudit_test

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
)

// The models of the tests: together they have every kind of key and column.

// Customer has an auto-increment key, an embedded struct, a Valuer, a
// serialized column and a soft delete.
type Customer struct {
	ID        uint
	Name      string
	Email     *string
	Tier      Tier
	Tags      []string `gorm:"serializer:json"`
	Address   Address  `gorm:"embedded;embeddedPrefix:address_"`
	Balance   float64
	Vip       bool
	Avatar    []byte
	SeenAt    *time.Time
	CreatedAt time.Time
	UpdatedAt time.Time
	DeletedAt gorm.DeletedAt `gorm:"index"`
}

// Address is embedded.
type Address struct {
	Street string
	City   string
}

// Tier is a driver.Valuer and sql.Scanner that stores a letter.
type Tier int

// Value stores the tier as a letter.
func (t Tier) Value() (driver.Value, error) {
	if t < 0 || t > 2 {
		return nil, fmt.Errorf("tier %d is unknown", t)
	}
	return string("abc"[t]), nil
}

// Scan reads the letter back.
func (t *Tier) Scan(source any) error {
	text := fmt.Sprint(source)
	if raw, ok := source.([]byte); ok {
		text = string(raw)
	}
	at := strings.Index("abc", text)
	if at < 0 || len(text) != 1 {
		return errors.New("not a tier: " + text)
	}
	*t = Tier(at)
	return nil
}

// GormDataType makes it a text column.
func (Tier) GormDataType() string { return "string" }

// Product has a string key and a column default.
type Product struct {
	SKU   string `gorm:"primaryKey;size:64"`
	Title string
	Price int64
	State string `gorm:"size:20;default:draft"`
}

// Stock has a composite key of a string and a number.
type Stock struct {
	SKU       string `gorm:"primaryKey;size:64"`
	Warehouse int    `gorm:"primaryKey;autoIncrement:false"`
	Amount    int
}

// Document has a UUID key made in Go.
type Document struct {
	ID   string `gorm:"primaryKey;size:36"`
	Body string
}
