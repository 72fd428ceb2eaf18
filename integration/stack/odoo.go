package stack

import (
	"context"
	"fmt"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// modules are installed in every prepared database, with demo data.
const modules = "sale_management,purchase,stock,account,l10n_us,sale_stock,point_of_sale,crm,contacts"

// odooGrace is how long Odoo may take to end by itself. Its workers notice only now and then that they are to stop, and
// an Odoo that is killed loses nothing but requests.
const odooGrace = 3 * time.Second

// odooDist is an Odoo that is installed on this machine and can be run as an ordinary process.
type odooDist interface {
	// command is the command line that runs Odoo with a run folder that it may write to.
	command(runDir string, arguments ...string) []string
	// inner is the path by which Odoo itself sees a path in the run folder.
	inner(runDir, path string) string
	// env is what the command wants in its environment.
	env() []string
	// addons is where the add-ons are, as Odoo sees them.
	addons() string
}

// odooConfig are the settings of one odoo.conf that differ from stack to stack.
type odooConfig struct {
	version   string
	addons    string
	dataDir   string
	dbHost    string
	dbPort    int
	listen    string
	port      int
	eventPort int
	workers   int
	dbFilter  string
}

// render writes the configuration file. Option names are those that 14.0 and 19.0 share but for the second port.
func (c odooConfig) render() string {
	options := map[string]string{
		"addons_path":       c.addons,
		"data_dir":          c.dataDir,
		"db_host":           c.dbHost,
		"db_port":           fmt.Sprint(c.dbPort),
		"db_user":           ownerRole,
		"db_password":       ownerPassword,
		"db_maxconn":        "32",
		"http_interface":    c.listen,
		"http_port":         fmt.Sprint(c.port),
		"workers":           fmt.Sprint(c.workers),
		"max_cron_threads":  "0", // scheduled jobs would change data under a test's feet
		"admin_passwd":      "admin",
		"list_db":           "True",
		"limit_time_cpu":    "600",
		"limit_time_real":   "1200",
		"limit_memory_soft": fmt.Sprint(4 << 30),
		"limit_memory_hard": fmt.Sprint(6 << 30),
		"log_level":         "info",
	}
	if c.dbFilter != "" {
		options["dbfilter"] = c.dbFilter
	}
	if c.version == "14.0" {
		options["longpolling_port"] = fmt.Sprint(c.eventPort)
	} else {
		options["gevent_port"] = fmt.Sprint(c.eventPort)
		options["with_demo"] = "True"
	}
	names := make([]string, 0, len(options))
	for name := range options {
		names = append(names, name)
	}
	sort.Strings(names)
	var text strings.Builder
	text.WriteString("[options]\n")
	for _, name := range names {
		fmt.Fprintf(&text, "%s = %s\n", name, options[name])
	}
	return text.String()
}

// installOdoo puts the Odoo of a version into the cache.
func installOdoo(ctx context.Context, version string, apt apt, account account) (odooDist, error) {
	switch version {
	case "19.0":
		return installOdoo19(ctx, apt)
	case "14.0":
		return installOdoo14(ctx, apt, account)
	default:
		return nil, fmt.Errorf("no local Odoo %s", version)
	}
}

// filestore is where Odoo keeps the attachments of a database below its data directory.
func filestore(dataDir, database string) string {
	return filepath.Join(dataDir, "filestore", database)
}
