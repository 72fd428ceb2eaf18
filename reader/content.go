package reader

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"lateral/auth"
	"lateral/schema"
)

// Content is what a binary field holds.
type Content struct {
	// Path is the way in which the record was read: see Result.
	Path string
	Size int64 // in bytes
	// Type is a media type, Name the name of a file as the record has it, empty where it has none.
	Type, Name string
	// Hash is another where the content is.
	Hash string
	// Open returns the content from an offset on. It fails, at the latest while it is read, where
	// the content has changed since it was found. Errors are *Error.
	Open func(ctx context.Context, offset int64) (io.ReadCloser, error)
}

// Content finds the content of the binary field q.Content of one record, for those who may read the
// field of that record: the same plan as for a read decides. Errors are *Error; that of a field
// without content is NotFound.
func (r *Reader) Content(ctx context.Context, who auth.Credentials, q Query) (*Content, error) {
	q.One = true
	q.Context = withoutSizes(q.Context)
	for attempt := 1; ; attempt++ {
		c, err := r.findContent(ctx, who, q)
		if !errors.Is(err, errContentMoved) {
			return c, classify(err)
		}
		if attempt == maxAttempts {
			return nil, &Error{Kind: Overloaded, Message: "the content keeps changing", Err: err}
		}
	}
}

// errContentMoved tells that the content is no longer where it was found.
var errContentMoved = errors.New("the content has changed since it was found")

// withoutSizes drops from a context what makes Odoo answer the size of contents in their place.
func withoutSizes(requested map[string]any) map[string]any {
	var kept map[string]any
	for key, value := range requested {
		if !strings.HasPrefix(key, "bin_size") {
			if kept == nil {
				kept = make(map[string]any, len(requested))
			}
			kept[key] = value
		}
	}
	return kept
}

// contentPlace is where a content lies: in a column's base64 text, or in an attachment.
type contentPlace struct {
	Table, Column   string
	Row, Attachment int64
	Version         string // of the row
	File            string // of the attachment, within the filestore
	Chars           int64  // of the column's text
	Size            int64
	Hash, Type      string
}

// ownContent are the fields in which an attachment's own content is read, up to now in all series.
var ownContent = map[string]bool{"datas": true, "raw": true, "db_datas": true}

// attachments is the model whose records hold contents themselves.
const attachments = "ir.attachment"

func (r *Reader) findContent(ctx context.Context, who auth.Credentials, q Query) (*Content, error) {
	document, path, err := r.only(ctx, who, q)
	if err != nil {
		return nil, err
	}
	c := &Content{Path: path}
	for _, name := range nameFields(q.Content) {
		// A field that is not there is no text either.
		if json.Unmarshal(document[name], &c.Name) == nil && c.Name != "" {
			break
		}
	}
	if q.Model == attachments && ownContent[q.Content] {
		found, err := r.attachment(ctx, c, document)
		if err != nil || found {
			return c, err
		}
		return r.throughBase64(ctx, who, q, c)
	}
	value := document[q.Content]
	switch {
	case len(value) == 0 || string(value) == "null":
		return nil, noContent(q)
	case value[0] == '"':
		return c, c.fromBase64(value)
	}
	var place contentPlace
	if err := json.Unmarshal(value, &place); err != nil {
		return nil, fmt.Errorf("the place of a content: %w", err)
	}
	err = r.openPlace(ctx, c, place)
	if errors.Is(err, fs.ErrNotExist) {
		// A file that is missing is no content, as for Odoo.
		return nil, noContent(q)
	}
	return c, err
}

func noContent(q Query) error {
	return &Error{Kind: NotFound, Field: q.Content, Path: q.Content, Message: fmt.Sprintf("the field %s of this record is empty", q.Content)}
}

// only reads the one record of a query and returns its members.
func (r *Reader) only(ctx context.Context, who auth.Credentials, q Query) (document map[string]json.RawMessage, path string, err error) {
	result, err := r.read(ctx, who, q)
	if err != nil {
		return nil, "", err
	}
	text, err := result.Next(ctx)
	if err == nil {
		if err = json.Unmarshal(text, &document); err != nil {
			err = fmt.Errorf("the record of a content: %w", err)
		}
		// What ends the statement after its only row comes with the next one.
		if _, ended := result.Next(ctx); err == nil && !errors.Is(ended, io.EOF) {
			err = ended
		}
	} else if errors.Is(err, io.EOF) {
		err = &Error{Kind: NotFound}
	}
	if closed := result.Close(); err == nil {
		err = closed
	}
	return document, result.Path, err
}

