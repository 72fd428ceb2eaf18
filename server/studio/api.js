// The session and the requests of the page. Tokens are kept for this tab alone and are gone with it.

const key = "lateral.studio";
let ended = () => {};

// Refusal is an answer that is an error, or no answer.
export class Refusal extends Error {
  constructor(status, body) {
    super(body.error_descrip || "The server cannot be reached.");
    this.status = status;
    this.code = body.error || "";
    this.mistakes = body.mistakes || [];
  }
}

const session = () => JSON.parse(sessionStorage.getItem(key) || "null");
const keep = (tokens) => sessionStorage.setItem(key, JSON.stringify(tokens));

export const loggedIn = () => session() !== null;

// whenEnded sets what is done when the session is over.
export function whenEnded(work) {
  ended = work;
}

async function send(method, path, body, headers = {}, signal = undefined) {
  let answer;
  try {
    answer = await fetch(path, { method, body, headers, signal, credentials: "omit", cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") {
      throw error;
    }
    throw new Refusal(0, {});
  }
  const text = await answer.text();
  let content = {};
  try {
    content = JSON.parse(text);
  } catch {
    throw new Refusal(answer.status, { error_descrip: "The server's answer cannot be read." });
  }
  if (!answer.ok) {
    throw new Refusal(answer.status, content);
  }
  return content;
}

const json = (method, path, body) => send(method, path, JSON.stringify(body), { "Content-Type": "application/json" });

export async function logIn(username, password) {
  const grant = await json("POST", "/api/auth/get_tokens", { username, password });
  keep({ access: grant.access_token, refresh: grant.refresh_token });
}

export async function logOut() {
  const tokens = session();
  sessionStorage.removeItem(key);
  if (tokens) {
    // Whether the server hears of it or not, this tab has forgotten the tokens.
    await json("POST", "/api/auth/delete_tokens", { refresh_token: tokens.refresh }).catch(() => {});
  }
}

let refreshing = null;

// refresh gets a new access token, once for all requests that found the old one expired.
function refresh() {
  refreshing ??= json("POST", "/api/auth/refresh_token", { refresh_token: session().refresh })
    .then((grant) => keep({ ...session(), access: grant.access_token }))
    .finally(() => { refreshing = null; });
  return refreshing;
}

// ask makes a request below /studio/api. A body that is no text is sent as JSON.
export async function ask(method, path, body = undefined, signal = undefined) {
  const sent = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  const attempt = () => {
    const tokens = session();
    if (!tokens) {
      throw new Refusal(401, { error: "no_access_token", error_descrip: "You are logged out." });
    }
    return send(method, "/studio/api" + path, sent, { "Access-Token": tokens.access, "Content-Type": "application/json" }, signal);
  };
  try {
    return await attempt();
  } catch (error) {
    if (error.status !== 401 || !session()) {
      throw error;
    }
    try {
      await refresh();
      return await attempt();
    } catch (again) {
      if (again.status === 401) {
        sessionStorage.removeItem(key);
        ended();
      }
      throw again;
    }
  }
}

export const modelPath = (model) => "/models/" + encodeURIComponent(model);
