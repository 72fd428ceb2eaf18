#!/usr/bin/env python3
"""Collect what only Odoo's Python source knows about its models.

    python3 scan.py 19.0 <addons folder> > odoo-19.0.json

Reads every model class of every add-on below the folder with the `ast` module (nothing of Odoo is run or
imported) and writes, per model, one line for each add-on that defines or extends it, in the order in which Odoo
would load the add-ons. The Go package merges these parts: over the add-ons that are installed, and over parents
and mixins. Keys of a part (each left out where it says nothing):

    in            the add-on
    kind          "abstract" or "transient", where the class says so
    inherit       parents and mixins;  inherits: {parent: link field}
    table, rec_name, rec_names_search, parent_name, active_name, order    the class attributes of that name
    auto          false;  table_query: true where _table_query is defined
    has_name      true where the class declares the field `name` (the default _rec_name)
    overrides     {method: "file:line"} of the reading methods it overrides;  super_only: those that just call super
    fields        {field: facts} of the fields with an attribute that no database or fields_get shows

An attribute whose value is not a literal is written as "?", which readers must take for the worst case.
"""

import ast
import json
import pathlib
import re
import sys

# Methods through which the ORM decides which rows, values, orders or labels a reader gets. Both series together:
# a method that a series does not have is simply never found.
METHODS = {
    # which rows
    "search", "_search", "search_read", "search_count", "search_fetch", "fetch", "exists", "_where_calc",
    "_apply_ir_rules", "_compute_domain", "_condition_to_sql", "_table_sql", "_as_query", "_inherits_join_calc",
    "_inherits_join_add", "filtered_domain", "_flush_search",
    # which values
    "read", "_read", "_read_format", "_fetch_query", "_fetch_field", "_determine_fields_to_fetch", "_field_to_sql",
    "_traverse_related_sql", "_generate_translated_field",
    # access
    "check_access", "_check_access", "has_access", "_filtered_access", "check_access_rule", "check_access_rights",
    "_filter_access_rules", "_filter_access_rules_python", "check_field_access_rights", "_has_field_access",
    "_check_field_access", "user_has_groups",
    # order
    "_generate_order_by", "_generate_order_by_inner", "_generate_m2o_order_by", "_order_to_sql",
    "_order_field_to_sql", "_check_qorder",
    # labels and searches by label
    "name_get", "_compute_display_name", "name_search", "_name_search", "_search_display_name",
    # what fields_get tells
    "fields_get",
}
ATTRIBUTES = {
    "_table": "table", "_rec_name": "rec_name", "_rec_names_search": "rec_names_search",
    "_parent_name": "parent_name", "_active_name": "active_name", "_order": "order",
}
MODEL_BASES = {"Model", "BaseModel", "AbstractModel", "TransientModel"}
X2MANY = {"one2many", "many2many"}
SKIPPED_FOLDERS = {"tests", "migrations", "upgrades", "static"}
# Names of the positional arguments of a field, after which all is given by keyword.
POSITIONAL = {
    "many2one": ("comodel_name",), "one2many": ("comodel_name", "inverse_name"),
    "many2many": ("comodel_name",), "monetary": ("string", "currency_field"), "float": ("string", "digits"),
}


def literal(node, constants):
    """The value of a literal expression, or "?"; names of literals of the same file are followed."""
    if isinstance(node, ast.Name) and node.id in constants:
        node = constants[node.id]
    if isinstance(node, ast.Attribute) and node.attr == "NO_ACCESS":
        return "."
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return "?"


def assignments(statements):
    """The (name, value) pairs of all `name = value`, `name = other = value` and `name: type = value`."""
    for statement in statements:
        targets = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets = [statement.target]
        yield from ((target.id, statement.value) for target in targets if isinstance(target, ast.Name))


