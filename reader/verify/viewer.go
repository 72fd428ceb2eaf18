package verify

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"lateral/auth"
	"lateral/pg"
	"lateral/schema"
	"lateral/writer"
)

// AccessViewer tells what users may read by what lateral itself knows of them.
type AccessViewer struct {
	directory *auth.Directory
	database  pg.Querier
	catalogue *schema.Catalogue
	odoo      writer.Caller
	users     map[string]auth.Credentials
	known     sync.Map // [2]string of user and model → View
}

// NewAccessViewer returns a viewer of the users' access.
func NewAccessViewer(d *auth.Directory, q pg.Querier, c *schema.Catalogue, odoo writer.Caller, users []Reading) *AccessViewer {
	v := &AccessViewer{directory: d, database: q, catalogue: c, odoo: odoo, users: map[string]auth.Credentials{}}
	for _, u := range users {
		v.users[u.Name] = u.Credentials
	}
	return v
}

// View implements Viewer.
func (v *AccessViewer) View(ctx context.Context, user, model string) (View, error) {
	key := [2]string{user, model}
	if known, ok := v.known.Load(key); ok {
		return known.(View), nil
	}
	who := v.users[user]
	p, err := v.directory.Principal(ctx, v.database, v.catalogue, who.UID, nil)
	if err != nil {
		return View{}, fmt.Errorf("user %s: %w", user, err)
	}
	access, err := p.Access(ctx, v.database, v.catalogue, model, writer.NewUserCaller(v.odoo, who, nil))
	var view View
	fault, refused := errors.AsType[*writer.Fault](err)
	switch {
	case refused && fault.Kind != writer.Unavailable && fault.Kind != writer.Timeout && fault.Kind != writer.Canceled:
		// What Odoo cannot describe may be read or not.
	case err != nil:
		return View{}, err
	case access != nil && access.Readable:
		view = View{Readable: true, Fields: make(map[string]bool, len(access.Fields))}
		for name := range access.Fields {
			view.Fields[name] = true
		}
	}
	v.known.Store(key, view)
	return view, nil
}
