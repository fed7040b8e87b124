"""The raw tables of a site file, before anything about them is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Raw = dict[str, Any]


def tables(table: Raw, key: str, path: str = "") -> Iterator[tuple[str, Raw]]:
    """The tables of an array of tables with their paths; what is no table is passed over."""
    rows = table.get(key, [])
    for i, row in enumerate(rows if isinstance(rows, list) else ()):
        if isinstance(row, dict):
            yield (f"{path}.{key}[{i}]" if path else f"{key}[{i}]"), row
