package hooks

import (
	"sync"
	"testing"

	"gorm.io/gorm/schema"
)

type shelf struct {
	ID    uint
	Books []book
}

type book struct {
	ID      uint
	ShelfID uint
}

// GORM notes a relation at the other model too, whenever it first meets the
// one that declares it.
func TestLinkOfAModelThatGORMIsAddingTo(t *testing.T) {
	t.Parallel()
	for range 100 {
		cache := &sync.Map{}
		model, err := schema.Parse(&book{}, cache, schema.NamingStrategy{})
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := schema.Parse(&shelf{}, cache, schema.NamingStrategy{}); err != nil {
				t.Error(err)
			}
		})
		if link := linkOf(model); link != nil {
			t.Errorf("a book is taken for the link %v", link)
		}
		group.Wait()
	}
}
