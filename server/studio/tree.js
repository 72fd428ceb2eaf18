// The tree of a model's fields: a tree of ARIA's pattern, with one stop for the Tab key.

import { element } from "./dom.js";
import { fieldsOf, find, toggle } from "./fields.js";

const costs = { direct: "direct: read from PostgreSQL", hybrid: "computed by Odoo", odoo: "read through Odoo" };

// FieldTree shows the fields of one model in a holder, and tells of each tick by onTick(tree).
export class FieldTree {
  constructor(holder, onTick) {
    this.holder = holder;
    this.onTick = onTick;
    this.tree = [];
    this.costs = new Map();
    this.filter = "";
    this.open = new Set(); // paths
    this.places = new Map(); // path → its row
    holder.addEventListener("click", (event) => this.clicked(event));
    holder.addEventListener("keydown", (event) => this.pressed(event));
  }

  // show begins with the fields of a model.
  async show(model) {
    this.model = model;
    this.open.clear();
    this.places.clear();
    this.costs.clear();
    this.holder.replaceChildren(element("p", { class: "loading" }, "Loading the fields …"));
    const described = await fieldsOf(model);
    if (this.model !== model) {
      return;
    }
    this.root = element("ul", { role: "tree", "aria-label": "Fields of " + model, "aria-multiselectable": "true" });
    this.fill(this.root, described, [], []);
    this.holder.replaceChildren(this.root);
    this.focusable(this.root.querySelector("[role=treeitem]"));
    await this.openTicked();
    this.refresh();
  }

  fill(list, described, path, types) {
    for (const field of described.fields) {
      list.append(this.row(field, [...path, field.name], [...types, field]));
    }
  }

  row(field, path, types) {
    const dotted = path.join(".");
    const opens = Boolean(field.relation);
    const title = [field.help, field.reason && "Not direct: " + field.reason].filter(Boolean).join("\n\n");
    const cost = element("span", { class: "cost " + field.cost, role: "img", title: costs[field.cost] + (field.reason ? ": " + field.reason : "") });
    const item = element("li", {
      role: "treeitem", "aria-level": path.length, "aria-checked": "false", tabindex: "-1", "data-path": dotted,
      "aria-expanded": opens ? "false" : undefined,
    }, element("div", { class: "row", title },
      element("span", { class: opens ? "twist" : "twist none", "aria-hidden": "true" }),
      element("span", { class: "tick", "aria-hidden": "true" }),
      element("span", { class: "names" }, element("span", { class: "label" }, field.label || field.name), " ",
        element("code", {}, field.name)),
      element("span", { class: "type" }, field.relation ? "→ " + field.relation : field.type),
      cost));
    item.style.setProperty("--level", path.length - 1);
    this.places.set(dotted, { item, field, path, types, cost });
    return item;
  }

  // setOpen opens or closes the relation at a path.
  async setOpen(dotted, open) {
    const place = this.places.get(dotted);
    if (!place || !place.field.relation) {
      return;
    }
    place.item.setAttribute("aria-expanded", String(open));
    if (!open) {
      this.open.delete(dotted);
      return;
    }
    this.open.add(dotted);
    place.loaded ??= this.load(place);
    await place.loaded;
  }

  // load fills the group of a relation with the fields of its records.
  async load(place) {
    place.item.querySelector(":scope > ul")?.remove();
    const group = element("ul", { role: "group" }, element("li", { class: "loading", role: "none" }, "Loading …"));
    place.item.append(group);
    try {
      const described = await fieldsOf(place.field.relation);
      group.replaceChildren();
      if (described.cost === "odoo") {
        group.append(element("li", { class: "hint", role: "none" }, "These records are read through Odoo: " + described.reason));
      }
      this.fill(group, described, place.path, place.types);
    } catch (error) {
      group.replaceChildren(element("li", { class: "error", role: "none" }, error.message));
      place.loaded = undefined;
    }
    this.refresh();
  }

  // openTicked opens the relations that ticked fields are in.
  async openTicked() {
    const walk = async (nodes, path) => {
      for (const node of nodes) {
        if (node.fields) {
          const inside = [...path, node.name];
          await this.setOpen(inside.join("."), true);
          await walk(node.fields, inside);
        }
      }
    };
    await walk(this.tree, []);
  }