// attachment finds the content of an attachment that Odoo let the user read. It reports false where
// Odoo has to be asked for the content too.
func (r *Reader) attachment(ctx context.Context, c *Content, document map[string]json.RawMessage) (bool, error) {
	var id int64
	var checksum *string
	var kind string
	for name, target := range map[string]any{"id": &id, "checksum": &checksum, "type": &kind} {
		if err := json.Unmarshal(document[name], target); err != nil {
			return false, fmt.Errorf("%s of an attachment: %w", name, err)
		}
	}
	if kind != "binary" {
		return false, nil
	}
	var text string
	err := r.deps.Pool.QueryRow(ctx, fmt.Sprintf(attachmentItself, attachmentPlace("a")), id, checksum).Scan(&text)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var place contentPlace
	if err := json.Unmarshal([]byte(text), &place); err != nil {
		return false, fmt.Errorf("the place of an attachment: %w", err)
	}
	err = r.openPlace(ctx, c, place)
	if errors.Is(err, errNotHere) || errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// throughBase64 has Odoo read an attachment's content, as base64 text and as a whole.
func (r *Reader) throughBase64(ctx context.Context, who auth.Credentials, q Query, c *Content) (*Content, error) {
	field := q.Content
	q.Content, q.Exclude, q.Include = "", "*", []any{field}
	document, path, err := r.only(ctx, who, q)
	if err != nil {
		return nil, err
	}
	value := document[field]
	if len(value) == 0 || value[0] != '"' {
		q.Content = field
		return nil, noContent(q)
	}
	c.Path = path
	return c, c.fromBase64(value)
}

// fromBase64 takes the content from a JSON string. Base64 has no characters that JSON escapes but
// line breaks, which Odoo's executor has dropped.
func (c *Content) fromBase64(value []byte) error {
	content := make([]byte, base64.StdEncoding.DecodedLen(len(value)-2))
	n, err := base64.StdEncoding.Decode(content, value[1:len(value)-1])
	if err != nil {
		return &Error{Kind: Invalid, Message: "the field holds no base64 text", Err: err}
	}
	content = content[:n]
	c.Size, c.Hash = int64(n), hashOf(content)
	c.Type = sniff(content[:min(n, sniffSize)])
	c.Open = func(_ context.Context, offset int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content[offset:])), nil
	}
	return nil
}

// errNotHere tells that the content lies where only Odoo gets it from.
var errNotHere = errors.New("the content is kept elsewhere")

// openPlace makes a content's place readable.
func (r *Reader) openPlace(ctx context.Context, c *Content, place contentPlace) error {
	c.Size, c.Hash, c.Type = place.Size, place.Hash, place.Type
	switch {
	case place.File != "":
		if err := r.openFile(c, place.File); err != nil {
			return err
		}
	default:
		c.Open = func(ctx context.Context, offset int64) (io.ReadCloser, error) {
			return newContentSlices(ctx, r.deps.Pool, place, offset), nil
		}
	}
	if c.Hash == "" {
		// Without a checksum, which all of Odoo's attachments have, the row's version tells.
		c.Hash = fmt.Sprintf("%d-%s", place.Attachment, place.Version)
	}
	if c.Type != "" {
		return nil
	}
	content, err := c.Open(ctx, 0)
	if err != nil {
		return err
	}
	head, err := io.ReadAll(io.LimitReader(content, sniffSize))
	if err != nil {
		return err
	}
	c.Type = sniff(head)
	return content.Close()
}

// openFile makes a file of the filestore readable. Whatever its name is, it is not looked for
// elsewhere.
func (r *Reader) openFile(c *Content, name string) error {
	if r.deps.Filestore == "" || !storedName.MatchString(name) {
		return errNotHere
	}
	open := func() (*os.File, error) { return os.OpenInRoot(r.deps.Filestore, filepath.FromSlash(name)) }
	file, err := open()
	if err != nil {
		return fmt.Errorf("the filestore: %w", err)
	}
	about, err := file.Stat()
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		return fmt.Errorf("the filestore: %w", err)
	}
	if c.Size = about.Size(); c.Size == 0 {
		return fs.ErrNotExist
	}
	// Files of the filestore are never changed: another content has another name.
	c.Open = func(_ context.Context, offset int64) (io.ReadCloser, error) {
		file, err := open()
		if err != nil {
			return nil, classify(fmt.Errorf("the filestore: %w", err))
		}
		if _, err := file.Seek(offset, io.SeekStart); err != nil {
			_ = file.Close()
			return nil, classify(fmt.Errorf("the filestore: %w", err))
		}
		return file, nil
	}
	return nil
}

// contentItems are the fields to read in order to find a content: the field itself and what may
// hold the name of a file. Of an attachment, whose access is for Odoo to decide, the content itself
// is not read with it.
func contentItems(model *schema.Model, access *auth.ModelAccess, field string) ([]schema.Item, error) {
	f := model.Field(field)
	if f == nil || f.Type != schema.Binary && f.Type != schema.Image {
		e := invalid("%s has no binary field %q", model.Name, field)
		e.Field, e.Path = field, field
		return nil, e
	}
	items := []schema.Item{{Name: field}}
	if model.Name == attachments && ownContent[field] {
		if _, visible := access.Fields[field]; !visible {
			return nil, denied("the user may not read the field %s of %s", field, model.Name)
		}
		items = []schema.Item{{Name: "id"}, {Name: "checksum"}, {Name: "type"}}
	}
	for _, name := range nameFields(field) {
		named := model.Field(name)
		if _, visible := access.Fields[name]; visible && named != nil && named.Type == schema.Char && (named.Stored || len(named.Related) > 0) {
			items = append(items, schema.Item{Name: name})
		}
	}
	return items, nil
}

// nameFields are the fields that may hold the name of a binary field's file, the best first: the
// companions that Odoo's add-ons give such fields, and the name that Odoo's own download takes.
func nameFields(field string) []string {
	return []string{field + "_fname", field + "_filename", field + "_file_name", field + "_name", "name"}
}

// place makes a level's field of that name one whose place is read.
func (l *Level) place(field string) {
	for _, n := range l.Nodes {
		if n.Key == field {
			n.Shape = Place
		}
	}
}
