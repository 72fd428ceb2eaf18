package stack

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// waitForOdoo waits until Odoo can log a user in, which is when it has loaded the database's registry.
func (s *Stack) waitForOdoo(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	err := poll(ctx, 100*time.Millisecond, func(ctx context.Context) (bool, error) {
		if err := s.backend.odooFailure(); err != nil {
			return true, err
		}
		uid, err := s.authenticate(ctx, s.User(RoleAdmin))
		if err != nil {
			return false, err
		}
		if uid == 0 {
			return true, fmt.Errorf("login %q is refused", RoleAdmin)
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for Odoo: %w", err)
	}
	return nil
}

// authenticate returns the id of a user, or 0 if Odoo refuses the login. It speaks the little of XML-RPC that this
// takes, so that the stack does not depend on the client that is tested with it.
func (s *Stack) authenticate(ctx context.Context, user User) (int, error) {
	var body strings.Builder
	body.WriteString("<?xml version='1.0'?><methodCall><methodName>authenticate</methodName><params>")
	for _, text := range []string{s.Database, user.Login, user.Password} {
		body.WriteString("<param><value><string>")
		if err := xml.EscapeText(&body, []byte(text)); err != nil {
			return 0, fmt.Errorf("authenticate: %w", err)
		}
		body.WriteString("</string></value></param>")
	}
	body.WriteString("<param><value><struct></struct></value></param></params></methodCall>")

	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.OdooURL+"/xmlrpc/2/common", strings.NewReader(body.String()))
	if err != nil {
		return 0, fmt.Errorf("authenticate: %w", err)
	}
	request.Header.Set("Content-Type", "text/xml")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("authenticate: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return 0, fmt.Errorf("authenticate: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("authenticate: HTTP status %d", response.StatusCode)
	}
	return parseUID(text)
}

// parseUID reads the answer of authenticate: an integer, or false for a login that is refused.
func parseUID(answer []byte) (int, error) {
	var response struct {
		Int     string `xml:"params>param>value>int"`
		Boolean string `xml:"params>param>value>boolean"`
		Fault   *struct {
			Text string `xml:",innerxml"`
		} `xml:"fault"`
	}
	if err := xml.NewDecoder(bytes.NewReader(answer)).Decode(&response); err != nil {
		return 0, fmt.Errorf("authenticate: %w", err)
	}
	switch {
	case response.Fault != nil:
		return 0, fmt.Errorf("authenticate: fault %s", response.Fault.Text)
	case response.Int != "":
		return strconv.Atoi(response.Int)
	case response.Boolean == "0":
		return 0, nil
	default:
		return 0, fmt.Errorf("authenticate: unexpected answer %.200s", answer)
	}
}
