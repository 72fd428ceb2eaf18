package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"

	"lateral/reader"
)

// place is where a page by key begins, as the service has sealed it and as the reader of the ceiling has.
type place struct{ service, reader string }

// behind finds the place behind so many records of a page.
func (b *bench) behind(ctx context.Context, w workload, records int) (*place, error) {
	values := url.Values{"order": {w.Page.Order}, "limit": {fmt.Sprint(records)}, "after": {""}, "exclude_fields": {"*"}}
	answer, err := b.service.get(ctx, "/api/"+w.Model+"?"+values.Encode(), w.Role)
	if err != nil {
		return nil, err
	}
	var page struct{ Next string }
	if err := json.Unmarshal(answer, &page); err != nil {
		return nil, err
	}
	q := reader.Query{Model: w.Model, Profile: reader.Classic(), Order: w.Page.Order, Limit: int64(records), Keyset: true, Exclude: "*"}
	result, err := b.Reader.Read(ctx, b.users[w.Role], q)
	if err != nil {
		return nil, err
	}
	for err == nil {
		_, err = result.Next(ctx)
	}
	if !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, result.Close())
	}
	cursor, _, err := result.Cursor()
	if err = errors.Join(err, result.Close()); err != nil {
		return nil, err
	}
	return &place{service: page.Next, reader: cursor}, nil
}
