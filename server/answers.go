package server

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"lateral/auth/kv"
)

// firstAnswer is an answer as it is given again.
type firstAnswer struct {
	Status      int    `json:"status"`
	ContentType string `json:"type"`
	Kept        bool   `json:"kept"` // the body was not too long to be kept
	body        []byte
}

// answers keeps the first answers of requests with an idempotency key, in cells that processes
// may share. A cell is named by a hash of user and key, and sealed, both under the database's own
// secret: whoever reads the cells without that finds nothing.
type answers struct {
	cells    kv.Cells
	secret   func(ctx context.Context) ([]byte, error)
	lifetime time.Duration
	lease    time.Duration // after which a request that has not ended is given up: its process has died
	longest  int           // body that is kept
	now      func() time.Time
}

// newAnswers returns what the dependencies and the configuration make of it.
func newAnswers(deps Deps, config Config) *answers {
	a := &answers{
		cells: deps.Answers, secret: deps.Secret, lifetime: config.IdempotencyLifetime,
		lease: config.RequestTimeout + settleTimeout, longest: config.IdempotencyAnswer, now: time.Now,
	}
	if a.cells == nil {
		a.cells = kv.NewMemory(config.IdempotencyMemory, time.Now)
	}
	if a.secret == nil {
		own := []byte(rand.Text())
		a.secret = func(context.Context) ([]byte, error) { return own, nil }
	}
	if config.RequestTimeout == 0 {
		a.lease = endlessLease
	}
	return a
}

// answerState is where the first request of a key stands.
type answerState byte

const (
	answerPending answerState = iota + 1
	answerKept
	answerUnknown // whether the request has changed anything is not known
)

// answerRecord is the content of a cell.
type answerRecord struct {
	state   answerState
	request [sha256.Size]byte // fingerprint
	claim   [16]byte          // of the process that works on it
	lease   int64             // until when it does, in milliseconds since 1970
	sealed  []byte            // the answer
}

const answerHead = 1 + sha256.Size + 16 + 8

func (r answerRecord) bytes() []byte {
	b := make([]byte, 0, answerHead+len(r.sealed))
	b = append(b, byte(r.state))
	b = append(b, r.request[:]...)
	b = append(b, r.claim[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.lease))
	return append(b, r.sealed...)
}

var errBrokenAnswer = errors.New("a kept answer cannot be read")

func readAnswerRecord(b []byte) (answerRecord, error) {
	var r answerRecord
	if len(b) < answerHead {
		return r, errBrokenAnswer
	}
	r.state = answerState(b[0])
	b = b[1:]
	b = b[copy(r.request[:], b):]
	b = b[copy(r.claim[:], b):]
	r.lease = int64(binary.BigEndian.Uint64(b))
	r.sealed = bytes.Clone(b[8:])
	return r, nil
}

// claim is a key that a request holds while it is worked on.
type claim struct {
	answers *answers
	name    string
	seal    [sha256.Size]byte // key
	record  answerRecord
}

// Errors of a key that is not this request's to work on.
var (
	errKeyReused  = errors.New("the key was used for another request")
	errKeyPending = errors.New("the first request with the key is being worked on")
	errKeyUnknown = errors.New("the outcome of the first request with the key is not known")
)

// begin claims the key for a request, or returns the first answer. It fails with one of the errors
// above, or with those of the cells and of the secret.
func (a *answers) begin(ctx context.Context, uid int64, key string, request []byte) (*claim, *firstAnswer, error) {
	secret, err := a.secret(ctx)
	if err != nil {
		return nil, nil, err
	}
	user := binary.BigEndian.AppendUint64(nil, uint64(uid))
	name := derive(secret, "name", user, []byte(key))
	c := &claim{answers: a, name: hex.EncodeToString(name[:]), seal: derive(secret, "seal", user, []byte(key))}
	c.record = answerRecord{state: answerPending, request: derive(secret, "request", user, request)}
	_, _ = rand.Read(c.record.claim[:])

	var found *answerRecord
	err = a.cells.Update(ctx, c.name, func(old []byte) ([]byte, time.Duration) {
		found = nil
		if old != nil {
			// What cannot be read is not to be run again.
			r, err := readAnswerRecord(old)
			if err != nil {
				r = answerRecord{state: answerUnknown, request: c.record.request}
			}
			found = &r
			return old, 0
		}
		c.record.lease = a.now().Add(a.lease).UnixMilli()
		return c.record.bytes(), a.lifetime
	})
	switch {
	case err != nil:
		// The claim may have arrived although its answer did not. Nothing has run under it.
		return nil, nil, errors.Join(err, c.release(context.WithoutCancel(ctx)))
	case found == nil:
		return c, nil, nil
	case found.request != c.record.request:
		return nil, nil, errKeyReused
	case found.state == answerKept:
		answer, err := c.open(found.sealed)
		if err != nil {
			return nil, nil, errKeyUnknown
		}
		return nil, answer, nil
	case found.state == answerPending && a.now().UnixMilli() < found.lease:
		return nil, nil, errKeyPending
	}
	return nil, nil, errKeyUnknown
}

