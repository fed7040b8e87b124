"""Rows of a database table as lines, polled by a watermark column.

Every poll reads from a while before the newest watermark and skips the rows it knows, by key and watermark: so rows of
an equal watermark, and rows that a slow transaction shows late, are neither lost nor taken twice. A row whose watermark
moves on is a new line. A watermark of tomorrow, without end, or of another type than the others does not say how far
the table has been read: its row is a line like any other, and the rows after it are still asked for.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from smartstream.errors import InvalidInputError, MissingExtraError
from smartstream.ingest.lines import Found, Quiet, Trouble
from smartstream.model.time import MAX_NS, NS
from smartstream.observe.logging import get_logger

if TYPE_CHECKING:  # loaded with the first database: a run without one starts sooner
    import sqlalchemy as sa

_PAGE: Final = 1000
_AHEAD: Final = 8 * _PAGE
_AHEAD_OF_US: Final = timedelta(days=1)  # a clock that differs by less is a clock
_DRIVERS: Final = {"postgresql": "postgresql+psycopg"}
_encoder: Final = msgspec.json.Encoder()
_log = get_logger("sql")


class Polling(msgspec.Struct, frozen=True, kw_only=True):
    """What to poll, and how.

    Attributes:
        url: SQLAlchemy's, without credentials.
        user: Who asks, if the database wants to know.
        password: Of ``user``.
        table: Table or view, with its schema if need be.
        watermark: Column that never sinks for a row and rises with every change.
        key: Column that tells rows apart.
        columns: Field of a line to the column it comes from; the others keep their names.
        every_s: Pause between polls.
        overlap_s: How far before the newest watermark a poll begins, seconds or, for a number, units.
        timezone: Of times in the database that do not say theirs.
    """

    url: str
    user: str | None
    password: str | None
    table: str
    watermark: str
    key: str
    columns: Mapping[str, str]
    every_s: float
    overlap_s: float
    timezone: tzinfo


class SqlLines:
    """Polls in a thread a bounded way ahead; the dataflow never waits for the database.

    Args:
        polling: What to poll.
        state: What ``snapshot`` returned, or empty.
        idle_after_s: Silence after which the feed holds nobody up.

    Raises:
        InvalidInputError: The database cannot be asked.
    """

    unit = "row"
    sorted = False
    told_ns = MAX_NS
    ended = False
    broken = ""

    def __init__(self, polling: Polling, state: dict[str, Any], *, idle_after_s: float) -> None:
        self._polling, self._idle_after_s = polling, idle_after_s
        self._known = _Known(polling, state.get("newest"), state.get("seen", {}))
        self._line_no: int = state.get("line_no", 0)
        self._found: deque[tuple[Any, Any, bytes] | Quiet | Trouble] = deque()
        self._room = threading.Event()
        self._closed = threading.Event()
        self._engine = open_database(polling)
        asked = _Known(polling, state.get("newest"), state.get("seen", {}))
        self._thread = threading.Thread(target=self._poll_on, args=(asked,), name="sql", daemon=True)
        self._thread.start()

    def next_line(self) -> Found | None:
        """The next row, ``None`` when there is none yet."""
        try:
            found = self._found.popleft()
        except IndexError:
            return None
        if len(self._found) < _AHEAD // 2:
            self._room.set()
        if not isinstance(found, tuple):
            return found
        watermark, key, line = found
        self._known.take(watermark, key)
        self._line_no += 1
        return self._line_no, line

    def snapshot(self) -> dict[str, Any]:
        """The newest watermark, and the rows near it that are known."""
        return {"newest": self._known.newest, "seen": dict(self._known.seen), "line_no": self._line_no}

    def close(self) -> None:
        """Stop polling."""
        self._closed.set()
        self._room.set()
        self._thread.join(5)
        self._engine.dispose()

    def _poll_on(self, asked: _Known) -> None:
        heard_s, failures = time.monotonic(), 0
        while not self._closed.is_set():
            try:
                if self._poll(asked):
                    heard_s = time.monotonic()
                if failures > 1:
                    self._found.append(Trouble("closed", ""))
                failures = 0
            except Exception as e:  # drivers raise their own; a thread that died would be silence
                failures += 1
                if failures == 2:  # once is a restart of the server, which is soon over
                    why = _why(e)
                    _log.warning("database cannot be read, trying on", url=self._polling.url, why=why)
                    self._found.append(Trouble("opened", why))
            silent = time.monotonic() - heard_s - self._idle_after_s
            if silent > 0 and not failures and not self._found:
                until = time.time_ns() - round(self._idle_after_s * NS)
                self._found.append(Quiet(round(silent * NS), until))
            self._closed.wait(self._polling.every_s)

    def _poll(self, asked: _Known) -> bool:
        """Everything that is new, a page at a time; whether there was anything."""
        heard, start, after = False, asked.start(), None
        with self._engine.connect() as connection:
            while not self._closed.is_set():
                rows = connection.execute(_page(self._polling, start, after)).mappings().all()
                for row in rows:
                    after = (row[self._polling.watermark], row[self._polling.key])
                    if asked.take(*after):
                        heard = True
                        self._found.append((*after, _line(dict(row), self._polling)))
                if len(rows) < _PAGE:
                    return heard
                while len(self._found) >= _AHEAD and not self._closed.is_set():
                    self._room.clear()
                    self._room.wait(1.0)
        return heard


class _Known:
    """Rows at or after the newest watermark less the overlap."""

    def __init__(self, polling: Polling, newest: Any, seen: Mapping[Any, Any]) -> None:
        self.newest, self.seen = newest, dict(seen)
        self._overlap_s, self._timezone = polling.overlap_s, polling.timezone
        self._pruned = len(self.seen)

    def start(self) -> Any:
        """Where the next poll begins; ``None``: at the beginning."""
        newest = self.newest
        if isinstance(newest, datetime | date):
            return newest - timedelta(seconds=self._overlap_s)
        if isinstance(newest, Decimal):
            return newest - Decimal(self._overlap_s)
        if isinstance(newest, int | float):
            return newest - self._overlap_s
        return newest

    def take(self, watermark: Any, key: Any) -> bool:
        """Whether a row is new; it is known from now on."""
        if self.seen.get(key) == watermark:
            return False
        self.seen[key] = watermark
        if self._is_position(watermark) and (self.newest is None or watermark > self.newest):
            self.newest = watermark
        if self.newest is not None and len(self.seen) > 2 * self._pruned + _PAGE:
            start = self.start()
            self.seen = {k: w for k, w in self.seen.items() if not _alike(w, start) or w >= start}
            self._pruned = len(self.seen)
        return True

    def _is_position(self, watermark: Any) -> bool:
        """Whether a watermark tells how far the table has been read."""
        if self.newest is not None and not _alike(watermark, self.newest):
            return False
        if isinstance(watermark, datetime):
            at = watermark if watermark.tzinfo is not None else watermark.replace(tzinfo=self._timezone)
            return at < datetime.now(UTC) + _AHEAD_OF_US
        if isinstance(watermark, date):
            return watermark < (datetime.now(self._timezone) + 2 * _AHEAD_OF_US).date()
        return not isinstance(watermark, float | Decimal) or math.isfinite(watermark)


def _alike(one: Any, other: Any) -> bool:
    """Whether two watermarks can be compared."""
    try:
        return isinstance(one < other, bool)
    except TypeError:
        return False


def open_database(polling: Polling) -> sa.Engine:
    """A database that can be asked for the table.

    Raises:
        InvalidInputError: It cannot; says why.
    """
    try:
        import sqlalchemy as sa
        from sqlalchemy.exc import ArgumentError, SQLAlchemyError
    except ImportError:
        raise MissingExtraError(polling.url, "sql") from None
    try:
        url = sa.make_url(polling.url)
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        if polling.user is not None:
            url = url.set(username=polling.user, password=polling.password)
        engine = sa.create_engine(url, pool_pre_ping=True)
        if url.get_backend_name() == "sqlite":  # which keeps any bytes as text
            sa.event.listen(engine, "connect", _read_any_text)
        with engine.connect() as connection:
            connection.execute(_page(polling, None, None, size=1)).all()
    except (ArgumentError, ImportError) as e:
        raise InvalidInputError(f"{polling.url}: expected a database address: {e}") from None
    except SQLAlchemyError as e:
        raise InvalidInputError(f"{polling.url}: cannot read {polling.table}: {_why(e)}") from None
    return engine


def _read_any_text(connection: Any, _record: Any) -> None:
    connection.text_factory = lambda text: text.decode("utf-8", "replace")


def _page(polling: Polling, start: Any, after: tuple[Any, Any] | None, size: int = _PAGE) -> sa.Select[Any]:
    import sqlalchemy as sa

    schema, _, name = polling.table.rpartition(".")
    watermark: sa.ColumnClause[Any] = sa.column(polling.watermark)
    key: sa.ColumnClause[Any] = sa.column(polling.key)
    query = sa.select(sa.text("*")).select_from(sa.table(name, schema=schema or None)).where(watermark.is_not(None))
    if start is not None:
        query = query.where(watermark >= start)
    if after is not None:
        query = query.where(sa.or_(watermark > after[0], sa.and_(watermark == after[0], key > after[1])))
    return query.order_by(watermark, key).limit(size)


def _line(row: Mapping[str, Any], polling: Polling) -> bytes:
    """A row as a line of its feed; empty columns are left out."""
    taken = set(polling.columns.values())
    fields = {field: row.get(column) for field, column in polling.columns.items()}
    fields |= {column: value for column, value in row.items() if column not in taken and column not in fields}
    try:
        plain = {name: _plain(value, polling.timezone) for name, value in fields.items() if value is not None}
        return _encoder.encode(plain)
    except (OverflowError, TypeError, ValueError) as e:  # a number that JSON has no room for
        return _encoder.encode({"unreadable": f"{type(e).__name__}: {e}"[:200]})


def _plain(value: Any, timezone: tzinfo) -> Any:
    if isinstance(value, datetime):
        return (value if value.tzinfo is not None else value.replace(tzinfo=timezone)).astimezone(UTC).isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date | UUID):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return value if isinstance(value, str | int | float | bool | list | dict) else str(value)


def _why(error: Exception) -> str:
    """What the database said, on one line, without the statement."""
    said = str(getattr(error, "orig", None) or error)
    return " ".join(said.split())[:300]
