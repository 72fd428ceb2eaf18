package reader

import (
	sq "github.com/Masterminds/squirrel"

	"lateral/schema"
)

// followerSearch is the search method of message_partner_ids in 14.0, by which rules give portal users
// the documents that they follow.
const followerSearch = "_search_follower_partners"

// followed compiles a comparison of a record's followers: those of mail.followers that match are looked
// for as superuser, and the records are those that they follow (Odoo 14.0:
// addons/mail/models/mail_thread.py, _search_follower_partners).
func (t table) followed(f *schema.Field, d schema.Condition, m mode) (sq.Sqlizer, error) {
	c := t.scope.c
	followers := c.catalogue.Model("mail.followers")
	ids, empty, err := recordIDs(listOf(d.Value))
	if !isList(d.Value) {
		ids, empty, err = recordIDs([]any{d.Value})
	}
	switch {
	case followers == nil || followers.Table == "" || followers.Field("res_id") == nil:
		return nil, delegate("%s.%s: there is no mail.followers", t.model.Name, f.Name)
	case d.Path != f.Name, err != nil, empty, len(ids) == 0, d.Op != "=" && d.Op != "in" && d.Op != "child_of":
		return nil, delegate("%s.%s compared by %s", t.model.Name, d.Path, d.Op)
	}
	m.super = true
	target := table{scope: c.newScope(), model: followers, alias: c.alias()}
	predicate, err := target.domain(schema.And{
		schema.Condition{Path: "res_model", Op: "=", Value: t.model.Name},
		schema.Condition{Path: "partner_id", Op: d.Op, Value: d.Value},
	}, m)
	if err != nil {
		return nil, err
	}
	// A list of ids has no NULL.
	where := []sq.Sqlizer{predicate, sq.Expr(target.column("res_id") + " IS NOT NULL")}
	return sq.Expr(t.alias+".id IN (?)", target.query("res_id", where)), nil
}
