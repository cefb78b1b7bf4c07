package eventaudit_test

import (
	"gorm.io/driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit/internal/oracle"
)

// tile is a row of a table with triggers. Its title tells them what to do.
type tile struct {
	Code   string `gorm:"primaryKey;size:64"`
	Title  string `gorm:"size:40"`
	Amount int
}

// Trunk is a tile whose rows are altered, deleted, refused and passed over
// by triggers.
type Trunk tile

// Nomad is a tile whose rows are given other keys by triggers.
type Nomad tile

// Weed is a tile whose rows come back when they are deleted.
type Weed tile

var triggerTables = []oracle.Table{
	{Object: "Trunk", Name: "trunks", Keys: []string{"code"}},
	{Object: "Nomad", Name: "nomads", Keys: []string{"code"}},
	{Object: "Weed", Name: "weeds", Keys: []string{"code"}},
}

var drawTitle = rapid.SampledFrom([]string{"plain", "fix", "late", "move", "same", "other", "gone", "skip", "refuse", ""})

func drawTile(t *rapid.T) tile {
	return tile{
		rapid.SampledFrom([]string{"a", "b", "c", "ax", "bx"}).Draw(t, "code"),
		drawTitle.Draw(t, "title"), drawAmount.Draw(t, "amount"),
	}
}

// triggersByDatabase make the triggers. In MySQL and MariaDB one cannot write
// to its own table.
var triggersByDatabase = map[string][]string{
	"postgres": {
		`CREATE FUNCTION before_trunk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.title = 'skip' THEN RETURN NULL; END IF;
			IF NEW.title = 'refuse' THEN RAISE EXCEPTION 'refused'; END IF;
			IF NEW.title = 'fix' THEN NEW.title := 'fixed'; NEW.amount := NEW.amount + 10; END IF;
			RETURN NEW; END $$`,
		`CREATE TRIGGER b BEFORE INSERT OR UPDATE ON trunks FOR EACH ROW EXECUTE FUNCTION before_trunk()`,
		`CREATE FUNCTION after_trunk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			UPDATE trunks SET title = 'done', amount = amount + 1 WHERE code = NEW.code AND title = 'late';
			DELETE FROM trunks WHERE code = NEW.code AND title = 'gone';
			RETURN NULL; END $$`,
		`CREATE TRIGGER a AFTER INSERT OR UPDATE ON trunks FOR EACH ROW EXECUTE FUNCTION after_trunk()`,
		`CREATE FUNCTION after_nomad() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			UPDATE nomads SET code = NEW.code || 'x', title = 'moved' WHERE code = NEW.code AND title = 'move';
			RETURN NULL; END $$`,
		`CREATE TRIGGER a AFTER INSERT OR UPDATE ON nomads FOR EACH ROW EXECUTE FUNCTION after_nomad()`,
		`CREATE FUNCTION after_weed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO weeds (code, title, amount) SELECT OLD.code, OLD.title, OLD.amount WHERE OLD.title = 'same';
			INSERT INTO weeds (code, title, amount) SELECT OLD.code, 'again', OLD.amount WHERE OLD.title = 'other';
			RETURN NULL; END $$`,
		`CREATE TRIGGER a AFTER DELETE ON weeds FOR EACH ROW EXECUTE FUNCTION after_weed()`,
	},
	"sqlite": {
		`CREATE TRIGGER pi BEFORE INSERT ON trunks BEGIN
			SELECT RAISE(IGNORE) WHERE NEW.title = 'skip'; SELECT RAISE(ABORT, 'refused') WHERE NEW.title = 'refuse'; END`,
		`CREATE TRIGGER pu BEFORE UPDATE ON trunks BEGIN
			SELECT RAISE(IGNORE) WHERE NEW.title = 'skip'; SELECT RAISE(ABORT, 'refused') WHERE NEW.title = 'refuse'; END`,
		`CREATE TRIGGER pai AFTER INSERT ON trunks BEGIN
			UPDATE trunks SET title = 'done', amount = amount + 1 WHERE code = NEW.code AND title IN ('late', 'fix');
			DELETE FROM trunks WHERE code = NEW.code AND title = 'gone'; END`,
		`CREATE TRIGGER pau AFTER UPDATE ON trunks BEGIN
			UPDATE trunks SET title = 'done', amount = amount + 1 WHERE code = NEW.code AND title IN ('late', 'fix');
			DELETE FROM trunks WHERE code = NEW.code AND title = 'gone'; END`,
		`CREATE TRIGGER ni AFTER INSERT ON nomads BEGIN
			UPDATE nomads SET code = NEW.code || 'x', title = 'moved' WHERE code = NEW.code AND title = 'move'; END`,
		`CREATE TRIGGER nu AFTER UPDATE ON nomads BEGIN
			UPDATE nomads SET code = NEW.code || 'x', title = 'moved' WHERE code = NEW.code AND title = 'move'; END`,
		`CREATE TRIGGER wd AFTER DELETE ON weeds BEGIN
			INSERT INTO weeds (code, title, amount) SELECT OLD.code, OLD.title, OLD.amount WHERE OLD.title = 'same';
			INSERT INTO weeds (code, title, amount) SELECT OLD.code, 'again', OLD.amount WHERE OLD.title = 'other'; END`,
	},
	"mysql": {
		`CREATE TRIGGER pi BEFORE INSERT ON trunks FOR EACH ROW BEGIN
			IF NEW.title = 'refuse' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused'; END IF;
			IF NEW.title = 'fix' THEN SET NEW.title = 'fixed', NEW.amount = NEW.amount + 10; END IF; END`,
		`CREATE TRIGGER pu BEFORE UPDATE ON trunks FOR EACH ROW BEGIN
			IF NEW.title = 'refuse' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused'; END IF;
			IF NEW.title = 'skip' THEN SET NEW.title = OLD.title, NEW.amount = OLD.amount; END IF;
			IF NEW.title = 'fix' THEN SET NEW.title = 'fixed', NEW.amount = NEW.amount + 10; END IF; END`,
		`CREATE TRIGGER ni BEFORE INSERT ON nomads FOR EACH ROW
			SET NEW.code = IF(NEW.title = 'move', CONCAT(NEW.code, 'x'), NEW.code), NEW.title = IF(NEW.title = 'move', 'moved', NEW.title)`,
		`CREATE TRIGGER nu BEFORE UPDATE ON nomads FOR EACH ROW
			SET NEW.code = IF(NEW.title = 'move', CONCAT(NEW.code, 'x'), NEW.code), NEW.title = IF(NEW.title = 'move', 'moved', NEW.title)`,
	},
}

