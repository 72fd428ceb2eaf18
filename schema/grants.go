package schema

import (
	"strings"
)

// secretColumns are the columns and tables the service's role must never be able to read, even
// through a bug: password hashes, API keys and second factors. An entry without a column hides
// the whole table.
var secretColumns = []struct{ table, column string }{
	{"res_users", "password"},
	{"res_users", "totp_secret"},
	{"res_users_apikeys", ""},
	{"auth_totp_device", ""},
	{"res_users_apikeys_description", ""},
	{"change_password_user", ""},
	{"change_password_own", ""},
}

// Grants returns the SQL that lets role read an Odoo database and nothing else: SELECT on every
// table of schema public but the secrets, and SELECT on what Odoo creates later (tables and
// sequences; the sequences carry Odoo 14.0–18.0's change signals). Everybody's right to create
// tables, which Odoo 19.0 grants its databases, goes to the owners of Odoo's tables alone. It is to be run inside the
// database by a superuser or by the owner of Odoo's tables, again after modules were installed
// that bring secrets of their own, and is idempotent. The role itself is created by the caller.
func Grants(role string) string {
	quoted := quoteIdent(role)
	var b strings.Builder
	b.WriteString("-- What lateral needs of an Odoo database, and all it needs: reading.\n")
	b.WriteString("GRANT USAGE ON SCHEMA public TO " + quoted + ";\n")
	b.WriteString("GRANT SELECT ON ALL TABLES IN SCHEMA public TO " + quoted + ";\n")
	b.WriteString("GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO " + quoted + ";\n")
	b.WriteString(`-- Tables and sequences that Odoo creates from now on, whoever owns the present ones.
DO $grants$
DECLARE
  owner text;
BEGIN
  FOR owner IN
    SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
  LOOP
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA public GRANT SELECT ON TABLES TO ` + quoted + `', owner);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA public GRANT SELECT ON SEQUENCES TO ` + quoted + `', owner);
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA public TO %I', owner);
  END LOOP;
END
$grants$;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
-- Secrets: hidden tables lose the grant, tables with hidden columns get it column by column.
DO $grants$
DECLARE
  secret record;
  readable text;
BEGIN
  FOR secret IN
    SELECT t.name, array_remove(array_agg(t.col), NULL) AS cols
    FROM (VALUES ` + secretValues() + `) AS t(name, col)
    WHERE to_regclass('public.' || quote_ident(t.name)) IS NOT NULL
    GROUP BY t.name
  LOOP
    EXECUTE format('REVOKE SELECT ON public.%I FROM ` + quoted + `', secret.name);
    IF cardinality(secret.cols) > 0 THEN
      SELECT string_agg(quote_ident(attname), ', ') INTO readable FROM pg_attribute
      WHERE attrelid = to_regclass('public.' || quote_ident(secret.name))
        AND attnum > 0 AND NOT attisdropped AND attname <> ALL (secret.cols);
      EXECUTE format('GRANT SELECT (%s) ON public.%I TO ` + quoted + `', readable, secret.name);
    END IF;
  END LOOP;
END
$grants$;
`)
	return b.String()
}

func secretValues() string {
	values := make([]string, len(secretColumns))
	for i, s := range secretColumns {
		column := "NULL"
		if s.column != "" {
			column = quoteLiteral(s.column)
		}
		values[i] = "(" + quoteLiteral(s.table) + ", " + column + ")"
	}
	return strings.Join(values, ", ")
}

func quoteIdent(name string) string   { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
func quoteLiteral(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }
