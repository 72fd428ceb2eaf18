// The page: logging in, picking a model, and the three panes beside each other.

import { ask, loggedIn, logIn, logOut, whenEnded } from "./api.js";
import { Answer } from "./answer.js";
import { byID, copy, debounced, element, tabs } from "./dom.js";
import { Draft, trees } from "./draft.js";
import { forgetFields, fieldsOf } from "./fields.js";
import { difference } from "./text.js";
import { FieldTree } from "./tree.js";

const popular = ["sale.order", "res.partner", "product.template", "account.move", "stock.picking"];

let who = null; // what /models tells
let draft = null;
let part = "read_one";
const drafts = new Map();

const tree = new FieldTree(byID("tree-holder"), (next) => ticked(next));
const answer = new Answer((fields) => tree.setCosts(fields));
const text = byID("text");

// Logging in

// What was being edited stays in the page, for the user who did.
whenEnded(() => {
  review.close();
  showLogin(who ? `Your session has ended. Log in again: what you were editing is kept for ${who.login}.` : "Your session has ended. Log in again.");
});

byID("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("button");
  byID("login-error").textContent = "";
  button.disabled = true;
  button.textContent = "Logging in …";
  try {
    await logIn(form.username.value, form.password.value);
    form.password.value = "";
    await enter();
  } catch (error) {
    byID("login-error").textContent = error.message;
  }
  button.disabled = false;
  button.textContent = "Log in";
});

byID("logout").addEventListener("click", async () => {
  await logOut();
  forgetFields();
  drafts.clear();
  location.hash = "";
  location.reload();
});

function showLogin(message = "") {
  byID("studio").hidden = true;
  byID("login").hidden = false;
  byID("login-error").textContent = message;
  const form = byID("login-form");
  form.username.value ||= who?.login ?? "";
  (form.username.value ? form.password : form.username).focus();
}

async function enter() {
  const before = who;
  who = await ask("GET", "/models");
  if (before && before.login !== who.login) {
    location.reload(); // another user may know nothing of what is in the page
    return;
  }
  forgetFields();
  byID("login").hidden = true;
  byID("studio").hidden = false;
  byID("user").replaceChildren(who.login, who.administrator ? element("span", { class: "badge" }, "administrator") : "");
  byID("models").replaceChildren(...who.models.map((model) => element("option", { value: model.model, label: model.label })));
  const offered = who.models.filter((model) => popular.includes(model.model) || model.preset)
    .sort((a, b) => b.preset - a.preset || popular.indexOf(a.model) - popular.indexOf(b.model)).slice(0, 8);
  byID("suggestions").replaceChildren(...offered.map((model) => {
    const button = element("button", { type: "button", "data-model": model.model }, element("strong", {}, model.label), element("code", {}, model.model));
    button.addEventListener("click", () => { location.hash = model.model; });
    return button;
  }));
  byID("save").hidden = !who.administrator;
  await openHash();
}

// Picking a model

byID("model").addEventListener("change", () => { location.hash = byID("model").value.trim(); });
byID("model").addEventListener("focus", (event) => event.target.select());
window.addEventListener("hashchange", () => openHash());

async function openHash() {
  const model = decodeURIComponent(location.hash.slice(1));
  if (!who) {
    return;
  }
  byID("model").value = model;
  const known = who.models.find((listed) => listed.model === model);
  byID("welcome").hidden = Boolean(known);
  byID("panes").hidden = !known;
  byID("work").hidden = !known;
  byID("welcome-error").textContent = model && !known ? `There is no model "${model}" that you may read.` : "";
  document.title = known ? model + " – lateral studio" : "lateral studio";
  if (!known) {
    draft = null;
    byID("model").focus();
    return;
  }
  byID("model").title = known.label;
  byID("fields-title").textContent = known.label;
  try {
    await open(known);
  } catch (error) {
    if (error.name !== "AbortError") {
      byID("tree-holder").replaceChildren(element("p", { class: "error" }, error.message));
    }
  }
}

async function open(known) {
  const model = known.model;
  draft = null;
  tree.tree = [];
  paintDraft();
  let mine = drafts.get(model);
  const showing = Promise.all([tree.show(model), answer.show(model, who.administrator, mine?.record)]);
  const described = await fieldsOf(model);
  note(byID("model-note"), described.cost === "odoo" ? "Read through Odoo: " + described.reason : known.closed ? "A preset closes this model for all requests." : "");
  if (mine) {
    await mine.reread();
  } else {
    mine = new Draft(model);
    await mine.load(who.administrator);
    drafts.set(model, mine);
  }
  await showing;
  if (decodeURIComponent(location.hash.slice(1)) !== model) {
    return;
  }
  draft = mine;
  selectPart(draft.part || trees.find((name) => draft.parts[name].trim() !== "") || "read_one");
}

function note(holder, message) {
  holder.hidden = message === "";
  holder.textContent = message;
}

// The schema

const selectPart = tabs(byID("parts"), "part", (chosen) => {
  part = chosen;
  if (draft) {
    draft.part = part;
    paintText();
    tree.setTree(draft.trees[part] || []);
    answer.setDraft(draft, part);
  }
});

async function ticked(next) {
  if (!draft) {
    return;
  }
  const mine = draft;
  const where = trees.includes(part) ? part : "read_one";
  if (where !== part) {
    selectPart(where);
  }
  mine.trees[where] = next;
  tree.setTree(next);
  try {
    await mine.setTree(where, next);
  } catch (error) {
    mine.mistakes[where] = error.mistakes?.length ? error.mistakes : [{ text: error.message }];
  }
  if (mine === draft && where === part) {
    paintText();
    answer.setDraft(draft, part);
  }
}

const typed = debounced(300, async (mine, where, value) => {
  try {
    await mine.setText(where, value);
  } catch (error) {
    mine.mistakes[where] = [{ text: error.message }];
  }
  if (mine !== draft || where !== part) {
    return;
  }
  paintDraft();
  if (draft.mistakes[part].length === 0) {
    tree.setTree(draft.trees[part] || []);
    answer.setDraft(draft, part);
  }
});

text.addEventListener("input", () => {
  if (draft) {
    draft.parts[part] = text.value;
    paintDraft();
    typed(draft, part, text.value);
  }
});
text.addEventListener("scroll", () => { byID("gutter").scrollTop = text.scrollTop; });

const placeholders = {
  read_all: "Empty: id and name.\nTick fields, or write\n('id', 'name', ('partner_id', ('id', 'name')))",
  read_one: "Empty: every field.\nTick fields, or write\n('id', 'name', ('partner_id', ('id', 'name')))",
  create_one: "Empty: id.\nTick what the answer to a create should hold.",
  settings: "{\n    'domain': [('state', '!=', 'cancel')],\n    'defaults': {'origin': 'REST'},\n    'success_codes': {'create_one': 201},\n    'available': True,\n}",
};

function paintText() {
  text.placeholder = placeholders[part];
  text.setAttribute("aria-label", part === "settings" ? "Settings of the preset" : "Schema text");
  if (text.value !== draft.parts[part]) {
    text.value = draft.parts[part];
  }
  paintDraft();
}

