package eventaudit

import (
	"slices"

	"github.com/eventaudit/eventaudit/internal/address"
	"github.com/eventaudit/eventaudit/outbox"
)

// Config returns the settings in force, for showing them: ActiveRepo is filled
// in and secrets are masked. Changing it changes nothing.
func (a *Auditor) Config() Config {
	c := a.config
	c.ActiveRepo = c.activeRepo()
	for _, list := range []*[]string{
		&c.RestrictAvailableRepos, &c.Ignore.Categories, &c.Ignore.Actions, &c.Ignore.Models,
		&c.Track.Models, &c.RequireReason, &c.Redact.Fields,
	} {
		*list = slices.Clone(*list)
	}
	c.Redis.URL = address.Masked(c.Redis.URL)
	c.CloudWatch.Endpoint = address.Masked(c.CloudWatch.Endpoint)
	for _, secret := range []*string{&c.CloudWatch.AccessKey, &c.CloudWatch.SecretKey} {
		if *secret != "" {
			*secret = address.Mask
		}
	}
	return c
}

// Outbox returns the outbox that carries events to the repository. There is
// none where events stay in the app's own database, and none before db.Use.
func (a *Auditor) Outbox() (*outbox.Outbox, bool) {
	t, err := a.installed()
	if err != nil || t.outbox == nil {
		return nil, false
	}
	return t.outbox, true
}

// ModelRule is what the settings say of a model.
type ModelRule struct {
	// Object is the Go type name, or the table name where there is no model;
	// Table is the table.
	Object, Table string
	// Audited says that its changes are recorded.
	Audited bool
	// ByDefault says that it is not audited because the default of
	// ignore.models names it, and no setting of the app's.
	ByDefault bool
}

// ModelRules returns the models that this process has met so far, by object:
// the rules decide about a model when the app first writes to it.
func (a *Auditor) ModelRules() []ModelRule {
	t, err := a.installed()
	if err != nil {
		return nil
	}
	return t.rules.decided()
}
