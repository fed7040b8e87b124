"""Mistakes of a site file in plain words: where, what was found, what was expected."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from pydantic import ValidationError

from smartstream.errors import ConfigError

_NOTHING = object()
_MISSING = "nothing"


class Mistake(NamedTuple):
    """One mistake; an empty part is left out of the message."""

    path: str
    """Place in the file: ``camera[0].lane[2].polygon``."""
    found: str
    expected: str

    def __str__(self) -> str:
        parts = (
            self.path,
            self.found and f"found {self.found}",
            self.expected and f"expected {self.expected}",
        )
        return " — ".join(p for p in parts if p)


def refuse(name: str, mistakes: Iterable[Mistake]) -> ConfigError:
    """The error that lists all mistakes of the file ``name``, those of one place beside each other."""
    lines = [str(m) for m in sorted(set(mistakes), key=_place)]
    if len(lines) == 1:
        return ConfigError(f"{name}: {lines[0]}")
    return ConfigError("\n  ".join([f"{name}: {len(lines)} mistakes", *lines]))


def as_mistakes(error: ValidationError, raw: Any, schema: dict[str, Any]) -> list[Mistake]:
    """What pydantic found about ``raw``, in plain words; what was expected comes from the JSON ``schema``."""
    errors = error.errors(include_url=False)
    # A list is not wrong besides its elements, and a key written wrong is not missing besides.
    inner = {e["loc"][:n] for e in errors for n in range(len(e["loc"]))}
    meant = {
        _join(_walk(e["loc"][:-1], raw, schema)[0], _close(str(e["loc"][-1]), _keys(e["loc"], raw, schema)))
        for e in errors
        if e["type"] == "extra_forbidden"
    }
    found = [_mistake(e, raw, schema) for e in errors if e["loc"] not in inner]
    return [m for m in found if not (m.found == _MISSING and m.path in meant)]


def show(value: Any) -> str:
    """A value as the file writes it, cut where it gets long."""
    if value is _NOTHING:
        return _MISSING
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list) and any(isinstance(v, dict) for v in value):
        return f"a list of {len(value)} tables"
    try:
        text = json.dumps(value, ensure_ascii=False)
    except ValueError:
        text = repr(value)
    if len(text) > 60:
        text = f"a list of {len(value)}: {text[:40]}…" if isinstance(value, list) else f"{text[:57]}…"
    return text


def _place(mistake: Mistake) -> tuple[Any, ...]:
    return (*(int(p) if p.isdecimal() else p for p in re.split(r"(\d+)", mistake.path)), mistake.found)


def _mistake(error: Any, raw: Any, schema: dict[str, Any]) -> Mistake:
    path, value, node = _walk(error["loc"], raw, schema)
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        keys = _keys(error["loc"], raw, schema)
        hint = _did_you_mean(str(error["loc"][-1]), keys)
        return Mistake(path, "a key that is not known here", f"one of {', '.join(keys)}{hint}")
    if kind == "expected":
        return Mistake(path, context["found"] or show(value), context["what"])
    if kind.startswith("union_tag"):
        kinds = ", ".join(f'"{k}"' for k in node.get("discriminator", {}).get("mapping", {}))
        found = value.get("kind", _NOTHING) if isinstance(value, dict) else value
        return Mistake(f"{path}.kind", show(found), f"one of {kinds}{_meant(found, node)}")
    return Mistake(path, show(value), _describe(node, schema) + _why(value, node))


def _walk(loc: tuple[int | str, ...], raw: Any, schema: dict[str, Any]) -> tuple[str, Any, dict[str, Any]]:
    """Follow a location of pydantic: path for people, the value there, its part of the schema."""
    path, value, node = "", raw, schema
    for step in loc:
        node = _resolve(node, schema)
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                break  # one text for a list, or a point with a number missing: the place is the whole
            path, value = f"{path}[{step}]", value[step]
            prefix = node.get("prefixItems", [])
            node = prefix[step] if step < len(prefix) else node.get("items", {})
        elif isinstance(value, dict):
            if "discriminator" in node and value.get("kind") == step:
                node = _resolve({"$ref": node["discriminator"]["mapping"][step]}, schema)
                continue  # the name of a rule's model, not a key
            path, value = _join(path, step), value.get(step, _NOTHING)
            node = node.get("properties", {}).get(step, {})
    return path, value, _resolve(node, schema)


def _join(path: str, key: str) -> str:
    key = key if re.fullmatch(r"[\w-]+", key) else json.dumps(key, ensure_ascii=False)
    return f"{path}.{key}" if path else key


def _keys(loc: tuple[int | str, ...], raw: Any, schema: dict[str, Any]) -> list[str]:
    """The keys that are known where ``loc`` ends."""
    return list(_walk(loc[:-1], raw, schema)[2].get("properties", {}))


def _resolve(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Through references and "or nothing" to the schema that counts; its description stays."""
    while True:
        if "$ref" in node:
            target = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
            node = {**target, **{k: v for k, v in node.items() if k != "$ref"}}
            continue
        options = [o for o in node.get("anyOf", ()) if o.get("type") != "null"]
        if len(options) != 1:
            return node
        node = {**options[0], **{k: v for k, v in node.items() if k not in ("anyOf", "default", "title")}}


