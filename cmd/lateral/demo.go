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
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lateral/client"
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

func demo(ctx context.Context, o demoOptions, keep bool, out, progress io.Writer) error {
	return withOdoo(ctx, o.version, progress, func(odoo *stack.Stack, s settings) error {
		folder, err := demoPresets(o.version)
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		s.Presets = folder
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
		return serveDemo(ctx, service, o.listen, odoo, keep, out)
	})
}

// serveDemo serves until the order is printed, or longer.
func serveDemo(ctx context.Context, service *service, listen string, odoo *stack.Stack, keep bool, out io.Writer) error {
	ln, err := demoListener(ctx, listen)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- service.run(serving, ln, 10*time.Second) }()

	admin := odoo.User(stack.RoleAdmin)
	c := &client.Client{Base: "http://" + ln.Addr().String()}
	if err := showOrder(ctx, c, out, admin.Login, admin.Password); err != nil {
		stop()
		return errors.Join(err, <-served)
	}
	if keep {
		fmt.Fprintf(out, "\nServing Odoo %s at %s, and Odoo itself at %s (login %s, password %s), until Ctrl-C.\n",
			odoo.Version, c.Base, odoo.OdooURL, admin.Login, admin.Password)
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

// showOrder logs in, reads an order and prints what a person would have typed for that.
func showOrder(ctx context.Context, c *client.Client, out io.Writer, login, password string) error {
	if err := c.Login(ctx, login, password); err != nil {
		return err
	}
	id, err := orderToShow(ctx, c)
	if err != nil {
		return fmt.Errorf("find an order: %w", err)
	}
	path := fmt.Sprintf("/api/sale.order/%d", id)
	order, err := c.Get(ctx, path, nil)
	if err != nil {
		return fmt.Errorf("read an order: %w", err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, order, "", "  "); err != nil {
		return fmt.Errorf("read an order: %w", err)
	}
	credentials, err := client.Credentials(login, password)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n\nThat was:\n\n"+
		"curl -X GET %s/api/auth/get_tokens -d '%s'\n\n"+
		"curl %s -H 'Access-Token: %s'\n", pretty.Bytes(), c.Base, credentials, c.Base+path, c.Token)
	return err
}

// orderToShow finds an order worth showing: one that sells a product with attributes, else any with lines.
func orderToShow(ctx context.Context, c *client.Client) (int64, error) {
	for _, filters := range []string{
		`[('order_line.product_id.attribute_line_ids','!=',False)]`, `[('order_line','!=',False)]`,
	} {
		query := url.Values{"filters": {filters}, "order": {"id"}, "limit": {"1"}, "exclude_fields": {"*"}}
		answer, err := c.Get(ctx, "/api/sale.order?"+query.Encode(), nil)
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
