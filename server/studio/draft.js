// The preset that is being edited: one draft for each model, kept until the tab is closed.

import { ask, modelPath } from "./api.js";
import { fieldsOf } from "./fields.js";

export const trees = ["read_one", "read_all", "create_one"];
const empty = () => ({ read_all: "", read_one: "", create_one: "", settings: "" });

// Draft is the preset of one model as it is in force and as it is being edited.
export class Draft {
  constructor(model) {
    this.model = model;
    this.parts = empty(); // texts
    this.saved = empty();
    this.savedText = ""; // of the preset in force
    this.file = null; // that it is in
    this.stored = false; // Odoo keeps one
    this.trees = { read_all: [], read_one: [], create_one: [] };
    this.lines = {}; // the trees on one line each
    this.mistakes = {}; // of each part
    this.part = ""; // that was shown last
    this.record = ""; // whose answer was shown last
  }

  // load gets the preset in force, which only administrators may see; without one it begins with id and
  // name.
  async load(administrator) {
    if (administrator) {
      await this.loadSaved();
    }
    if (this.savedText === "") {
      const { byName } = await fieldsOf(this.model);
      const names = ["id", "name"].filter((name) => byName.has(name));
      await this.setTree("read_one", names.map((name) => ({ name })));
    }
    await this.reread();
  }

  // reread takes all texts as if they had been typed anew.
  async reread() {
    await Promise.all(Object.keys(this.parts).map((part) => this.setText(part, this.parts[part])));
  }

  async loadSaved() {
    const state = await ask("GET", "/presets/" + encodeURIComponent(this.model));
    this.savedText = state.text ?? "";
    this.file = state.file;
    this.stored = state.stored !== null;
    this.saved = empty();
    this.broken = "";
    if (this.savedText !== "") {
      try {
        this.saved = await ask("POST", modelPath(this.model) + "/parts", { text: this.savedText });
      } catch (error) {
        if (error.status !== 422) {
          throw error;
        }
        this.broken = error.message;
      }
    }
    this.parts = { ...this.saved };
  }

  get changed() {
    return Object.keys(this.parts).some((part) => this.parts[part].trim() !== this.saved[part].trim());
  }

  get wrong() {
    return Object.values(this.mistakes).some((list) => list.length > 0);
  }

  async setTree(part, tree) {
    const mine = this.begin(part);
    if (tree.length === 0) {
      this.take(part, { text: "", tree: [], line: "" });
      return;
    }
    const read = await ask("POST", modelPath(this.model) + "/schema", { tree });
    if (mine === this.turns[part]) {
      this.take(part, read);
    }
  }

  // setText takes what was typed. It reports whether the text is right; where it is not, the tree stays as
  // it was.
  async setText(part, text) {
    const mine = this.begin(part);
    this.parts[part] = text;
    if (!trees.includes(part)) {
      this.mistakes[part] = [];
      return true;
    }
    if (text.trim() === "") {
      this.take(part, { text, tree: [], line: "" });
      return true;
    }
    try {
      const read = await ask("POST", modelPath(this.model) + "/schema", { text });
      if (mine === this.turns[part]) {
        this.take(part, read);
      }
      return true;
    } catch (error) {
      if (error.status !== 422) {
        throw error;
      }
      if (mine === this.turns[part]) {
        this.mistakes[part] = error.mistakes;
      }
      return false;
    }
  }

  // begin tells answers to what was asked before from the one that counts.
  begin(part) {
    this.turns ??= {};
    return this.turns[part] = (this.turns[part] || 0) + 1;
  }

  take(part, { text, tree, line }) {
    this.parts[part] = text;
    this.trees[part] = tree;
    this.lines[part] = line;
    this.mistakes[part] = [];
  }

  // text returns the text of the whole preset. It fails with the mistakes of all parts.
  async text() {
    return (await ask("POST", modelPath(this.model) + "/text", this.parts)).text;
  }

  async save(text) {
    await ask("PUT", "/presets/" + encodeURIComponent(this.model), text);
    await this.loadSaved();
  }

  async remove() {
    await ask("DELETE", "/presets/" + encodeURIComponent(this.model));
    await this.loadSaved();
  }
}