// tiles are operations on the tables with triggers.
var tiles = concatTiles()

func concatTiles() (all []operation) {
	byTable := [][]operation{tilesOf[Trunk](), tilesOf[Nomad](), tilesOf[Weed]()}
	for i := range byTable[0] {
		all = append(all, operation{byTable[0][i].name + " with triggers", func(t *rapid.T) act {
			return pick(t, "table", byTable)[i].draw(t)
		}})
	}
	return all
}

// drawAs draws a tile of a table.
func drawAs[T Trunk | Nomad | Weed](t *rapid.T) T { return T(drawTile(t)) }

// unlessRefused leaves out the upserts which docs/not-captured.md says are
// refused: those of MySQL into a table whose triggers move keys.
func unlessRefused[T, V any](do func(db *gorm.DB, value *V) *gorm.DB) func(db *gorm.DB, value *V) *gorm.DB {
	_, moves := any(*new(T)).(Nomad)
	return func(db *gorm.DB, value *V) *gorm.DB {
		if moves && withoutReturns(db) {
			return db.Session(&gorm.Session{})
		}
		return do(db, value)
	}
}

// withoutReturns reports whether the database is as MySQL is.
func withoutReturns(db *gorm.DB) bool {
	dialector, ok := db.Dialector.(*mysql.Dialector)
	return ok && dialector.DisableWithReturning
}

func tilesOf[T Trunk | Nomad | Weed]() []operation {
	return []operation{
		one("create", drawAs[T], create),
		some("create several", drawAs[T], create),
		one("create and return", drawAs[T], func(db *gorm.DB, v *T) *gorm.DB { return db.Clauses(clause.Returning{}).Create(v) }),
		one("update one", drawTile, func(db *gorm.DB, v *tile) *gorm.DB {
			return db.Model(new(T)).Where("code = ?", v.Code).Updates(map[string]any{"title": v.Title, "amount": v.Amount})
		}),
		one("update by condition", drawTile, func(db *gorm.DB, v *tile) *gorm.DB {
			return db.Model(new(T)).Where("amount >= ?", v.Amount).Update("title", v.Title)
		}),
		one("update the key", drawTile, func(db *gorm.DB, v *tile) *gorm.DB {
			return db.Model(new(T)).Where("amount = ?", v.Amount).Updates(map[string]any{"code": v.Code, "title": v.Title})
		}),
		{"update and return", func(t *rapid.T) act {
			v := drawTile(t)
			return func(db *gorm.DB) result {
				rows := []T{}
				return did(db.Model(&rows).Clauses(clause.Returning{}).Where("code = ?", v.Code).Update("title", v.Title), rows)
			}
		}},
		one("save", drawAs[T], unlessRefused[T](save[T])),
		some("save several", drawAs[T], unlessRefused[T](save[[]T])),
		some("upsert or nothing", drawAs[T], unlessRefused[T](on[[]T](nothing))),
		one("delete", drawAs[T], func(db *gorm.DB, v *T) *gorm.DB { return db.Delete(v) }),
		one("delete by condition", drawTile, func(db *gorm.DB, v *tile) *gorm.DB {
			return db.Where("amount <= ?", v.Amount).Delete(new(T))
		}),
		{"delete and return", func(t *rapid.T) act {
			v := drawTile(t)
			return func(db *gorm.DB) result {
				rows := []T{}
				return did(db.Clauses(clause.Returning{}).Where("title = ?", v.Title).Delete(&rows), rows)
			}
		}},
	}
}