def is_super_only(function):
    """Whether the method does nothing but `return super().method(<its own arguments, unchanged>)`."""
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    if len(body) != 1 or not isinstance(body[0], (ast.Return, ast.Expr)):
        return False
    call = body[0].value
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == function.name
            and isinstance(call.func.value, ast.Call) and getattr(call.func.value.func, "id", "") == "super"):
        return False
    spec = function.args
    own = [a.arg for a in spec.posonlyargs + spec.args][1:]
    given = [a.value if isinstance(a, ast.Starred) else a for a in call.args]
    given += [k.value for k in call.keywords if k.arg in (None, getattr(k.value, "id", ""))]
    own += [a.arg for a in spec.kwonlyargs] + [a.arg for a in (spec.vararg, spec.kwarg) if a]
    changed = [k for k in call.keywords if k.arg is not None and k.arg != getattr(k.value, "id", "")]
    return not changed and [getattr(a, "id", "") for a in given] == own


def field_type(call, constants):
    """The type of `fields.Type(...)` in lower case, or None where the call makes no field."""
    func = call.func
    if isinstance(func, ast.Attribute) and isinstance(func.value, (ast.Name, ast.Attribute)):
        owner = func.value.id if isinstance(func.value, ast.Name) else func.value.attr
        name = func.attr if owner == "fields" else ""
    else:
        name = func.id if isinstance(func, ast.Name) and constants.get(func.id) == "field class" else ""
    if not name[:1].isupper() or name in ("Command", "Domain"):
        return None
    return {"Many2oneReference": "many2one_reference", "Id": "integer", "Image": "binary",
            "PropertiesDefinition": "properties_definition"}.get(name, name.lower())


def domain_kind(node, constants):
    """How a field's domain acts: "list" filters reads, "callable" does so once called, "string" is for the client."""
    if isinstance(node, ast.Name) and isinstance(constants.get(node.id), ast.AST):
        node = constants[node.id]
    if isinstance(node, ast.Constant):
        return "string" if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "string"
    if isinstance(node, (ast.List, ast.Tuple)):
        return "list" if node.elts else None
    if isinstance(node, ast.BinOp):
        kinds = {domain_kind(node.left, constants), domain_kind(node.right, constants)} - {None}
        return kinds.pop() if len(kinds) == 1 else "callable"
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Domain":
        return "list"
    if isinstance(node, ast.Lambda) and isinstance(node.body, ast.Call) and getattr(node.body.func, "id", "") == "str":
        return "string"
    return "callable"


def field_facts(name, kind, call, constants):
    """The facts of one field definition; only {"type": …} where there is nothing unusual about it."""
    args = dict(zip(POSITIONAL.get(kind, ()), call.args))
    args.update((k.arg, k.value) for k in call.keywords if k.arg)
    value = {key: literal(node, constants) for key, node in args.items()}
    facts = {"type": kind}

    if value.get("related") and value.get("compute_sudo", value.get("related_sudo", True)) is not True:
        facts["related_sudo"] = False
    if "compute_sudo" in value:
        facts["compute_sudo"] = value["compute_sudo"] is True
    if value.get("inherited"):
        facts["inherited"] = True  # a field of a delegation parent, declared again
    for key in ("auto_join", "bypass_search_access"):
        if key in value:
            facts["bypass"] = value[key] is not False  # also false counts: it takes an inherited one back
    if "company_dependent" in value:
        facts["company_dependent"] = value["company_dependent"]  # also false counts: it takes an inherited one back
    for key in ("groups", "model_field", "search", "digits", "sparse", "limit"):
        if value.get(key) not in (None, False, ""):
            facts[key] = "?" if value[key] == "?" else value[key]
    if facts.get("search") == "?":  # a function of the class, or a lambda
        facts["search"] = ast.unparse(args["search"]) if isinstance(args["search"], ast.Name) else "lambda"
    if facts.get("digits") == "?":
        facts["digits"] = ast.unparse(args["digits"])
    if value.get("digits", "") in (0, False) or "min_display_digits" in value and "digits" not in value:
        facts["digits"] = 0  # a numeric column of any scale
    if kind == "binary" and value.get("attachment", True) is not True:
        facts["attachment"] = False
    if "translate" in value and value["translate"] not in (True, False):
        facts["translate"] = ast.unparse(args["translate"])  # term by term; True is in the database
    if kind in X2MANY and "domain" in args:
        domain = domain_kind(args["domain"], constants)
        # An empty domain counts too: it takes an inherited one away.
        facts["domain"] = domain or "none"
        if domain in ("list", "callable"):
            facts["domain_text"] = ast.unparse(args["domain"])
    if kind in X2MANY | {"many2one"} and value.get("context") not in (None, {}):
        facts["context"] = ast.unparse(args["context"])
    if kind in X2MANY and value.get("check_company"):
        facts["check_company"] = True
    if path := value.get("related"):
        path = path if isinstance(path, str) else ".".join(path)
        facts["stored_related" if value.get("store") else "_related"] = path
    if name == "display_name":
        facts["compute"] = value.get("compute", "") if isinstance(value.get("compute", ""), str) else "?"
        facts["store"] = value.get("store", False) is not False
    # Not written, but needed by finish(): what the inverse of a one2many looks like.
    facts["_store"] = value.get("store", False if "compute" in value or "related" in value else None)
    facts["_explicit"], facts["_args"] = "store" in value, args
    facts["_comodel"], facts["_inverse"] = value.get("comodel_name"), value.get("inverse_name")
    if value.get("delegate"):
        facts["_delegate"] = True
    return facts


