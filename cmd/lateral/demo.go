package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lateral/examples/presets"
	"lateral/integration/stack"
)

// demoOptions are the flags of the command demo.
type demoOptions struct {
	version string
	listen  string
	keep    bool
}

func demoCommand() *cobra.Command {
	var o demoOptions
	command := &cobra.Command{
		Use:   "demo",
		Short: "Bring up a real Odoo with demo data, serve it, and read a sale order with all it has",
		Long: "Bring up a real PostgreSQL and a real Odoo with demo data, serve them, log in, read a sale\n" +
			"order with its customer, lines, products and taxes in one request, and print it with the curl\n" +
			"lines that did it. Then the server stays up until Ctrl-C where a person is watching or with\n" +
			"--keep; otherwise everything is stopped.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			keep := o.keep || isTerminal(os.Stdout)
			return demo(command.Context(), o, keep, command.OutOrStdout(), command.ErrOrStderr())
		},
	}
	command.Flags().StringVar(&o.version, "odoo", "19.0", "version of Odoo: 19.0 or 14.0")
	command.Flags().StringVar(&o.listen, "listen", "", "address to listen on (default: port 8070 of the loopback, or any that is free)")
	command.Flags().BoolVar(&o.keep, "keep", false, "stay up after the order was printed")
	return command
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func demo(ctx context.Context, o demoOptions, keep bool, out, progress io.Writer) (err error) {
	odoo, err := stack.Start(ctx, stack.Options{Version: o.version, Progress: progress})
	if err != nil {
		return fmt.Errorf("bring up Odoo: %w", err)
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, odoo.Close(ending))
	}()
	folder, err := demoPresets(o.version)
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)

	s := defaults()
	s.Database.DSN, s.Odoo.URL, s.Odoo.Database = odoo.DSN, odoo.OdooURL, odoo.Database
	s.Filestore, s.Presets = odoo.Filestore, folder
	s.Log.Access = false
	log, err := newLogger(s.Log, progress)
	if err != nil {
		return err
	}
	service, err := newService(ctx, s, log)
	if err != nil {
		return err
	}
	defer service.close()
	ln, err := demoListener(ctx, o.listen)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- service.run(serving, ln, 10*time.Second) }()

	admin := odoo.User(stack.RoleAdmin)
	client := demoClient{base: "http://" + ln.Addr().String()}
	if err := client.show(ctx, out, admin.Login, admin.Password); err != nil {
		stop()
		return errors.Join(err, <-served)
	}
	if keep {
		fmt.Fprintf(out, "\nServing Odoo %s at %s, and Odoo itself at %s (login %s, password %s), until Ctrl-C.\n",
			odoo.Version, client.base, odoo.OdooURL, admin.Login, admin.Password)
		return <-served
	}
	stop()
	return <-served
}

// demoPresets writes the examples' presets for a version of Odoo into a folder of their own.
func demoPresets(version string) (string, error) {
	folder, err := os.MkdirTemp("", "lateral-demo-")
	if err != nil {
		return "", fmt.Errorf("folder for presets: %w", err)
	}
	names, err := fs.Glob(presets.Files, "*.schema")
	if err != nil {
		return "", fmt.Errorf("presets: %w", err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(presets.Files, name)
		if err != nil {
			return "", fmt.Errorf("presets: %w", err)
		}
		// Before 18.0 a line's taxes were called tax_id.
		if strings.HasPrefix(version, "14") {
			text = bytes.ReplaceAll(text, []byte("'tax_ids'"), []byte("'tax_id'"))
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			return "", fmt.Errorf("presets: %w", err)
		}
	}
	return folder, nil
}

// demoListener listens where asked, else on the usual port, else on any.
func demoListener(ctx context.Context, address string) (net.Listener, error) {
	addresses := []string{address}
	if address == "" {
		addresses = []string{defaults().Listen, "127.0.0.1:0"}
	}
	var failed error
	for _, address := range addresses {
		var listen net.ListenConfig
		ln, err := listen.Listen(ctx, "tcp", address)
		if err == nil {
			return ln, nil
		}
		failed = errors.Join(failed, fmt.Errorf("listen on %s: %w", address, err))
	}
	return nil, failed
}

// demoClient is a client as anybody would write one.
type demoClient struct{ base string }

// show logs in, reads an order and prints what a person would have typed for that.
func (c demoClient) show(ctx context.Context, out io.Writer, login, password string) error {
	credentials, err := json.Marshal(struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}{login, password})
	if err != nil {
		return err
	}
	answer, err := c.do(ctx, http.MethodGet, "/api/auth/get_tokens", "", credentials)
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(answer, &tokens); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	id, err := c.order(ctx, tokens.AccessToken)
	if err != nil {
		return fmt.Errorf("find an order: %w", err)
	}
	path := fmt.Sprintf("/api/sale.order/%d", id)
	order, err := c.do(ctx, http.MethodGet, path, tokens.AccessToken, nil)
	if err != nil {
		return fmt.Errorf("read an order: %w", err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, order, "", "  "); err != nil {
		return fmt.Errorf("read an order: %w", err)
	}
	_, err = fmt.Fprintf(out, "%s\n\nThat was:\n\n"+
		"curl -X GET %s/api/auth/get_tokens -d '%s'\n\n"+
		"curl %s -H 'Access-Token: %s'\n", pretty.Bytes(), c.base, credentials, c.base+path, tokens.AccessToken)
	return err
}

// order finds an order worth showing: one that sells a product with attributes, else any with lines.
func (c demoClient) order(ctx context.Context, token string) (int64, error) {
	for _, filters := range []string{
		`[('order_line.product_id.attribute_line_ids','!=',False)]`, `[('order_line','!=',False)]`,
	} {
		query := url.Values{"filters": {filters}, "order": {"id"}, "limit": {"1"}, "exclude_fields": {"*"}}
		answer, err := c.do(ctx, http.MethodGet, "/api/sale.order?"+query.Encode(), token, nil)
		if err != nil {
			return 0, err
		}
		var page struct {
			Results []struct {
				ID int64 `json:"id"`
			} `json:"results"`
		}
		if err := json.Unmarshal(answer, &page); err != nil {
			return 0, err
		}
		if len(page.Results) > 0 {
			return page.Results[0].ID, nil
		}
	}
	return 0, errors.New("there is none with lines")
}

func (c demoClient) do(ctx context.Context, method, path, token string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if token != "" {
		request.Header.Set("Access-Token", token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", response.Status, answer)
	}
	return answer, nil
}