// paintDraft shows line numbers, mistakes and what can be done.
function paintDraft() {
  const mistakes = draft?.mistakes[part] || [];
  const bad = new Set(mistakes.map((mistake) => mistake.line));
  const count = Math.max(1, text.value.split("\n").length);
  byID("gutter").replaceChildren(...Array.from({ length: count }, (_, i) =>
    element("span", { class: bad.has(i + 1) ? "bad" : undefined }, i + 1 + "\n")));
  byID("mistakes").replaceChildren(...mistakes.map((mistake) =>
    element("li", {}, (mistake.line ? `Line ${mistake.line}: ` : "") + mistake.text)));
  byID("answer").classList.toggle("stale", mistakes.length > 0);
  text.setAttribute("aria-invalid", String(mistakes.length > 0));
  if (!draft) {
    byID("draft-state").textContent = "";
    return;
  }
  for (const tab of byID("parts").children) {
    tab.classList.toggle("filled", draft.parts[tab.dataset.part].trim() !== "");
    tab.classList.toggle("wrong", (draft.mistakes[tab.dataset.part] || []).length > 0);
  }
  const state = draft.wrong ? "has mistakes" : draft.changed ? "not saved" : draft.savedText ? "saved" : "";
  byID("draft-state").replaceChildren(state ? element("span", { class: "badge " + (draft.wrong ? "wrong" : draft.changed ? "changed" : "") }, state) : "");
  byID("save").disabled = draft.wrong || draft.file !== null || (!draft.changed && !draft.stored);
  byID("revert").hidden = !draft.changed;
  note(byID("preset-note"), draft.file ? `This preset is in the file ${draft.file}, which wins over one saved here: copy the text into it.`
    : draft.broken ? "The preset in force is wrong: " + draft.broken
      : who.administrator ? "" : "Only administrators of Odoo see and save presets. Yours is a draft: try it, and copy it for them.");
}

byID("revert").addEventListener("click", async () => {
  draft.parts = { ...draft.saved };
  await draft.reread();
  selectPart(part);
});

byID("copy-text").addEventListener("click", async (event) => {
  const written = await draft.text().catch(showMistakes);
  if (written !== undefined) {
    copy(event.target, written);
  }
});

// showMistakes shows those of a whole preset where they belong.
function showMistakes(error) {
  for (const mistake of error.mistakes || []) {
    const where = trees.includes(mistake.key) ? mistake.key : "settings";
    draft.mistakes[where] = [...(draft.mistakes[where] || []), mistake];
  }
  const wrong = [part, ...trees, "settings"].find((name) => draft.mistakes[name]?.length > 0);
  if (wrong) {
    selectPart(wrong);
  } else {
    note(byID("preset-note"), error.message);
  }
}

// Saving

const review = byID("review");
let reviewed = "";

byID("save").addEventListener("click", async () => {
  const written = await draft.text().catch(showMistakes);
  if (written === undefined) {
    return;
  }
  reviewed = written;
  const lines = difference(draft.savedText, reviewed);
  const changes = lines.filter(([sign]) => sign !== " ").length;
  byID("review-title").textContent = "Save the preset of " + draft.model;
  byID("review-lead").textContent = changes === 0 ? "There is no difference to the preset in force."
    : draft.savedText ? `Compared with the preset in force, ${changes} lines differ.` : "The model has no preset yet. This one is in force from the next request on.";
  byID("diff").replaceChildren(...lines.map(([sign, line]) =>
    element("span", { class: { "+": "added", "-": "removed", " ": "same" }[sign] }, sign + " " + line + "\n")));
  byID("review-error").textContent = "";
  byID("review-save").disabled = changes === 0;
  byID("review-remove").hidden = !draft.stored;
  review.showModal();
});

byID("review-cancel").addEventListener("click", () => review.close());
byID("review-save").addEventListener("click", () => settle(() => draft.save(reviewed), true));
byID("review-remove").addEventListener("click", () => settle(() => draft.remove(), false));

async function settle(work, preset) {
  try {
    await work();
  } catch (error) {
    byID("review-error").textContent = error.message;
    return;
  }
  const listed = who.models.find((model) => model.model === draft.model);
  listed.preset = preset;
  listed.closed = false;
  await draft.reread();
  review.close();
  selectPart(part);
}

// Panes of a narrow window

const selectPane = tabs(byID("panes"), "pane", (pane) => { byID("work").dataset.pane = pane; });
selectPane("fields");

byID("filter").addEventListener("input", (event) => tree.setFilter(event.target.value));

if (loggedIn()) {
  enter().catch((error) => showLogin(error.status === 401 ? "" : error.message));
} else {
  showLogin();
}
