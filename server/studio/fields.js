// The fields of models, asked for once, and the tree of those that are ticked.

import { ask, modelPath } from "./api.js";

const known = new Map(); // model → promise of its description

// fieldsOf returns what the user may know of a model's fields, in the order in which they are shown.
export function fieldsOf(model) {
  if (!known.has(model)) {
    const asked = ask("GET", modelPath(model)).then((described) => {
      described.byName = new Map(described.fields.map((field) => [field.name, field]));
      described.fields.sort(compare);
      return described;
    });
    asked.catch(() => known.delete(model));
    known.set(model, asked);
  }
  return known.get(model);
}

export const forgetFields = () => known.clear();

const first = ["id", "name", "display_name"];
const technical = /^(create_(uid|date)|write_(uid|date)|__last_update|parent_path|(message|activity|my_activity|website_message|access|rating)_.*)$/;

// rank puts what names a record in front, and what every model has behind.
function rank(name) {
  const place = first.indexOf(name);
  return place >= 0 ? place : technical.test(name) ? 20 : 10;
}

function compare(a, b) {
  return rank(a.name) - rank(b.name) || a.label.localeCompare(b.label) || a.name.localeCompare(b.name);
}

export const isList = (field) => field.type === "one2many" || field.type === "many2many";

// find returns the ticked field at a path, or undefined.
export function find(tree, path) {
  let found;
  for (const name of path) {
    found = tree.find((node) => node.name === name);
    if (!found) {
      return undefined;
    }
    tree = found.fields || [];
  }
  return found;
}

// toggle returns a tree with the field at a path ticked, or not. What leads to a ticked field is nested
// for it, in the form of its type; a relation that loses its last field stays as a plain name.
export function toggle(tree, path, types, on) {
  const [name, ...rest] = path;
  const place = tree.findIndex((node) => node.name === name);
  if (rest.length === 0) {
    if (on) {
      return place >= 0 ? tree : [...tree, { name }];
    }
    return tree.filter((node) => node.name !== name);
  }
  if (place < 0 && !on) {
    return tree;
  }
  const node = place < 0 ? { name } : { ...tree[place] };
  node.fields = toggle(node.fields || [], rest, types.slice(1), on);
  node.form = node.form || (isList(types[0]) ? "list" : "one");
  if (node.fields.length === 0) {
    delete node.fields;
    delete node.form;
  }
  return place < 0 ? [...tree, node] : tree.with(place, node);
}