// release gives the key back: the request has changed nothing.
func (c *claim) release(ctx context.Context) error {
	return c.answers.cells.Update(ctx, c.name, func(old []byte) ([]byte, time.Duration) {
		if !c.holds(old) {
			return old, 0
		}
		return nil, 0
	})
}

// giveUp marks that the outcome of the request is not known.
func (c *claim) giveUp(ctx context.Context) error {
	return c.settle(ctx, answerUnknown, nil)
}

// keep keeps the answer; without its body where that is too long, or where there is no room.
func (c *claim) keep(ctx context.Context, answer firstAnswer) error {
	answer.Kept = answer.Kept && len(answer.body) <= c.answers.longest
	if answer.Kept {
		err := c.settle(ctx, answerKept, c.sealAnswer(answer))
		if !errors.Is(err, kv.ErrFull) {
			return err
		}
	}
	answer.Kept, answer.body = false, nil
	return c.settle(ctx, answerKept, c.sealAnswer(answer))
}

func (c *claim) settle(ctx context.Context, state answerState, sealed []byte) error {
	record := c.record
	record.state, record.sealed = state, sealed
	err := c.answers.cells.Update(ctx, c.name, func(old []byte) ([]byte, time.Duration) {
		// A store that has lost the claim still learns what became of it.
		if old != nil && !c.holds(old) {
			return old, 0
		}
		return record.bytes(), c.answers.lifetime
	})
	if err != nil {
		return fmt.Errorf("keep the answer of an idempotency key: %w", err)
	}
	return nil
}

// holds reports whether a cell is still this claim's.
func (c *claim) holds(cell []byte) bool {
	r, err := readAnswerRecord(cell)
	return err == nil && r.state == answerPending && r.claim == c.record.claim
}

// sealAnswer encrypts an answer under the claim's key. The nonce is random, since the same key is
// used again where an idempotency key is, after its day.
func (c *claim) sealAnswer(answer firstAnswer) []byte {
	head, err := json.Marshal(answer)
	if err != nil {
		head = []byte("{}") // numbers and texts always have a form in JSON
	}
	plain := append(append(head, '\n'), answer.body...)
	aead, err := chacha20poly1305.NewX(c.seal[:])
	if err != nil {
		return nil // the key has the right length
	}
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	_, _ = rand.Read(nonce)
	return aead.Seal(nonce, nonce, plain, []byte(c.name))
}

func (c *claim) open(sealed []byte) (*firstAnswer, error) {
	aead, err := chacha20poly1305.NewX(c.seal[:])
	if err != nil || len(sealed) < aead.NonceSize() {
		return nil, errBrokenAnswer
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], []byte(c.name))
	if err != nil {
		return nil, errBrokenAnswer
	}
	head, body, _ := bytes.Cut(plain, []byte("\n"))
	answer := &firstAnswer{body: body}
	if err := json.Unmarshal(head, answer); err != nil || answer.Status == 0 {
		return nil, errBrokenAnswer
	}
	return answer, nil
}

// derive is HMAC-SHA256 over parts, with their lengths, under the secret.
func derive(secret []byte, purpose string, parts ...[]byte) (key [sha256.Size]byte) {
	mac := hmac.New(sha256.New, secret)
	for _, part := range append([][]byte{[]byte("lateral idempotency " + purpose)}, parts...) {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(length[:])
		mac.Write(part)
	}
	copy(key[:], mac.Sum(nil))
	return key
}
