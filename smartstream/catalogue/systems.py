"""The systems of the catalogue, and the page of the documents made of them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from smartstream.catalogue.records import RECORDS, STAY_OUT

_HEAD: Final = """# Catalogue of systems

Made by `smartstream catalogue --markdown`; change [systems.toml](../smartstream/catalogue/systems.toml) and
[records.py](../smartstream/catalogue/records.py), not this page.
"""


class System(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A system that a centre is connected to.

    Attributes:
        id: Stable name.
        name: What it is called.
        rows: Rows of the inventory of the founding documents that ask for it.
        fit: ``CORE`` camera, sensor and report streams; ``CONN`` connected source; ``OUT`` refused.
        enters: Table of the site file that brings it.
        shows: Events that come of it.
        record: Its schema on an ``indicator_feed``.
        sample: A line, or the beginning of a table of the site file.
        refused: The record under which it would come, and is refused.
    """

    id: str
    name: str
    rows: tuple[str, ...]
    fit: Literal["CORE", "CONN", "OUT"]
    enters: str
    shows: str
    record: str = ""
    sample: dict[str, Any] = {}
    refused: str = ""


class _File(msgspec.Struct):
    system: list[System]


def load_systems() -> list[System]:
    """Every system, in the order of the file."""
    text = Path(__file__).with_name("systems.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), _File).system


def fields_of(record: str) -> list[tuple[str, str]]:
    """Field and form of a record's schema."""
    schema = msgspec.json.schema(RECORDS[record])
    found = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    needed = set(found.get("required", ()))
    return [
        (name if name in needed else f"{name} (optional)", _form(said)) for name, said in found["properties"].items()
    ]


def _form(said: dict[str, Any]) -> str:
    if "enum" in said:
        return " \\| ".join(str(value) for value in said["enum"])
    if "anyOf" in said:
        return " or ".join(dict.fromkeys(_form(one) for one in said["anyOf"] if one.get("type") != "null"))
    low, high = said.get("minimum"), said.get("maximum")
    if low is not None and high is not None:
        return f"{said['type']} {low:g}…{high:g}"
    return str(said.get("type", "any"))


def page() -> Iterator[str]:
    """The page, line by line."""
    yield _HEAD
    yield "| system | fit | enters by | schema | shows | asked for by |"
    yield "|---|---|---|---|---|---|"
    for system in load_systems():
        schema = f"[{system.record}](#{system.record.replace('.', '')})" if system.record else "–"
        if system.refused:
            schema = f"refused as `{system.refused}`"
        rows = ", ".join(system.rows)
        name = f"{system.name} (`{system.id}`)"
        yield f"| {name} | {system.fit} | `{system.enters}` | {schema} | {system.shows} | {rows} |"
    yield "\n## Records\n\nLines of an `indicator_feed`; unknown fields are refused."
    samples = {system.record: system.sample for system in load_systems() if system.record}
    for name, kind in RECORDS.items():
        yield f"\n### {name}\n\n{(kind.__doc__ or '').strip()}\n"
        yield "| field | form |\n|---|---|"
        for field, form in fields_of(name):
            yield f"| {field} | {form} |"
        yield f"\n```json\n{msgspec.json.encode(samples[name]).decode()}\n```"
    yield "\n## What must stay out\n"
    for name, why in STAY_OUT.items():
        yield f"- `{name}`: {why}."
