// The pane with the answer for a record, how long it took, and how it was made.

import { ask, modelPath } from "./api.js";
import { byID, copy, debounced, element, tabs } from "./dom.js";
import { formatted, shell } from "./text.js";

const ways = {
  direct: ["direct", "One SQL statement made this answer."],
  hybrid: ["hybrid", "One SQL statement, and some fields computed by Odoo: "],
  odoo: ["through Odoo", "Odoo made this answer: "],
};

export class Answer {
  // onCosts is told what the fields of an answer cost.
  constructor(onCosts) {
    this.onCosts = onCosts;
    this.view = byID("view");
    this.record = byID("record");
    this.profile = byID("profile");
    this.chosen = "json";
    this.select = tabs(byID("views"), "view", (view) => { this.chosen = view; this.paint(); });
    this.record.addEventListener("input", debounced(250, () => this.search()));
    this.record.addEventListener("focus", () => this.record.select());
    this.record.addEventListener("change", () => this.refresh());
    this.profile.addEventListener("change", () => this.refresh());
    byID("copy-view").addEventListener("click", (event) => copy(event.target, this.plainText()));
    this.refreshSoon = debounced(120, () => this.refresh());
  }

  // show begins with a model, at a record or else at the first.
  async show(model, administrator, record) {
    this.model = model;
    this.draft = null;
    this.last = null;
    this.failure = null;
    for (const tab of byID("views").children) {
      tab.hidden = !administrator && ["sql", "plan"].includes(tab.dataset.view);
    }
    this.select("json");
    this.record.value = "";
    const found = await this.records("");
    if (this.model === model && found.length > 0) {
      this.record.value = record || found[0].id;
    }
    this.none = found.length === 0;
  }

  // setDraft shows the answer of a part of a draft from now on.
  setDraft(draft, part) {
    this.draft = draft;
    this.part = part === "settings" ? "read_all" : part;
    byID("record-label").hidden = this.part === "read_all";
    this.refreshSoon();
  }

  async records(text) {
    const found = await ask("GET", modelPath(this.model) + "/records?search=" + encodeURIComponent(text));
    byID("records").replaceChildren(...found.map((record) => element("option", { value: record.id, label: record.label || undefined })));
    return found;
  }

  async search() {
    if (!/^\s*\d+\s*$/.test(this.record.value)) {
      await this.records(this.record.value).catch((error) => this.fail(error));
    }
    this.refresh();
  }

  // refresh reads the record anew. Of several under way only the last counts.
  async refresh() {
    this.asked?.abort();
    if (!this.draft) {
      return;
    }
    this.draft.record = this.record.value.trim();
    if (this.draft.mistakes[this.part]?.length > 0) {
      return;
    }
    const one = this.part !== "read_all";
    const id = Number(this.record.value.trim());
    if (one && !(Number.isInteger(id) && id > 0)) {
      this.last = null;
      this.hint(this.none ? "There is no record of this model that you may read." : "Choose a record: type an id, or part of a name and pick one.");
      return;
    }
    const asked = this.asked = new AbortController();
    byID("answer").setAttribute("aria-busy", "true");
    try {
      this.last = await ask("POST", modelPath(this.model) + "/preview", {
        operation: this.part, id: one ? id : undefined, profile: this.profile.value,
        [this.part]: this.draft.parts[this.part], settings: this.draft.parts.settings,
      }, asked.signal);
      this.failure = null;
      this.onCosts(this.last.fields);
    } catch (error) {
      if (error.name === "AbortError") {
        return;
      }
      this.fail(error);
      return;
    } finally {
      if (this.asked === asked) {
        byID("answer").removeAttribute("aria-busy");
      }
    }
    this.paint();
  }

  fail(error) {
    this.last = null;
    this.failure = error;
    this.paint();
  }

  hint(text) {
    byID("measure").replaceChildren();
    this.view.replaceChildren(element("span", { class: "hint" }, text));
  }

  paint() {
    this.view.classList.toggle("unbroken", this.chosen === "plan" && Boolean(this.last?.plan));
    if (this.chosen === "curl" && this.draft) {
      this.view.textContent = this.curl();
      return;
    }
    if (this.failure) {
      byID("measure").replaceChildren(element("span", { class: "cost odoo" }, "refused"));
      this.view.replaceChildren(element("span", { class: "error" }, this.failure.message),
        element("span", { class: "hint" }, this.failure.code ? "\n\n" + this.failure.status + " " + this.failure.code : ""));
      return;
    }
    if (!this.last) {
      return;
    }
    const { read_path: way, reason = "", milliseconds, answer, truncated } = this.last;
    byID("measure").replaceChildren(
      element("span", { class: "cost " + way, title: ways[way][1] + (way === "direct" ? "" : reason) }, ways[way][0]), " ",
      element("strong", { id: "took" }, milliseconds.toFixed(milliseconds < 10 ? 2 : 0) + " ms"));
    switch (this.chosen) {
      case "json":
        this.view.replaceChildren(...formatted(answer), truncated ? element("span", { class: "hint" }, "\n… the answer is longer") : "");
        break;
      case "sql":
        this.view.replaceChildren(...(this.last.sql ? [this.last.sql, element("span", { class: "hint" }, this.arguments())]
          : [element("span", { class: "hint" }, "There is no statement: " + reason)]));
        break;
      case "plan":
        this.view.replaceChildren(this.last.plan || element("span", { class: "hint" }, "There is no plan: " + reason));
        break;
    }
  }

  arguments() {
    return (this.last.arguments || []).map((value, i) => `\n-- $${i + 1} = ${value}`).join("");
  }

  // curl is the request that answers this: as it will be once the preset is saved, else with the schema in
  // it.
  curl() {
    const base = location.origin + (this.profile.value === "typed" ? "/v2/" : "/api/") + this.model;
    const token = ' \\\n  -H "Access-Token: $TOKEN"';
    const login = `TOKEN=$(curl -s ${location.origin}/api/auth/get_tokens -d '{"username": "…", "password": "…"}' \\\n  | sed 's/.*"access_token": *"\\([^"]*\\)".*/\\1/')\n\n`;
    if (this.part === "create_one") {
      return login + `curl -s -X POST ${base}${token} \\\n  -d '{"name": "…"}'`;
    }
    const address = this.part === "read_one" ? base + "/" + this.record.value.trim() : base;
    if (this.draft.savedText !== "" && !this.draft.changed) {
      return login + `curl -s ${address}${token}`;
    }
    const line = this.draft.lines[this.part];
    if (!line) {
      return login + `curl -s ${address}${token}`;
    }
    return login + "# until the preset is saved, the request carries the schema\n" +
      `curl -sG ${address}${token} \\\n  --data-urlencode "exclude_fields=*" \\\n  --data-urlencode ${shell("include_fields=" + line)}`;
  }

  plainText() {
    return this.chosen === "json" && this.last ? this.last.answer : this.view.textContent;
  }
}
