package stack

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Sizes say how much Clone adds.
type Sizes struct {
	Orders int // sale orders
	Lines  int // lines of each of them
	// Partners is the number of customers among whom the orders are spread; with 0 they stay with those of the orders
	// that they are copies of.
	Partners int
}

// Clones are the records that Clone has added.
type Clones struct {
	// FirstOrder and LastOrder are the ids of the orders, without a gap between them. They belong to the users in turn,
	// that of RoleSalesman being the first and every Sellers-th after it.
	FirstOrder, LastOrder int64
	Sellers               int64
}

// Clone adds copies of the demo data's sale orders to the database, with lines and taxes, as Odoo itself would take hours
// to make them. What is derived from other records, such as amounts, is copied too. The database is vacuumed and analysed after that.
func (s *Stack) Clone(ctx context.Context, sizes Sizes) (Clones, error) {
	conn, err := pgx.Connect(ctx, s.OwnerDSN)
	if err != nil {
		return Clones{}, fmt.Errorf("clone orders: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	c := &cloner{ctx: ctx, conn: conn}
	clones := c.run(sizes)
	if c.err != nil {
		return Clones{}, fmt.Errorf("clone orders: %w", c.err)
	}
	return clones, nil
}

// cloner runs statements until the first that fails.
type cloner struct {
	ctx  context.Context
	conn *pgx.Conn
	err  error
}

func (c *cloner) run(sizes Sizes) Clones {
	clones := Clones{Sellers: 3}
	// Only what belongs to the first company can be read by all users.
	const own = "company_id = (SELECT min(id) FROM res_company)"
	c.exec("SET session_replication_role = replica") // no triggers, which check foreign keys
	customer := "old.partner_id"
	if sizes.Partners > 0 {
		// Partners of one company would be hidden from the others.
		const base = `active AND is_company AND parent_id IS NULL AND company_id IS NULL
			AND id NOT IN (SELECT partner_id FROM res_company UNION SELECT partner_id FROM res_users)`
		c.exec(`CREATE TEMP TABLE new_partner AS SELECT nextval('res_partner_id_seq')::int AS id, s.* FROM (SELECT p.old, g - 1 AS n
			FROM generate_series(1, $1::int) g JOIN (SELECT id AS old, row_number() OVER (ORDER BY id) AS k FROM res_partner WHERE `+base+`) p
				ON p.k = 1 + g % (SELECT count(*) FROM res_partner WHERE `+base+`) ORDER BY g) s`, sizes.Partners)
		c.copy("res_partner", "new_partner new JOIN res_partner old ON old.id = new.old", map[string]string{
			"id": "new.id", "commercial_partner_id": "new.id", "name": "old.name || ' ' || new.n",
			"complete_name": "old.complete_name || ' ' || new.n", "display_name": "old.display_name || ' ' || new.n",
		})
		c.exec("CREATE UNIQUE INDEX ON new_partner (n)")
		customer = fmt.Sprintf("(SELECT p.id FROM new_partner p WHERE p.n = new.n %% %d)", sizes.Partners)
	}
	c.exec(`CREATE TEMP TABLE new_order AS SELECT nextval('sale_order_id_seq')::int AS id, s.* FROM (SELECT o.old, g - 1 AS n
		FROM generate_series(1, $1::int) g JOIN (SELECT id AS old, row_number() OVER (ORDER BY id) AS k FROM sale_order WHERE `+own+`) o
			ON o.k = 1 + g % (SELECT count(*) FROM sale_order WHERE `+own+`) ORDER BY g) s`, sizes.Orders)
	// A line's copy keeps what it says of its product; which order of the demo data it is of does not matter. Its id is next
	// to those of the order's other lines, as where lines come with their orders.
	c.exec(`CREATE TEMP TABLE new_line AS SELECT nextval('sale_order_line_id_seq')::int AS id, s.old, s.order_id
		FROM (SELECT l.old, o.id AS order_id
		FROM new_order o CROSS JOIN generate_series(1, $1::int) g
		JOIN (SELECT id AS old, row_number() OVER (ORDER BY id) AS k FROM sale_order_line WHERE display_type IS NULL AND `+own+`) l
			ON l.k = 1 + (o.n * $1::int + g) % (SELECT count(*) FROM sale_order_line WHERE display_type IS NULL AND `+own+`)
		ORDER BY o.id, g) s`, sizes.Lines)
	c.exec("CREATE UNIQUE INDEX ON new_order (id)")
	c.exec("ANALYZE new_order, new_line")
	taxes, lines := c.lineTaxes()
	restore := func() {}
	if sizes.Orders*sizes.Lines >= manyLines {
		restore = c.withoutIndexes("sale_order", "sale_order_line", taxes)
	}
	c.copy("sale_order", "new_order new JOIN sale_order old ON old.id = new.old", map[string]string{
		"id": "new.id", "name": "old.name || '-' || new.n", "date_order": "old.date_order - new.n * interval '1 hour'",
		"partner_id": customer, "partner_invoice_id": customer, "partner_shipping_id": customer,
		"user_id": `(SELECT u.id FROM res_users u WHERE u.login = (ARRAY['` + RoleSalesman + `', '` + RoleAdmin + `', '` + RoleDemo + `'])[1 + new.n % 3])`,
	})
	c.copy("sale_order_line", "new_line new JOIN sale_order_line old ON old.id = new.old", map[string]string{
		"id": "new.id", "order_id": "new.order_id",
		"order_partner_id": "(SELECT o.partner_id FROM sale_order o WHERE o.id = new.order_id)",
		"salesman_id":      "(SELECT o.user_id FROM sale_order o WHERE o.id = new.order_id)",
	})
	c.copy(taxes, "new_line new JOIN "+taxes+" old ON old."+lines+" = new.old", map[string]string{lines: "new.id"})
	restore()
	c.exec("SET session_replication_role = DEFAULT")
	c.exec("VACUUM ANALYZE")
	c.scan("SELECT min(id), max(id) FROM new_order", &clones.FirstOrder, &clones.LastOrder)
	return clones
}

func (c *cloner) exec(sql string, args ...any) {
	if c.err != nil {
		return
	}
	if _, err := c.conn.Exec(c.ctx, sql, args...); err != nil {
		c.err = fmt.Errorf("%s: %w", sql, err)
	}
}

// manyLines is from how many lines on it is quicker to make the indexes of a table anew than to keep them while rows come.
const manyLines = 400_000

// withoutIndexes drops the indexes of tables but for those that keep values apart. What it returns makes them again. All that is
// done in between is one transaction, so that none is missing whatever happens.
func (c *cloner) withoutIndexes(tables ...string) (restore func()) {
	var drop, create string
	c.scan(`SELECT string_agg('DROP INDEX ' || i.indexrelid::regclass, '; '), string_agg(pg_get_indexdef(i.indexrelid), '; ')
		FROM pg_index i WHERE NOT i.indisunique AND i.indrelid = ANY(`+literal("{"+strings.Join(tables, ",")+"}")+`::text[]::regclass[])`, &drop, &create)
	c.exec("BEGIN")
	c.exec("SET LOCAL maintenance_work_mem = '256MB'")
	c.exec(drop)
	return func() {
		c.exec(create)
		c.exec("COMMIT")
	}
}

func (c *cloner) scan(sql string, targets ...any) {
	if c.err == nil {
		c.err = c.conn.QueryRow(c.ctx, sql).Scan(targets...)
	}
}

// copy inserts rows of a table anew, from a source in which the rows are called old; the columns of instead have
// values of their own.
func (c *cloner) copy(table, source string, instead map[string]string) {
	var list string
	c.scan(`SELECT string_agg(quote_ident(column_name), ',' ORDER BY ordinal_position) FROM information_schema.columns
		WHERE table_schema = 'public' AND is_generated = 'NEVER' AND table_name = `+literal(table), &list)
	columns := strings.Split(list, ",")
	values := make([]string, len(columns))
	for i, column := range columns {
		if values[i] = instead[column]; values[i] == "" {
			values[i] = "old." + column
		}
	}
	c.exec("INSERT INTO " + table + " (" + list + ") SELECT " + strings.Join(values, ",") + " FROM " + source)
}

// lineTaxes returns the table of the lines' taxes, whose name differs between versions, and its column for the line.
func (c *cloner) lineTaxes() (table, column string) {
	c.scan(`SELECT k.conrelid::regclass::text, a.attname FROM pg_constraint k
		JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
		WHERE k.contype = 'f' AND k.confrelid = 'sale_order_line'::regclass AND EXISTS (SELECT FROM pg_constraint t
			WHERE t.conrelid = k.conrelid AND t.contype = 'f' AND t.confrelid = 'account_tax'::regclass)
			AND (SELECT count(*) FROM pg_attribute x WHERE x.attrelid = k.conrelid AND x.attnum > 0 AND NOT x.attisdropped) = 2`, &table, &column)
	return table, column
}