def read_class(node, path, constants, local_models):
    """The part of a model that one class gives, as (model name, part), or None where it is no model."""
    own = dict(assignments(node.body))
    constants = {**constants, **own}
    bases = {getattr(b, "attr", getattr(b, "id", "")) for b in node.bases}
    local_bases = [local_models[b] for b in sorted(bases) if b in local_models]
    if not (bases & MODEL_BASES or local_bases):
        return None
    if not {"_name", "_inherit"} & own.keys():
        return "", {}  # only there for other classes to derive from (_register = False)
    parents = [base for base in local_bases if base]
    inherit = literal(own["_inherit"], constants) if "_inherit" in own else []
    inherit = [inherit] if isinstance(inherit, str) else list(inherit or [])
    model = literal(own["_name"], constants) if "_name" in own else None
    if model is None:
        default = node.name if len(inherit) != 1 else inherit[0]
        model = re.sub(r"(?<=[^_])([A-Z])", r".\1", default).lower() if len(inherit) != 1 else default
    part = {}
    if model not in inherit and "TransientModel" in bases:
        part["kind"] = "transient"
    if model not in inherit and "AbstractModel" in bases:
        part["kind"] = "abstract"
    if "_abstract" in own or "_transient" in own:
        flags = [k for k in ("abstract", "transient") if literal(own.get(f"_{k}", ast.Constant(False)), {}) is True]
        part["kind"] = flags[0] if flags else "model"
    if parents := [p for p in inherit + parents if p != model]:
        part["inherit"] = parents
    if "_inherits" in own:
        part["inherits"] = literal(own["_inherits"], constants)
    for attribute, key in ATTRIBUTES.items():
        if attribute in own:
            part[key] = literal(own[attribute], constants)
    if "_auto" in own and literal(own["_auto"], constants) is not True:
        part["auto"] = False

    overrides, super_only, fields = {}, [], {}
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef):
            if statement.name == "_table_query":
                part["table_query"] = True
            if statement.name in METHODS:
                overrides[statement.name] = f"{path}:{statement.lineno}"
                if is_super_only(statement):
                    super_only.append(statement.name)
            if statement.name in ATTRIBUTES:  # a property: known only at run time
                part[ATTRIBUTES[statement.name]] = "?"
    for name, value in assignments(node.body):
        if name in METHODS:
            overrides[name] = f"{path}:{value.lineno}"
        elif name == "_table_query" and literal(value, {}) is not None:
            part["table_query"] = True
        elif isinstance(value, ast.Call) and (kind := field_type(value, constants)):
            fields[name] = field_facts(name, kind, value, constants)
            if name == "name":
                part["has_name"] = True
    if overrides:
        part["overrides"] = overrides
    if super_only:
        part["super_only"] = super_only
    delegates = {f["_comodel"]: name for name, f in fields.items() if f.get("_delegate")}
    if delegates:
        part["inherits"] = {**part.get("inherits", {}), **delegates}
    part["fields"] = fields
    return model, part