def _describe(node: dict[str, Any], schema: dict[str, Any]) -> str:
    """What a schema accepts, in words."""
    node = _resolve(node, schema)
    options = [o for o in node.get("anyOf", ()) if o.get("type") != "null"]
    if options:
        return " or ".join(dict.fromkeys(_describe(o, schema) for o in options))
    if "const" in node or "enum" in node:
        values = [json.dumps(v) for v in node.get("enum", [node.get("const")])]
        return values[0] if len(values) == 1 else "one of " + ", ".join(values)
    kind = node.get("type")
    if kind == "array":
        return _describe_list(node, schema)
    if kind in ("number", "integer"):
        return _describe_number(node)
    words = {"string": "text in quotes", "boolean": "true or false", "object": "a table"}
    return words.get(str(kind), "another value")


def _describe_list(node: dict[str, Any], schema: dict[str, Any]) -> str:
    if "prefixItems" in node:
        inner = _describe(node["prefixItems"][0], schema)
        return f"a list of {len(node['prefixItems'])} {_plural(inner)}"
    least = node.get("minItems", 0)
    words = _plural(_describe(node.get("items", {}), schema))
    return f"a list of {f'at least {least} ' if least > 1 else ''}{words}{', not empty' if least == 1 else ''}"


def _plural(words: str) -> str:
    if words.startswith("a list of "):
        return f"[{', '.join('xy')}] pairs" if words == "a list of 2 numbers" else f"lists of {words[10:]}"
    words = words.removeprefix("one of ")
    return {"a number": "numbers", "a table": "tables", "text in quotes": "texts in quotes"}.get(words, words)


def _describe_number(node: dict[str, Any]) -> str:
    low, above, high = node.get("minimum"), node.get("exclusiveMinimum"), node.get("maximum")
    words = "a number"
    if low is not None:
        words += f" from {low:g}"
    elif above is not None:
        words += f" above {above:g}"
    if high is not None:
        words += f" {'to' if low is not None else 'up to'} {high:g}"
    return words


def _why(value: Any, node: dict[str, Any]) -> str:
    """What helps beyond the type: the meaning of a missing key, the close word of a wrong one."""
    if value is _NOTHING:
        meaning = node.get("description", "").split("\n\n")[0].replace("\n", " ").rstrip(".")
        return f" ({meaning})" if meaning else ""
    return _meant(value, node)


def _meant(value: Any, node: dict[str, Any]) -> str:
    words = node.get("enum") or node.get("discriminator", {}).get("mapping", {})
    return _did_you_mean(value, [str(w) for w in words]) if isinstance(value, str) else ""


def _did_you_mean(word: str, words: list[str]) -> str:
    close = _close(word, words)
    return f' (did you mean "{close}"?)' if close else ""


def _close(word: str, words: list[str]) -> str:
    return next(iter(difflib.get_close_matches(word, words, 1)), "")
