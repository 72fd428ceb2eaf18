// A client of lateral whose types were generated from its OpenAPI document: whatever the document does not have, such as
// a misspelt field, does not compile.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { env: Record<string, string | undefined>; exitCode: number };

type Tag = components["schemas"]["res.partner.category"];

function must<T>(what: string, answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data === undefined) {
    throw new Error(`${what}: ${answer.response.status} ${JSON.stringify(answer.error)}`);
  }
  return answer.data;
}

const client = createClient<paths>({ baseUrl: process.env.LATERAL_URL! });
const tokens = must("log in", await client.POST("/v2/auth/get_tokens", {
  body: { username: process.env.LATERAL_LOGIN!, password: process.env.LATERAL_PASSWORD! },
}));
client.use({
  onRequest({ request }) {
    request.headers.set("Access-Token", tokens.access_token);
    return request;
  },
});

const created = must("create", await client.POST("/v2/res.partner.category", { body: { name: "Generated", color: 3 } }));
must("update", await client.PUT("/v2/res.partner.category/{id}", { params: { path: { id: String(created.id) } }, body: { color: 4 } }));
const read: Tag = must("read one", await client.GET("/v2/res.partner.category/{id}", { params: { path: { id: String(created.id) } } }));
const page = must("read all", await client.GET("/v2/res.partner.category", {
  params: { query: { filters: "[('name', '=', 'Generated')]", order: "id", limit: 5 } },
}));
must("delete", await client.DELETE("/v2/res.partner.category/{id}", { params: { path: { id: String(created.id) } } }));
const gone = await client.GET("/v2/res.partner.category/{id}", { params: { path: { id: String(created.id) } } });

console.log(JSON.stringify({
  name: read.name, color: read.color, found: page.results.map((tag: Tag) => tag.id), id: created.id, gone: gone.response.status,
}));
