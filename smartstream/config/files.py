"""Whether the files that a site file names can be opened, found out before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smartstream.config.fields import FEEDS, parse_address
from smartstream.config.mistakes import Mistake, show


def check_files(raw: dict[str, Any], folder: Path) -> list[Mistake]:
    """A mistake for each file that is missing, no file or not readable, and for an empty video or tracks file."""
    return [m for path, name, target in _named(raw) if (m := _check(path, name, folder / target)) is not None]


def _named(raw: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Path in the site file, the text there, the file it means."""
    for key in ("camera", *FEEDS):
        rows = raw.get(key, [])
        for i, row in enumerate(rows if isinstance(rows, list) else ()):
            if not isinstance(row, dict):
                continue
            url = row.get("url")
            for j, one in enumerate(url if isinstance(url, list) else [url]):
                path = f"{key}[{i}].url[{j}]" if isinstance(url, list) else f"{key}[{i}].url"
                try:
                    scheme, target = parse_address(one if isinstance(one, str) else "")
                except ValueError:
                    continue
                if scheme in ("file", "tracks"):
                    yield path, str(one), target
            if key == "camera" and isinstance(row.get("model"), str) and row.get("detector", "motion") != "motion":
                yield f"{key}[{i}].model", row["model"], row["model"]


def _check(path: str, name: str, file: Path) -> Mistake | None:
    try:
        if file.is_dir():
            found = "which is a folder"
        elif path.startswith("camera") and file.stat().st_size == 0 and file.is_file():
            found = "which is empty"
        else:
            with file.open("rb"):
                return None
    except (OSError, ValueError) as e:
        reason = (e.strerror if isinstance(e, OSError) else None) or str(e)
        found = f"which cannot be opened ({reason}: {file})"
    return Mistake(path, f"{show(name)}, {found}", "a file that can be read")
