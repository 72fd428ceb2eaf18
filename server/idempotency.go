package server

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"time"

	"github.com/valyala/fasthttp"

	"lateral/auth/kv"
	"lateral/writer"
)

const (
	// longestKey bounds an idempotency key, in bytes.
	longestKey = 255
	// How often, and for how long, a request looks whether its twin has ended.
	twinPoll     = 100 * time.Millisecond
	twinPatience = 10 * time.Second
	// settleTimeout bounds how long an answer waits for being kept.
	settleTimeout = 5 * time.Second
	// endlessLease is how long a request is taken to be worked on where its time has no limit.
	endlessLease = 15 * time.Minute
)

// idempotent makes a handler answer a request that carries an Idempotency-Key only once: further
// ones with the key get the first answer again. Where it is certain that a request has changed
// nothing, its key is free again.
func (s *Server) idempotent(handler func(*exchange)) func(*exchange) {
	return func(x *exchange) {
		key, given, err := idempotencyKey(&x.ctx.Request.Header)
		if !given {
			handler(x)
			return
		}
		who, failed := x.authenticate()
		if failed != nil {
			err = failed
		}
		if err != nil {
			x.fail(err)
			return
		}
		claim, first, err := x.claimKey(who.UID, key)
		switch {
		case err != nil:
			x.fail(keyProblem(key, err))
		case first != nil:
			x.again(key, first)
		default:
			x.runOnce(claim, handler)
		}
	}
}

// idempotencyKey returns the request's key.
func idempotencyKey(header *fasthttp.RequestHeader) (key string, given bool, err error) {
	lines := header.PeekAll("Idempotency-Key")
	if len(lines) == 0 {
		return "", false, nil
	}
	key = string(lines[0])
	wrong := len(lines) > 1 || key == "" || len(key) > longestKey
	for i := range len(key) {
		wrong = wrong || key[i] < 0x20 || key[i] > 0x7e
	}
	if wrong {
		return "", true, same(fasthttp.StatusBadRequest, "invalid_idempotency_key",
			"Idempotency-Key: it must be one text of 1 to 255 printable ASCII characters.")
	}
	return key, true, nil
}

// claimKey claims a key, or returns the first answer to it. While the first request is worked on, it
// waits for its end, for a while.
func (x *exchange) claimKey(uid int64, key string) (*claim, *firstAnswer, error) {
	ctx, _, cancel := x.context()
	defer cancel()
	// Also a replay is for users who are there: the user may be gone since the first answer.
	if _, err := x.s.deps.Users.User(ctx, uid); err != nil {
		return nil, nil, endedBy(ctx, err)
	}
	request := fingerprint(x.ctx)
	for deadline := time.Now().Add(twinPatience); ; {
		claim, first, err := x.s.answers.begin(ctx, uid, key, request)
		if !errors.Is(err, errKeyPending) || time.Now().After(deadline) {
			if err != nil {
				err = endedBy(ctx, err)
			}
			return claim, first, err
		}
		timer := time.NewTimer(twinPoll)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, nil, endedBy(ctx, ctx.Err())
		}
	}
}

// fingerprint is all of a request that decides what it does: a key stands for one.
func fingerprint(ctx *fasthttp.RequestCtx) []byte {
	var b []byte
	for _, part := range [][]byte{ctx.Method(), ctx.Request.RequestURI(), ctx.Request.Header.ContentType(), ctx.PostBody()} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}

// again gives the first answer again.
func (x *exchange) again(key string, first *firstAnswer) {
	if !first.Kept {
		x.fail(same(fasthttp.StatusConflict, "idempotency_answer_not_kept",
			"The request with the Idempotency-Key "+quoted(key)+" has run, but its answer was too long to be kept. It was not run again."))
		return
	}
	response := &x.ctx.Response
	response.Header.Set("Idempotency-Replayed", "true")
	response.Header.SetContentType(first.ContentType)
	response.SetStatusCode(first.Status)
	response.SetBody(first.body)
}

// runOnce has the handler work on a request and settles what becomes of its key, also where the
// handler panics.
func (x *exchange) runOnce(c *claim, handler func(*exchange)) {
	x.effects = &writer.Effects{}
	ended := false
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
		defer cancel()
		if err := x.settle(ctx, c, ended); err != nil {
			// The claim ends by itself, and then counts as unknown.
			x.s.log.Warn("an idempotency key is left open", slog.String("request_id", x.id), slog.String("cause", err.Error()))
		}
	}()
	handler(x)
	ended = true
}

func (x *exchange) settle(ctx context.Context, c *claim, ended bool) error {
	response := &x.ctx.Response
	status := response.StatusCode()
	outcome := x.effects.Outcome()
	switch {
	case !ended, status >= 400 && outcome == writer.Unknown, status >= 500 && outcome == writer.Done:
		return c.giveUp(ctx)
	case status >= 400 && outcome == writer.Undone:
		return c.release(ctx)
	}
	first := firstAnswer{Status: status, ContentType: string(response.Header.ContentType())}
	if !x.streaming && !response.IsBodyStream() {
		first.Kept, first.body = true, response.Body()
	}
	return c.keep(ctx, first)
}

// keyProblem is what a client is told where its key cannot be worked on.
func keyProblem(key string, err error) error {
	named := "The Idempotency-Key " + quoted(key)
	switch {
	case errors.Is(err, errKeyReused):
		return same(fasthttp.StatusUnprocessableEntity, "idempotency_key_reused",
			named+" was used for another request (verb, path, query or body). Nothing was done.")
	case errors.Is(err, errKeyPending):
		p := same(fasthttp.StatusConflict, "idempotency_key_in_use",
			named+" is that of a request that is being worked on. Send this one again to get its answer.")
		p.retryAfter = retryOverload
		return p
	case errors.Is(err, errKeyUnknown):
		return same(fasthttp.StatusConflict, "idempotency_outcome_unknown",
			named+" is that of a request whose outcome is not known: it may or may not have run, and was not run again. "+
				"Look in Odoo, and use another key.")
	case errors.Is(err, kv.ErrFull):
		return overloaded("The server keeps as many idempotency keys as it may. Nothing was done.")
	}
	return err
}
