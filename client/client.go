// Package client talks to a lateral as anybody would: it logs in and makes requests.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Client is a client of one lateral. Token is empty until a login.
type Client struct {
	Base  string // http://host:port
	Token string
}

// Credentials returns the body of a login.
func Credentials(login, password string) ([]byte, error) {
	return json.Marshal(struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}{login, password})
}

// Login gets the token that later requests are made with.
func (c *Client) Login(ctx context.Context, login, password string) error {
	credentials, err := Credentials(login, password)
	if err != nil {
		return err
	}
	answer, err := c.Get(ctx, "/api/auth/get_tokens", credentials)
	if err != nil {
		return fmt.Errorf("log in as %s: %w", login, err)
	}
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(answer, &tokens); err != nil {
		return fmt.Errorf("log in as %s: %w", login, err)
	}
	c.Token = tokens.AccessToken
	return nil
}

// Get makes a request, with a body where it has parameters there, and returns the body of the answer. Any
// status but 200 is an error that tells the answer.
func (c *Client) Get(ctx context.Context, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if c.Token != "" {
		request.Header.Set("Access-Token", c.Token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	return answer, err
}
