// Package eventaudit keeps an audit trail for apps that use GORM. One line
// adopts it:
//
//	err := db.Use(eventaudit.Plugin())
//
// From then on every row that the app creates, updates or deletes through GORM
// leaves an event: who, what, when, and the values before and after as the
// database holds them. The event is written in the transaction of the change;
// the two commit together or not at all.
//
// # Setting up
//
// The event table is created by package migrate, once, before db.Use:
//
//	if err := migrate.Up(db); err != nil { … }
//	audit := eventaudit.Plugin()
//	if err := db.Use(audit); err != nil { … }
//	defer audit.Close(ctx)
//
// Every wrong setting fails at db.Use. Package config reads the settings from
// a file or the environment.
//
// # Saying who
//
// Package event puts the actor, the request, a reason and more into the
// context, from where the events take them:
//
//	ctx = event.WithActor(ctx, "user-123")
//	db.WithContext(ctx).Create(&order)
//
// # Asking
//
// Auditor.Events and Auditor.All read the trail by an event.Filter.
// Auditor.Record adds events of the app's own; Auditor.In does so within a
// transaction.
//
// # Where events go
//
// Package repository is the contract; sqlrepo, the default, is the app's own
// database, and redisrepo keeps the trail in Redis. Package hooks is the
// capture itself.
package eventaudit
