package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/actions"
)

// Employee has a bank account, which never reaches the trail.
type Employee struct {
	ID    uint
	Name  string
	Cents int64  // a month
	IBAN  string `audit:"redact"`
}

// budget is what all salaries of a month may add up to, in cents.
const budget = 1_000_000

var (
	errForbidden  = errors.New("only personnel may change salaries")
	errOverBudget = errors.New("the budget does not allow that")
)

// salary is the argument of a change, and so the payload of its event.
type salary struct {
	EmployeeID uint  `json:"employee_id"`
	Cents      int64 `json:"cents"`
}

type payroll struct{ db *gorm.DB }

// salaryChange returns payroll.change with every call of it in the trail: also
// the refused ones, and those that were rolled back.
func (p payroll) salaryChange(audit *eventaudit.Auditor) func(context.Context, salary) error {
	return actions.WrapErr(audit, "salary_change", p.change,
		actions.Object(func(s salary) (string, string) { return "Employee", strconv.Itoa(int(s.EmployeeID)) }),
		actions.Denied(func(err error) bool { return errors.Is(err, errForbidden) }))
}

// change knows nothing of the trail.
func (p payroll) change(ctx context.Context, s salary) error {
	if !userFrom(ctx).personnel {
		return errForbidden
	}
	return p.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		done := tx.Model(&Employee{ID: s.EmployeeID}).Update("cents", s.Cents)
		if done.Error != nil {
			return done.Error
		}
		if done.RowsAffected == 0 {
			return fmt.Errorf("employee %d: %w", s.EmployeeID, gorm.ErrRecordNotFound)
		}
		var total int64
		if err := tx.Model(&Employee{}).Select("sum(cents)").Scan(&total).Error; err != nil {
			return err
		}
		if total > budget {
			return errOverBudget
		}
		return nil
	})
}
