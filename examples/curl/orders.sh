#!/bin/sh
# Reads orders with their lines, and creates, changes and deletes a contact.
set -eu
url=${LATERAL_URL:-http://localhost:8070}/v2

# value NAME: a text or number of the JSON on standard input.
value() { sed 's/.*"'"$1"'": *"\{0,1\}\([^",}]*\).*/\1/'; }

token=$(curl -sSf "$url/auth/get_tokens" --data-urlencode "username=$LATERAL_USER" --data-urlencode "password=$LATERAL_PASSWORD" | value access_token)

# ask VERB PATH [BODY]: one request as the user.
ask() { curl -sS --fail-with-body -X "$1" "$url/$2" -H "Access-Token: $token" -d "${3:-}"; echo; }

ask GET sale.order '{"filters": [["state", "!=", "cancel"]], "order": "date_order desc", "limit": 5, "count": true,
  "include_fields": ["amount_total", ["partner_id", ["name"]], ["order_line", ["name", "product_uom_qty"]]]}'

id=$(ask POST res.partner '{"name": "Tom Lenz", "child_ids": [{"name": "Ann Lenz"}]}' | value id)
ask PUT "res.partner/$id" '{"city": "Ghent"}'
ask GET "res.partner/$id" '{"exclude_fields": "*", "include_fields": ["city", ["child_ids", ["name"]]]}'
ask PUT res.partner/0/name_search '{"name": "Tom Lenz"}'
ask DELETE "res.partner/$id"
echo deleted
