package stack

import (
	"context"
	"fmt"

	"lateral/schema"
)

// createTemplate makes the database that a dump is restored into. Odoo makes its databases with this collation.
func createTemplate() string {
	return "CREATE DATABASE " + quote(templateDatabase) + " ENCODING 'UTF8' LC_COLLATE 'C' TEMPLATE template0"
}

// createReader makes the role that lateral logs in with. What it may read is granted in each database.
func createReader() string {
	return "CREATE ROLE " + quote(readerRole) + " LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD " + literal(readerPassword)
}

// sealTemplate keeps everybody out of the template, so that it can be copied at any time, and hides it from Odoo's
// list of databases.
func sealTemplate() string {
	return "ALTER DATABASE " + quote(templateDatabase) + " IS_TEMPLATE true ALLOW_CONNECTIONS false"
}

// restoreTemplate makes the template database on a fresh server, with the help of load, which restores the dump, and
// the role that may only read.
func restoreTemplate(ctx context.Context, dsnOf func(database string) string, load func() error) error {
	if err := execute(ctx, dsnOf("postgres"), createTemplate(), createReader()); err != nil {
		return err
	}
	if err := load(); err != nil {
		return err
	}
	err := execute(ctx, dsnOf(templateDatabase),
		"CREATE EXTENSION IF NOT EXISTS pg_stat_statements", "VACUUM (FREEZE, ANALYZE)")
	if err != nil {
		return err
	}
	return execute(ctx, dsnOf("postgres"), sealTemplate(), "CHECKPOINT")
}

// createDatabase copies the template and makes the copy serve under the addresses given: public is how clients reach
// Odoo, own is how Odoo's renderer of reports reaches it.
func createDatabase(ctx context.Context, dsnOf func(database string) string, name, public, own string) error {
	create := "CREATE DATABASE " + quote(name) + " TEMPLATE " + quote(templateDatabase) + " STRATEGY file_copy"
	if err := execute(ctx, dsnOf("postgres"), create); err != nil {
		return fmt.Errorf("database %s: %w", name, err)
	}
	statements := []string{
		setParameter("web.base.url", public),
		// A login as admin would set it to whatever host name the client used.
		setParameter("web.base.url.freeze", "True"),
		setParameter("report.url", own),
		// Odoo grants this on its databases, and the reading role would have it like everybody else.
		"REVOKE CREATE ON SCHEMA public FROM PUBLIC",
		schema.Grants(readerRole),
	}
	if err := execute(ctx, dsnOf(name), statements...); err != nil {
		return fmt.Errorf("database %s: %w", name, err)
	}
	return nil
}

// dropDatabase removes a database and disconnects whoever uses it.
func dropDatabase(ctx context.Context, dsnOf func(database string) string, name string) error {
	if err := execute(ctx, dsnOf("postgres"), "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("database %s: %w", name, err)
	}
	return nil
}

// setParameter sets one of Odoo's system parameters.
func setParameter(name, value string) string {
	return fmt.Sprintf(`INSERT INTO ir_config_parameter (key, value, create_uid, write_uid, create_date, write_date)
		VALUES (%s, %s, 1, 1, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC')
		ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value`, literal(name), literal(value))
}
