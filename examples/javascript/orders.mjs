// Reads orders with their lines, and creates, changes and deletes a contact. Needs node 18 or newer, and nothing else.
const url = process.env.LATERAL_URL ?? "http://localhost:8070";

/** Makes one request and returns its answer, or throws what lateral says is wrong. */
async function send(verb, path, params, headers = {}) {
  const query = verb === "GET" ? "?" + new URLSearchParams(Object.entries(params ?? {}).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)])) : "";
  const answer = await fetch(`${url}/v2/${path}${query}`, {
    method: verb, headers: { "Content-Type": "application/json", ...headers }, body: verb === "GET" ? undefined : JSON.stringify(params ?? {}),
  });
  const body = await answer.json();
  if (!answer.ok) throw new Error(`${verb} ${path}: ${body.error}: ${body.error_descrip}`);
  return body;
}

const tokens = await send("POST", "auth/get_tokens", { username: process.env.LATERAL_USER, password: process.env.LATERAL_PASSWORD });
const user = { "Access-Token": tokens.access_token };

// fetch sends no body with GET, so that parameters stand in the URL, as JSON.
const page = await send("GET", "sale.order", {
  filters: [["state", "!=", "cancel"]], order: "date_order desc", limit: 5, count: true,
  include_fields: ["amount_total", ["partner_id", ["name"]], ["order_line", ["name", "product_uom_qty"]]],
}, user);
console.log(`${page.count} of ${page.total} orders`);
for (const order of page.results) console.log(order.name, order.partner_id?.name, order.amount_total, `${order.order_line.length} lines`);

// With a key, a request that is sent again after a broken connection is run once.
const { id } = await send("POST", "res.partner", { name: "Tom Lenz", child_ids: [{ name: "Ann Lenz" }] }, { ...user, "Idempotency-Key": crypto.randomUUID() });
await send("PUT", `res.partner/${id}`, { city: "Ghent" }, user);
const contact = await send("GET", `res.partner/${id}`, { exclude_fields: "*", include_fields: ["city", ["child_ids", ["name"]]] }, user);
console.log("contact", contact.city, contact.child_ids[0].name);
const found = await send("PUT", "res.partner/0/name_search", { name: "Tom Lenz" }, user);
console.log("found", found.length);
await send("DELETE", `res.partner/${id}`, {}, user);
console.log("deleted");
