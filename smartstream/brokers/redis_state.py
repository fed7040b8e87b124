"""Hot state in Redis, shared by processes; a Redis that dies, stalls or is full stops nobody.

Every write goes to the process's own state first and to Redis from a thread of its own. When Redis does not take it,
the own state answers, the trouble is told once, and when Redis is back everything is written there again: the order
of versions makes that safe.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import msgspec

from smartstream.brokers.hot_state import Entry, LocalState
from smartstream.errors import InvalidInputError
from smartstream.observe.logging import get_logger

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError:  # the extra ``redis``: said where it is to be used
    redis = None  # type: ignore[assignment]

T = TypeVar("T")
_TIMEOUT_S: Final = 0.3
_AWAY_S: Final = (0.5, 1.0, 2.0, 5.0)
_MOST: Final = 20_000
_BATCH: Final = 500
_POLE_DEG: Final = 85.05  # beyond it Redis has no places
_log = get_logger("redis")

_PUT: Final = """
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known then
  local at, revision = string.match(known, '^(%d+) (%d+) ')
  at, revision = string.rep('0', 20 - #at) .. at, tonumber(revision)
  local new_at = string.rep('0', 20 - #ARGV[2]) .. ARGV[2]
  if at > new_at or (at == new_at and revision >= tonumber(ARGV[3])) then return 0 end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[1])
if ARGV[6] ~= '' then redis.call('GEOADD', KEYS[3], ARGV[6], ARGV[7], ARGV[1]) end
return 1
"""
"""Upsert if later. Nanoseconds are beyond a Lua number: compared as padded text; scores of the sweep are seconds."""


class RedisState:
    """Shared hot state under ``smartstream:<site>:``.

    Args:
        url: ``redis://HOST:PORT/DB``, ``rediss://…`` or ``unix://…``.
        site: Site id.
        username: With ``password``.
        password: Of the server.

    Raises:
        InvalidInputError: The extra ``redis`` is not installed, or the address cannot be read.
    """

    def __init__(self, url: str, site: str, *, username: str | None = None, password: str | None = None) -> None:
        if redis is None:
            raise InvalidInputError(f"{url}: needs the extra redis: pip install 'smartstream[redis]'")
        self._prefix = f"smartstream:{site}:"
        self._own = LocalState()
        try:
            self._client: Any = redis.Redis.from_url(
                url,
                username=username,
                password=password,
                socket_timeout=_TIMEOUT_S,
                socket_connect_timeout=_TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),  # the client's own ten retries would cost seconds a call
                health_check_interval=0,
            )
        except ValueError as e:
            raise InvalidInputError(f"{url}: expected redis://HOST:PORT/DB: {e}") from None
        self._put = self._client.register_script(_PUT)
        self._writes: deque[Entry] = deque()
        self._in_flight = 0
        self._lock = threading.Lock()
        self._wake, self._closed = threading.Event(), threading.Event()
        self._away_until_s, self._failures, self._behind = 0.0, 0, False
        self._news: deque[tuple[str, str]] = deque()
        self._thread = threading.Thread(target=self._write_on, name="redis", daemon=True)
        self._thread.start()

    def put(self, entries: Iterable[Entry]) -> None:
        """Keep each unless something later is known of it; returns at once."""
        found = list(entries)
        with self._lock:
            self._own.put(found)
            if len(self._writes) + len(found) > _MOST:
                self._writes.clear()
                self._behind = True  # everything is written again from the own state
            else:
                self._writes.extend(found)
        self._wake.set()

    def get(self, kind: str, name: str) -> Entry | None:
        """What was last said, by any process."""

        def ask() -> Entry | None:
            found = self._client.hget(self._key("state", kind), name)
            return None if found is None else _entry(kind, name, found)

        with self._lock:
            own = self._own.get(kind, name)
        shared = self._ask(ask, None)
        return max((e for e in (own, shared) if e is not None), key=lambda e: e.version, default=None)

    def near(self, kind: str, lat: float, lon: float, radius_m: float, limit: int = 100) -> list[tuple[str, float]]:
        """Names and metres of what is within the radius, nearest first."""

        def ask() -> list[tuple[str, float]] | None:
            found = self._client.geosearch(
                self._key("geo", kind), latitude=lat, longitude=lon, radius=radius_m, unit="m", sort="ASC",
                count=limit, withdist=True,
            )  # fmt: skip
            return [(name.decode(), float(metres)) for name, metres in found]

        shared = self._ask(ask, None)
        if shared is not None:
            return shared
        with self._lock:
            return self._own.near(kind, lat, lon, radius_m, limit)

    def first_time(self, key: str, keep_s: float) -> bool:
        """Whether a key has not been seen by any process for so long; it has from now on."""
        with self._lock:
            own = self._own.first_time(key, keep_s)
        name, keep_ms = self._key("seen", key), max(1, round(keep_s * 1000))
        shared: bool = self._ask(lambda: bool(self._client.set(name, b"1", nx=True, px=keep_ms)), own)
        return own and shared

    def watch(self, watch_list: str, members: Iterable[str]) -> None:
        """Make these the members of a list."""
        found = frozenset(members)
        with self._lock:
            self._own.watch(watch_list, found)
        if self._ask(lambda: self._watch(watch_list, found), None) is None:
            with self._lock:
                self._behind = True

    def watched(self, watch_list: str, member: str) -> bool:
        """Whether a list has a member."""
        with self._lock:
            own = self._own.watched(watch_list, member)
        return bool(self._ask(lambda: bool(self._client.sismember(self._key("watch", watch_list), member)), own))

    def sweep(self, before_ns: int) -> None:
        """Forget everything that was last said before an instant."""
        with self._lock:
            self._own.sweep(before_ns)
        self._ask(lambda: self._sweep(before_ns), None)

    def news(self) -> tuple[str, str] | None:
        """The next change of its health: ``opened`` with the reason, or ``closed``."""
        return self._news.popleft() if self._news else None

    def settle(self, timeout_s: float = 10.0) -> bool:
        """Wait until Redis has everything; for tests and an orderly end."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            with self._lock:
                if not (self._writes or self._in_flight or self._behind or self._failures):
                    return True
            time.sleep(0.01)
        return False

    def close(self) -> None:
        """Stop writing."""
        self._closed.set()
        self._wake.set()
        self._thread.join(2)
        self._client.close()

    def _write_on(self) -> None:
        while not self._closed.is_set():
            if not (self._writes or self._behind or self._failures):
                self._wake.wait(1.0)
                self._wake.clear()
                continue
            if (wait := self._away_until_s - time.monotonic()) > 0:
                self._closed.wait(wait)
                continue
            self._write_some()

    def _write_some(self) -> None:
        with self._lock:
            if self._behind:
                entries, lists = self._own.everything()
                self._writes.clear()
                self._writes.extend(entries)
                self._behind = False
            else:
                lists = {}
            batch = [self._writes.popleft() for _ in range(min(_BATCH, len(self._writes)))]
            self._in_flight = len(batch)
        done = self._ask(lambda: self._write(batch, lists), None, patient=True)
        with self._lock:
            self._in_flight = 0
            self._behind = self._behind or done is None

    def _write(self, batch: list[Entry], lists: dict[str, frozenset[str]]) -> bool:
        pipeline = self._client.pipeline(transaction=False)
        for entry in batch:
            kind = entry.kind
            lat, lon = entry.position if entry.position and abs(entry.position[0]) < _POLE_DEG else ("", "")
            keys = [self._key("state", kind), self._key("said", kind), self._key("geo", kind)]
            packed = msgspec.msgpack.encode((entry.value, entry.position))
            args: list[Any] = [entry.name, entry.at_ns, entry.revision, packed, entry.at_ns / 1e9, lon, lat]
            self._put(keys=keys, args=args, client=pipeline)
        if not batch:
            pipeline.ping()
        pipeline.execute()
        for name, members in lists.items():
            self._watch(name, members)
        return True

    def _watch(self, watch_list: str, members: frozenset[str]) -> bool:
        key = self._key("watch", watch_list)
        pipeline = self._client.pipeline(transaction=True)
        pipeline.delete(key)
        if members:
            pipeline.sadd(key, *members)
        pipeline.execute()
        return True

    def _sweep(self, before_ns: int) -> bool:
        for said in self._client.scan_iter(self._key("said", "*")):
            kind = said.decode().removeprefix(self._key("said", ""))
            old = self._client.zrangebyscore(said, "-inf", f"({before_ns / 1e9}")
            if old:
                pipeline = self._client.pipeline(transaction=True)
                pipeline.hdel(self._key("state", kind), *old)
                pipeline.zrem(self._key("geo", kind), *old)
                pipeline.zrem(said, *old)
                pipeline.execute()
        return True

    def _ask(self, work: Callable[[], T], otherwise: T, *, patient: bool = False) -> T:
        """What Redis says, or ``otherwise`` while it is away; a failure makes it away for a while."""
        if not patient and time.monotonic() < self._away_until_s:
            return otherwise
        try:
            found = work()
        except (redis.RedisError, OSError) as e:
            self._failed(str(e) or type(e).__name__)
            return otherwise
        if patient:
            self._worked()
        return found

    def _failed(self, why: str) -> None:
        self._failures += 1
        self._away_until_s = time.monotonic() + _AWAY_S[min(self._failures, len(_AWAY_S)) - 1]
        if self._failures == 1:
            with self._lock:
                self._behind = True
            _log.error("Redis does not serve: the process's own state does", why=why)
            self._news.append(("opened", why[:300]))
        self._wake.set()

    def _worked(self) -> None:
        if self._failures and not self._behind:
            self._failures, self._away_until_s = 0, 0.0
            _log.warning("Redis serves again")
            self._news.append(("closed", ""))

    def _key(self, what: str, name: str) -> str:
        return f"{self._prefix}{what}:{name}"


def _entry(kind: str, name: str, found: bytes) -> Entry:
    at, revision, packed = found.split(b" ", 2)
    value, position = msgspec.msgpack.decode(packed, type=tuple[bytes, tuple[float, float] | None])
    return Entry(kind, name, int(at), int(revision), value, position)
