package main

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
)

// Customer has a password, which never reaches the trail.
type Customer struct {
	ID           uint
	Name         string
	Email        string
	PasswordHash string
	DeletedAt    gorm.DeletedAt
}

// Product has a key of its own.
type Product struct {
	SKU   string `gorm:"primaryKey"`
	Name  string
	Cents int64
}

// Order has lines.
type Order struct {
	ID         uint
	CustomerID uint
	Status     string
	PaidAt     *time.Time
	Lines      []Line
}

// Line has a composite key.
type Line struct {
	OrderID  uint   `gorm:"primaryKey;autoIncrement:false"`
	SKU      string `gorm:"primaryKey"`
	Quantity int
}

var errCardRefused = errors.New("card refused")

// aDayInTheShop is ordinary GORM code: nothing in it knows of the trail but
// the contexts, which say who is acting and why.
func aDayInTheShop(ctx context.Context, db *gorm.DB) error {
	owner := db.WithContext(event.WithActor(ctx, "olga (owner)"))
	products := []Product{{"MUG", "Mug", 900}, {"TEA", "Green tea", 450}, {"POT", "Teapot", 3200}}
	if err := owner.Create(&products).Error; err != nil {
		return err
	}

	web := db.WithContext(event.WithRequest(event.WithActor(ctx, "ben (customer)"), event.Request{ID: "req-71", IPAddress: "203.0.113.9"}))
	ben := Customer{Name: "Ben", Email: "ben@example.com", PasswordHash: "$2a$10$N9qo8uLOickgx2ZMRZoMye"}
	if err := web.Create(&ben).Error; err != nil {
		return err
	}
	order := Order{CustomerID: ben.ID, Status: "open", Lines: []Line{{SKU: "MUG", Quantity: 2}, {SKU: "TEA", Quantity: 5}}}
	if err := web.Create(&order).Error; err != nil {
		return err
	}
	if err := web.Model(&ben).Update("password_hash", "$2a$10$8K1p/a0dL1LXMIgoEDFrwO").Error; err != nil {
		return err
	}

	// A payment that fails: the transaction rolls back, and so do its events.
	err := web.Transaction(func(tx *gorm.DB) error {
		if err := tx.Model(&order).Update("status", "paid").Error; err != nil {
			return err
		}
		return errCardRefused
	})
	if !errors.Is(err, errCardRefused) {
		return err
	}

	clerk := db.WithContext(event.WithReason(event.WithActor(ctx, "kim (clerk)"), "customer called"))
	if err := clerk.Model(&Line{OrderID: order.ID, SKU: "TEA"}).Update("quantity", 3).Error; err != nil {
		return err
	}
	paid := time.Date(2026, 3, 2, 10, 30, 0, 0, time.UTC)
	if err := clerk.Model(&order).Updates(Order{Status: "paid", PaidAt: &paid}).Error; err != nil {
		return err
	}

	// A price rise over many rows by one statement: one event per row.
	if err := owner.Model(&Product{}).Where("cents < ?", 1000).Update("cents", gorm.Expr("cents * 11 / 10")).Error; err != nil {
		return err
	}
	return owner.Delete(&ben).Error // a soft delete
}