  // setTree shows which fields are ticked.
  async setTree(tree) {
    this.tree = tree;
    if (this.root) {
      await this.openTicked();
      this.refresh();
    }
  }

  // setCosts shows what the ticked fields really cost where they are.
  setCosts(fields) {
    this.costs = new Map(fields.map((field) => [field.path, field]));
    this.refresh();
  }

  setFilter(text) {
    this.filter = text.trim().toLowerCase();
    this.refresh();
  }

  // refresh brings all rows up to the ticks, the costs and the filter.
  refresh() {
    const shown = new Set();
    for (const { field, path } of this.places.values()) {
      if (!this.filter || field.name.includes(this.filter) || field.label.toLowerCase().includes(this.filter)) {
        for (let n = 1; n <= path.length; n++) {
          shown.add(path.slice(0, n).join("."));
        }
      }
    }
    for (const [dotted, place] of this.places) {
      const { item, field, path, cost } = place;
      const ticked = find(this.tree, path);
      const real = ticked && this.costs.get(dotted) || field;
      const look = [Boolean(ticked), Boolean(ticked?.fields), shown.has(dotted), real.cost, real.reason].join();
      if (place.look === look) {
        continue; // most rows are as they were, and there may be thousands
      }
      place.look = look;
      item.setAttribute("aria-checked", ticked ? "true" : "false");
      item.classList.toggle("nested", Boolean(ticked?.fields));
      item.hidden = !shown.has(dotted);
      cost.className = "cost " + real.cost;
      cost.title = costs[real.cost] + (real.reason ? ": " + real.reason : "");
      cost.setAttribute("aria-label", cost.title);
    }
  }

  focusable(item) {
    for (const other of this.root.querySelectorAll("[role=treeitem][tabindex='0']")) {
      other.tabIndex = -1;
    }
    if (item) {
      item.tabIndex = 0;
    }
  }

  focus(item) {
    if (item) {
      this.focusable(item);
      item.focus();
      item.querySelector(".row").scrollIntoView({ block: "nearest" });
    }
  }

  tick(dotted) {
    const { path, types } = this.places.get(dotted);
    this.onTick(toggle(this.tree, path, types, !find(this.tree, path)));
  }

  clicked(event) {
    const row = event.target.closest(".row");
    if (!row) {
      return;
    }
    const item = row.parentElement;
    const dotted = item.dataset.path;
    this.focus(item);
    if (event.target.closest(".twist") && item.hasAttribute("aria-expanded")) {
      this.setOpen(dotted, item.getAttribute("aria-expanded") !== "true");
    } else {
      this.tick(dotted);
    }
  }

  // visible are the rows that can be reached, from top to bottom.
  visible() {
    return [...this.root.querySelectorAll("[role=treeitem]")].filter((item) => item.offsetParent !== null);
  }

  pressed(event) {
    const item = event.target.closest("[role=treeitem]");
    if (!item || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const dotted = item.dataset.path;
    const open = item.getAttribute("aria-expanded");
    const rows = this.visible();
    const at = rows.indexOf(item);
    switch (event.key) {
      case "ArrowDown": this.focus(rows[at + 1]); break;
      case "ArrowUp": this.focus(rows[at - 1]); break;
      case "Home": this.focus(rows[0]); break;
      case "End": this.focus(rows.at(-1)); break;
      case "ArrowRight":
        if (open === "false") {
          this.setOpen(dotted, true);
        } else if (open === "true") {
          this.focus(rows[at + 1]);
        }
        break;
      case "ArrowLeft":
        if (open === "true") {
          this.setOpen(dotted, false);
        } else {
          this.focus(item.parentElement.closest("[role=treeitem]"));
        }
        break;
      case "Enter":
        if (open !== null) {
          this.setOpen(dotted, open !== "true");
          break;
        }
        this.tick(dotted);
        break;
      case " ": this.tick(dotted); break;
      default: return;
    }
    event.preventDefault();
  }
}
