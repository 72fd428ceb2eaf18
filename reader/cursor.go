package reader

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"lateral/auth"
)

// position is where a page by key begins: behind a record of which nothing but its place in the order
// is known.
type position struct {
	// binding is the hash of what the place belongs to: model, domain and order.
	binding binding
	// values are those that the record is ordered by, as PostgreSQL's texts; nil: NULL.
	values []*string
}

type binding [16]byte

// shape tells which of the values are NULL: statements differ by that, and not by the values.
func (p *position) shape() string {
	if p == nil {
		return "start"
	}
	shape := make([]byte, len(p.values))
	for i, value := range p.values {
		shape[i] = 'v'
		if value == nil {
			shape[i] = '0'
		}
	}
	return string(shape)
}

// cursorVersion is the first byte of cursors, which leads the client's text.
const cursorVersion = 1

// cursors seals positions. The values that records are ordered by may be hidden from the user, such as
// the name of a partner that sales orders are sorted by, and a position of the client's own making
// would be a way to compare them with anything: clients can neither read a cursor nor make one.
type cursors struct {
	secret func(ctx context.Context) ([]byte, error)

	mu    sync.Mutex
	key   []byte
	until time.Time
}

// cursorKeyAge is how long a key counts as the one that holds now: so much later a changed secret is known.
const cursorKeyAge = time.Minute

// newCursors returns cursors under a secret; without one they end with the process.
func newCursors(secret func(ctx context.Context) ([]byte, error)) *cursors {
	if secret == nil {
		own := []byte(rand.Text())
		secret = func(context.Context) ([]byte, error) { return own, nil }
	}
	return &cursors{secret: secret}
}

// sealer returns what the cursors of now are sealed under. While the secret cannot be read, that of before holds.
func (c *cursors) sealer(ctx context.Context, uid int64) (*sealer, error) {
	c.mu.Lock()
	key, fresh := c.key, time.Now().Before(c.until)
	c.mu.Unlock()
	if !fresh {
		secret, err := c.secret(ctx)
		switch {
		case err == nil:
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte("lateral cursors"))
			key = mac.Sum(nil)
			c.mu.Lock()
			c.key, c.until = key, time.Now().Add(cursorKeyAge)
			c.mu.Unlock()
		case key == nil:
			return nil, fmt.Errorf("the secret that cursors are sealed under: %w", err)
		}
	}
	return &sealer{key: key, uid: uid}, nil
}

// sealer seals the positions of one user.
type sealer struct {
	key []byte
	uid int64
}

// owner is what a cursor is sealed for.
func (s *sealer) owner() []byte {
	return binary.AppendVarint([]byte{cursorVersion}, s.uid)
}

// seal returns the cursor of a position.
func (s *sealer) seal(p *position) (string, error) {
	aead, err := chacha20poly1305.NewX(s.key)
	if err != nil {
		return "", fmt.Errorf("seal a cursor: %w", err)
	}
	plain := append([]byte(nil), p.binding[:]...)
	for _, value := range p.values {
		if value == nil {
			plain = append(plain, 0)
			continue
		}
		plain = binary.AppendUvarint(plain, uint64(len(*value))+1)
		plain = append(plain, *value...)
	}
	// A nonce that is made of what is sealed gives equal pages equal cursors, and so equal answers.
	mac := hmac.New(sha256.New, s.key)
	mac.Write(s.owner())
	mac.Write(plain)
	sealed := make([]byte, 0, 1+aead.NonceSize()+len(plain)+aead.Overhead())
	sealed = append(append(sealed, cursorVersion), mac.Sum(nil)[:aead.NonceSize()]...)
	return base64.RawURLEncoding.EncodeToString(aead.Seal(sealed, sealed[1:], plain, s.owner())), nil
}

// open returns the position of a cursor. It fails with an *Error on what is none of this user's.
func (s *sealer) open(cursor string) (*position, error) {
	aead, err := chacha20poly1305.NewX(s.key)
	if err != nil {
		return nil, fmt.Errorf("open a cursor: %w", err)
	}
	// Strict, so that a position has one text.
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) < 1+aead.NonceSize() || raw[0] != cursorVersion {
		return nil, badCursor()
	}
	nonce, sealed := raw[1:1+aead.NonceSize()], raw[1+aead.NonceSize():]
	plain, err := aead.Open(nil, nonce, sealed, s.owner())
	if err != nil {
		return nil, badCursor()
	}
	p := &position{}
	plain = plain[copy(p.binding[:], plain):]
	for len(plain) > 0 {
		length, n := binary.Uvarint(plain)
		if n <= 0 || length > uint64(len(plain)-n)+1 {
			return nil, badCursor()
		}
		plain = plain[n:]
		if length == 0 {
			p.values = append(p.values, nil)
			continue
		}
		value := string(plain[:length-1])
		plain = plain[length-1:]
		p.values = append(p.values, &value)
	}
	return p, nil
}

func badCursor() *Error {
	return &Error{Kind: Invalid, Field: "after", Message: "after: this is no cursor of this server for this user, or it is one of before a restart"}
}

// openCursor sets where a page by key begins, and what its cursor is sealed under.
func (r *Reader) openCursor(ctx context.Context, who auth.Credentials, q *Query) error {
	switch {
	case !q.Keyset:
		return nil
	case q.One:
		return invalid("after: one record has no pages")
	case q.Offset != 0:
		return &Error{Kind: Invalid, Field: "offset", Message: "offset: a page that begins behind a cursor skips nothing else"}
	}
	var err error
	if q.seal, err = r.cursors.sealer(ctx, who.UID); err != nil || q.After == "" {
		return err
	}
	q.from, err = q.seal.open(q.After)
	return err
}

// follows fails where a query's cursor is of another read.
func (p *prepared) follows(q Query) error {
	switch {
	case q.from == nil || p.statement == nil:
		return nil
	case q.from.binding != p.statement.binding:
		return otherCursor()
	}
	return nil
}

func otherCursor() *Error {
	return &Error{
		Kind: Invalid, Field: "after",
		Message: "after: this cursor is of a read with another model, order, language or other filters",
	}
}

// bind returns the binding of the pages of a plan in an order.
func bind(p *Plan, o ordering) binding {
	var b strings.Builder
	writeKey(&b, p.Root.Model.Name)
	for _, term := range o.terms {
		writeKey(&b, term.label+" "+term.typ+term.suffix())
	}
	writeKey(&b, p.RawDomain)
	writeKey(&b, p.Context.Lang)
	fmt.Fprint(&b, p.Context.Companies)
	if p.Context.ActiveTest != nil {
		writeKey(&b, *p.Context.ActiveTest)
	}
	sum := sha256.Sum256([]byte(b.String()))
	return binding(sum[:16])
}