def read_file(path, root):
    """The (model, part) pairs of one file."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        print(f"{path}: left out: {error}", file=sys.stderr)
        return
    constants, local_models = {}, {}
    constants.update(assignments(tree.body))
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "odoo.fields":
            constants.update((alias.asname or alias.name, "field class") for alias in statement.names)
    for node in tree.body:
        # Classes may be declared under a condition, one level deep.
        for inner in [node, *getattr(node, "body", [])] if isinstance(node, (ast.If, ast.Try)) else [node]:
            if isinstance(inner, ast.ClassDef) and (found := read_class(inner, path.relative_to(root), constants, local_models)):
                local_models[inner.name] = found[0]
                if found[0]:
                    yield found


def load_order(root):
    """The add-ons in Odoo's order of loading: by depth of dependency, then by name."""
    depends = {}
    for manifest in root.glob("*/__manifest__.py"):
        depends[manifest.parent.name] = ast.literal_eval(manifest.read_text(encoding="utf-8")).get("depends", ["base"])
    depends["base"] = []
    depths = {}

    def depth(name):
        if name not in depths:
            depths[name] = -1  # cut cycles
            depths[name] = 1 + max((depth(d) for d in depends.get(name, ())), default=-1)
        return depths[name]

    return sorted(depends, key=lambda name: (depth(name), name))


def lookup(models, model, field, seen=()):
    """The definitions of a field of a model and its mixins, else of a model it delegates to, marked as not stored."""
    found = []
    for part in models.get(model, ()) if model not in seen else ():
        found += [part["fields"][field]] if field in part["fields"] else []
        for parent in part.get("inherit", ()):
            found += lookup(models, parent, field, (*seen, model))
    for part in models.get(model, ()) if not found and model not in seen else ():
        for parent in part.get("inherits", ()):
            delegated = lookup(models, parent, field, (*seen, model))
            found += [{**facts, "_store": False, "_explicit": False} for facts in delegated]
    return found


def is_stored(definitions):
    """Whether a field is a column: what the last definition says that speaks of it, else whether none computes it."""
    explicit = [facts["_store"] for facts in definitions if facts["_explicit"]]
    return explicit[-1] is not False if explicit else all(facts["_store"] is None for facts in definitions)


def finish(models):
    """Add the facts that take two models to see, then drop what is usual and what only finish() needed."""
    for model, parts in models.items():
        for part in parts:
            for name, facts in part["fields"].items():
                if facts["type"] == "one2many" and facts["_inverse"]:
                    inverse = lookup(models, facts["_comodel"], facts["_inverse"])
                    if inverse and not is_stored(inverse):
                        facts["inverse_stored"] = False
                    if any(f["type"] == "many2one_reference" for f in inverse):
                        facts["inverse_type"] = "many2one_reference"
                # A field that elsewhere is a column or a computation, and here becomes related. Where an add-on gives
                # it a compute method too, Odoo still follows the path, but with the reader's rights.
                others = [p["fields"][name] for p in parts if name in p["fields"] and p["fields"][name] is not facts]
                if "_related" in facts and others:
                    facts["related"] = facts["_related"]
                    if any("compute" in other["_args"] for other in others):
                        facts["related_sudo"] = False
    for parts in models.values():
        for part in parts:
            kept = {}
            for name, facts in sorted(part["fields"].items()):
                facts = {key: value for key, value in facts.items() if key[0] != "_"}
                if len(facts) > 1 or name == "display_name":
                    kept[name] = facts
            part.pop("fields")
            if kept:
                part["fields"] = kept


def main(series, folder):
    root = pathlib.Path(folder).resolve()
    modules, models = load_order(root), {}
    for module in modules:
        for path in sorted((root / module).rglob("*.py")):
            if not SKIPPED_FOLDERS & set(path.relative_to(root).parts[1:]):
                for model, part in read_file(path, root / module):
                    if model == "?":
                        print(f"{path}: a model whose name is computed is left out", file=sys.stderr)
                        continue
                    models.setdefault(model, []).append({"in": module, **part})
    finish(models)
    dump = lambda value: json.dumps(value, ensure_ascii=False)  # noqa: E731
    print("{" + f'"series": {dump(series)},\n"modules": [')
    print(",\n".join(dump(module) for module in sorted(modules)))
    print('],\n"models": {')
    print(",\n".join(
        f"{dump(model)}: [\n" + ",\n".join(f" {dump(part)}" for part in parts) + "\n]"
        for model, parts in sorted(models.items())
    ))
    print("}}")


if __name__ == "__main__":
    main(*sys.argv[1:])
