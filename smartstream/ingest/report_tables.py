"""Exports of report systems as lines of a report feed, in the order of their times.

Two forms are known: a JSON array of Open311 GeoReport v2 requests, and the CSV of New York's 311 with its quoted
fields over several lines. Both come newest first and say of a closed request when it was made *and* when it was
closed: each such record becomes two lines.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from smartstream.errors import InvalidInputError
from smartstream.ingest.lines import LineSource
from smartstream.model.time import MAX_NS

_MAX_BYTES: Final = 1 << 30  # a table is sorted in memory; larger ones belong in NDJSON
_encoder: Final = msgspec.json.Encoder()
_Line = tuple[str, int, dict[str, Any]]  # time, record number, line


def with_tables(source: LineSource, path: Path, timezone: ZoneInfo) -> LineSource:
    """A report feed in a file: by the suffixes ``.json`` and ``.csv`` a table, otherwise as it is.

    Args:
        source: The file as lines.
        path: The file.
        timezone: Of times in a table that do not say theirs.
    """
    if path.suffix not in (".json", ".csv"):
        return source
    return replace(source, open=lambda state: TableReader(path, timezone, **state))


class TableReader:
    """Lines of a table, sorted by time; ``line_no`` is the record's number in the table.

    Args:
        path: The table, ``.json`` or ``.csv``.
        timezone: Of times without an offset.
        offset: Lines handed out before, as a resume state.
        line_no: Number of the record handed out last.

    Raises:
        InvalidInputError: It cannot be read or is no table of a known form.
    """

    unit = "line"
    sorted = True
    told_ns = MAX_NS

    def __init__(self, path: Path, timezone: ZoneInfo, *, offset: int = 0, line_no: int = 0) -> None:
        self.offset = offset
        self.line_no = line_no
        self.ended = False
        self.broken = ""
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise InvalidInputError(f"{path}: expected a table of at most {_MAX_BYTES >> 20} MB")
            text = path.read_text(encoding="utf-8-sig", errors="replace")
        except OSError as e:
            raise InvalidInputError(f"{path}: expected a readable file, found: {e.strerror}") from None
        records = _csv_records(path, text) if path.suffix == ".csv" else _json_records(path, text)
        lines = [line for number, record in enumerate(records, 1) for line in _lines(number, record, timezone)]
        lines.sort(key=lambda line: line[:2])
        self._lines = lines

    def next_line(self) -> tuple[int, bytes] | None:
        """The next line with its record's number, or ``None`` at the end."""
        if self.offset >= len(self._lines):
            self.ended = True
            return None
        _, self.line_no, line = self._lines[self.offset]
        self.offset += 1
        return self.line_no, _encoder.encode(line)

    def snapshot(self) -> dict[str, Any]:
        """How far it is."""
        return {"offset": self.offset, "line_no": self.line_no}

    def close(self) -> None:
        """Free the table."""
        self._lines = []


def _json_records(path: Path, text: str) -> Iterator[dict[str, Any]]:
    try:
        records = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise InvalidInputError(f"{path}: expected JSON, found: {e}") from None
    if not isinstance(records, list):
        raise InvalidInputError(f"{path}: expected an array of Open311 requests")
    for record in records:
        if not isinstance(record, dict):
            yield {"report": None}  # becomes a dead letter with its number
            continue
        yield {
            "report": record.get("service_request_id"),
            "made": record.get("requested_datetime"),
            "changed": record.get("updated_datetime"),
            "status": record.get("status"),
            "service_code": record.get("service_code"),
            "service_name": record.get("service_name"),
            "description": record.get("description"),
            "lat": record.get("lat"),
            "lon": record.get("long", record.get("lon")),
            "address_string": record.get("address"),
            "media_url": record.get("media_url"),
        }


def _csv_records(path: Path, text: str) -> Iterator[dict[str, Any]]:
    rows = csv.DictReader(io.StringIO(text, newline=""), restkey="_rest")
    needed = {"unique_key", "created_date", "complaint_type", "status"}
    missing = needed - set(rows.fieldnames or ())
    if missing:
        raise InvalidInputError(f"{path}: expected the columns of a 311 export, missing: {', '.join(sorted(missing))}")
    try:
        for row in rows:
            yield {
                "report": row["unique_key"],
                "made": row["created_date"],
                "changed": row.get("closed_date"),
                "status": row["status"],
                "service_code": row["complaint_type"],
                "description": row.get("descriptor"),
                "lat": _number(row.get("latitude")),
                "lon": _number(row.get("longitude")),
                "address_string": row.get("incident_address") or _crossing(row),
            }
    except csv.Error as e:
        raise InvalidInputError(f"{path}: line {rows.line_num}: {e}") from None


def _crossing(row: dict[str, Any]) -> str:
    streets = [row.get("intersection_street_1"), row.get("intersection_street_2")]
    return " / ".join(street for street in streets if street)


def _number(text: str | None) -> float | str | None:
    """A number; text that is none stays text, so that the line is refused by its schema."""
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _lines(number: int, record: dict[str, Any], timezone: ZoneInfo) -> Iterator[_Line]:
    """A line for the report, and one for its closing."""
    made, changed = _instant(record.pop("made", None), timezone), _instant(record.pop("changed", None), timezone)
    status = record.pop("status", None)
    closed = str(status).casefold() == "closed" and changed is not None
    first = {**record, "time": made, "status": "open" if closed else status}
    yield str(made), number, first
    if closed:
        yield max(str(changed), str(made)), number, {"report": record["report"], "time": changed, "status": "closed"}


def _instant(text: object, timezone: ZoneInfo) -> object:
    """RFC 3339 in UTC, so that texts sort like instants; what is no time stays as it is and is refused later."""
    if not isinstance(text, str) or not text:
        return text or None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    aware = found if found.tzinfo is not None else found.replace(tzinfo=timezone)
    return aware.astimezone(ZoneInfo("UTC")).isoformat(timespec="microseconds")
